"""Plan the packages of a live prefix as they are there: what is still theirs, what was modified, what is missing."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coex_bootstrap.format.relocation import in_binary

from ..archive.placeholders import find_edits
from ..conda_api.installed import NO_FILE, OF_LINKING, is_missing, rows_of
from ..conda_api.packages import check_path
from ..root.content import Content, Link, relocation_of
from ..root.link_rules import NOARCH_SOURCE, PackagePlan, compiled_path
from ..root.package import Package, PackagePath
from ..root.source import OnDisk, Patched, Span, digest, digest_of
from .files import opened

LONGEST = 255  # bytes by which a placeholder is longer than a prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..root.link_rules import Python
    from ..root.source import Buffer, Source

    Names = tuple[str, ...]  # by which files name the prefix


@dataclass(frozen=True)
class Drift:
    """How a package in a prefix differs from what its record says: paths relative to the prefix."""

    dist: str
    modified: tuple[str, ...]
    missing: tuple[str, ...]


def plan_all(
    packages: Sequence[Package],
    records: Sequence[dict[str, Any]],
    python: Python | None,
    live: Mapping[str, Content | Link],
    names: Names,
) -> tuple[list[PackagePlan], list[Drift]]:
    """Return what of each package is in the prefix, as `plan_installed` has it.

    Where several packages have a path, and it is as one of them recorded it, the others have lost it to that one.
    """
    done = [
        plan_installed(package, record, python, live, names) for package, record in zip(packages, records, strict=True)
    ]
    own = {
        item.path.removeprefix("prefix/"): replace(item, key=None)
        for plan, _ in done
        for item in plan.files
        if isinstance(item, Content) and item.key is not None
    }
    for number, (_, drift) in enumerate(done):
        lost = {path: own[path] for path in drift.modified if path in own}
        if lost:
            plan, _ = plan_installed(packages[number], records[number], python, {**live, **lost}, names)
            modified = tuple(path for path in drift.modified if path not in own)
            done[number] = plan, replace(drift, modified=modified)
    return [plan for plan, _ in done], [drift for _, drift in done]


def plan_installed(
    package: Package, record: dict[str, Any], python: Python | None, live: Mapping[str, Content | Link], names: Names
) -> tuple[PackagePlan, Drift]:
    """Return what of a package is in the prefix: `live` has its files by path relative to that.

    A file that is what its package recorded, once the prefix in it is the placeholder again, is the package's own.
    """
    paths: list[PackagePath] = []
    files: list[Content | Link] = []
    scripts: list[Content] = []
    modified: list[str] = []
    missing: list[str] = []
    compiled: dict[str, str] = {}
    for target, row in rows_of(record):
        check_path(target, package.directory)
        if row.get("path_type") == "directory":
            continue
        item = live.get(target)
        if row.get("path_type") in OF_LINKING:
            if isinstance(item, Content) and not target.endswith(".pyc"):
                scripts.append(item)
            elif item is None and row["path_type"] not in NO_FILE and is_missing(target, live, package.directory):
                missing.append(target)
            continue
        if item is None:
            if not target.endswith(".pyc") and is_missing(target, live, package.directory):
                missing.append(target)
            continue
        item = _own(item, target, row, package, names)
        if (
            package.noarch == "python"
            and python is not None
            and isinstance(item, Content)
            and NOARCH_SOURCE.match(str(row["_path"]))
        ):
            compiled[item.path] = compiled_path(target, python.version)
        foreign = isinstance(item, Content) and item.key is None and row.get("sha256")
        if foreign and _live_digest(package.directory / target) != row.get("sha256_in_prefix"):
            modified.append(target)
        files.append(item)
        paths.append(_path_row(target, row, item))
    count = sum(row.get("path_type") not in (*OF_LINKING, "directory") for _, row in rows_of(record))
    own = all(isinstance(item, Link) or item.key is not None for item in files)
    altered = not own or len(files) != count
    planned = replace(package, paths=tuple(paths), altered=altered)
    return PackagePlan(planned, tuple(files), tuple(scripts), compiled), Drift(
        package.dist, tuple(modified), tuple(missing)
    )


def _live_digest(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return digest(path.read_bytes())
    return None


def _own(item: Content | Link, target: str, row: dict[str, Any], package: Package, names: Names) -> Content | Link:
    if isinstance(item, Link) or item.key is not None:
        return item
    return _pristine(item, package, target, row, names)


def _path_row(target: str, row: dict[str, Any], item: Content | Link) -> PackagePath:
    own = isinstance(item, Content) and item.key is not None
    kind = "hardlink" if isinstance(item, Content) else "softlink"
    sha256 = item.sha256 if isinstance(item, Content) and not (item.placeholder and not own) else None
    fields = {key: value for key, value in row.items() if key != "sha256_in_prefix"}
    fields["path_type"] = kind
    size = item.size if isinstance(item, Content) else 0
    return PackagePath(target, kind, None, None, sha256, size, 0o644, 0, fields)


def _pristine(item: Content, package: Package, target: str, row: dict[str, Any], names: Names) -> Content:
    """Return a live file as its package had it, where that can be proved by its sha256."""
    known, placeholder = row.get("sha256"), row.get("prefix_placeholder")
    if not known:
        return _with_room(item, package.directory / target)
    if item.sha256 == known:
        return replace(item, relocation=None, key=row["_path"])
    if not placeholder:
        return item
    mode = str(row.get("file_mode") or "text")
    path = package.directory / target
    with opened(OnDisk(path)) as data:
        own = next(_originals(path, data, names, placeholder, mode, known), None)
        # the cache has what could not be reversed, as a long #! line
        is_condas = own is None and row.get("sha256_in_prefix") == digest(data)
    if is_condas:
        own = next((each for each in _cached(package.dist, str(row["_path"])) if each[2] == known), None)
    if own is None:
        return item
    source, size, _ = own
    moved = relocation_of(placeholder, mode)
    return replace(item, source=source, size=size, sha256=known, relocation=moved, key=row["_path"])


def _originals(
    path: Path, data: Buffer, names: Names, placeholder: str, mode: str, known: str
) -> Iterator[tuple[Source, int, str]]:
    """Yield the file with the placeholder, with its size and sha256, where that is what the package recorded."""
    for name in names:
        source = Patched(path, tuple(unrelocated(data, name.encode(), placeholder.encode(), mode)))
        if source.spans and digest_of(source.pieces(data)) == known:
            yield source, len(data) + sum(len(span.data) - (span.end - span.start) for span in source.spans), known


def _with_room(item: Content, path: Path) -> Content:
    """Return a binary of a package that no sums are known of with the room that its placeholder has left in it.

    conda fills a string up with NULs, which show how much longer the placeholder was.
    """
    prefix = item.placeholder
    if prefix is None or item.file_mode != "binary":
        return item
    name = prefix.encode()
    with opened(OnDisk(path)) as data:
        room = min(
            ((zeros - 1) // data[start:end].count(name) for start, end, zeros in _strings(data, name)), default=0
        )
        if room == 0:
            return item
        longer = prefix + "_" * min(room, LONGEST)
        source = Patched(path, tuple(unrelocated(data, name, longer.encode(), "binary")))
    original = source.read()
    edits = find_edits(original, longer, "binary")
    return replace(item, source=source, sha256=digest(original), relocation=in_binary(longer, edits))


def _cached(dist: str, path: str) -> Iterator[tuple[Source, int, str]]:
    """Yield what conda's caches have as a file of a package, with its size and sha256."""
    from conda.base.context import context

    for directory in context.pkgs_dirs:
        source = OnDisk(Path(directory, dist, path))
        with contextlib.suppress(OSError), source.opened() as data:
            yield source, len(data), digest(data)


def unrelocated(data: Buffer, prefix: bytes, placeholder: bytes, file_mode: str) -> Iterator[Span]:
    """Yield where a file has the prefix for the placeholder: the reverse of what conda did when it linked it."""
    if file_mode == "text":
        start = data.find(prefix)
        while start >= 0:
            yield Span(start, start + len(prefix), placeholder)
            start = data.find(prefix, start + len(prefix))
        return
    longer = len(placeholder) - len(prefix)
    for start, end, zeros in _strings(data, prefix):
        string = data[start:end]
        padding = longer * string.count(prefix)
        if 0 <= padding < zeros:
            yield Span(start, end + padding, string.replace(prefix, placeholder))


def _strings(data: Buffer, prefix: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where C strings that name the prefix begin, from its first occurrence, and end; and the NULs behind."""
    for found in re.finditer(rb"(" + re.escape(prefix) + rb"[^\0]*)(\0+)", data):
        yield found.start(), found.end(1), found.end() - found.end(1)
