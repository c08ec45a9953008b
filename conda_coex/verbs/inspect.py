"""Report the content of an archive, its sizes by package and file, or the differences of two archives."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.tools.info import describe, render
from coex_bootstrap.tools.output import Outcome

from ..archive import sizes
from ..inspect import compare, file_differences
from ..inspect.page import write_page

if TYPE_CHECKING:
    from coex_bootstrap.tools.info import Described


def inspect(path: str, other: str | None = None, *, bars: bool = False, page: str | None = None) -> Outcome:
    """Return the facts about the archive at `path`, or its differences to `other`.

    `bars` and `page` (a file) ask for the size report. Raises ArchiveDamaged or FormatUnknown.
    """
    from ..errors import InputError

    if other is not None and (bars or page):
        raise InputError("the size report is of one archive", remedy="leave out --sizes and --html, or one of the two")
    description, measured = read(path, measured=bars or page is not None)
    lines = list(sizes.render(measured) if bars else render(path, description))
    document: dict[str, object] = {**description, "archive": path}
    if page is not None:
        write_page(page, os.path.basename(path), measured)  # noqa: PTH119 - as it was given
        lines = [*(lines if bars else ()), page]
    if other is not None:
        differences = compare.compare(hashed(path), hashed(other), files_between(path, other))
        document, lines = differences.fields, list(compare.render(differences))
    if bars or page is not None:
        document["sizes"] = [
            {"name": each.name, "packed": round(each.packed), "unpacked": each.unpacked, "files": len(each.files)}
            for each in measured
        ]
    return Outcome(document, lines, 0)


def read(path: str, *, measured: bool) -> tuple[Described, list[sizes.Owned]]:
    """Return the description of an archive, and its sizes by owner if they are wanted."""
    with closing(Archive(os.fsencode(path))) as archive:
        return describe(archive), sizes.measure(archive) if measured else []


def files_between(path: str, other: str) -> file_differences.Differences:
    """Return the files of the environments that differ, by owner."""
    with closing(Archive(os.fsencode(path))) as old, closing(Archive(os.fsencode(other))) as new:
        return file_differences.differ(old, new)


def hashed(path: str) -> Described:
    """Return the description of an archive, in which each file of the app has its sha256."""
    with closing(Archive(os.fsencode(path))) as archive:
        description = describe(archive)
        side = file_differences.Side(archive)
        hashes = side.hashes(path for path in side.rows if path.startswith(b"app/"))
    for each in description["app"]:
        sha256 = hashes.get(b"app/" + os.fsencode(each["path"]))
        if sha256:
            each["sha256"] = sha256 + (" executable" if each.get("executable") else "")
    return description
