"""Report the content of an archive, its sizes by package and file, or the differences of two archives."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.tools.info import describe, render
from coex_bootstrap.tools.output import Outcome

from ..archive import sizes
from ..inspect import compare
from ..inspect import files as file_differences
from ..inspect.page import write_page


def inspect(path: str, other: str | None = None, *, bars: bool = False, page: str | None = None) -> Outcome:
    """Return the facts about the archive at `path`, or its differences to `other`.

    `bars` and `page` (a file) ask for the size report. Raises ArchiveDamaged or FormatUnknown.
    """
    from ..errors import InputError

    if other is not None and (bars or page):
        raise InputError("the size report is of one archive", remedy="leave out --sizes and --html, or one of the two")
    found = read(path, measured=bars or page is not None)
    measured = found.pop("measured", [])
    lines = list(sizes.render(measured) if bars else render(path, found))
    document: dict[str, Any] = {**found, "archive": path}
    if page is not None:
        write_page(page, os.path.basename(path), measured)  # noqa: PTH119 - as it was given
        lines = [*(lines if bars else ()), page]
    if other is not None:
        document = compare.compare(hashed(path), hashed(other), files_between(path, other))
        lines = list(compare.render(document))
    if bars or page is not None:
        document["sizes"] = [
            {"name": each.name, "packed": round(each.packed), "unpacked": each.unpacked, "files": len(each.files)}
            for each in measured
        ]
    return Outcome(document, lines, 0)


def read(path: str, *, measured: bool) -> dict[str, Any]:
    """Return the description of an archive, with its sizes by owner if they are wanted."""
    with closing(Archive(os.fsencode(path))) as archive:
        found: dict[str, Any] = describe(archive)
        return {**found, "measured": sizes.measure(archive)} if measured else found


def files_between(path: str, other: str) -> file_differences.Differences:
    """Return which files of the environments differ, by owner."""
    with closing(Archive(os.fsencode(path))) as old, closing(Archive(os.fsencode(other))) as new:
        return file_differences.differ(old, new)


def hashed(path: str) -> dict[str, Any]:
    """Return the description of an archive, in which each file of the app has its sha256."""
    with closing(Archive(os.fsencode(path))) as archive:
        found: dict[str, Any] = describe(archive)
        side = file_differences.Side(archive)
        known = side.hashes(path for path in side.rows if path.startswith(b"app/"))
    for each in found["app"]:
        each["sha256"] = known.get(b"app/" + os.fsencode(each["path"]))
        if each["sha256"] and each.get("executable"):
            each["sha256"] += " executable"
    return found
