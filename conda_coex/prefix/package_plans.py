"""Plan the packages of a live prefix as they are there: their own files, and which are modified or missing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import in_binary

from ..archive.placeholders import find_edits
from ..conda_api.installed_records import MADE_BY_CONDA, OPTIONAL, is_missing
from ..conda_api.packages import check_path
from ..conda_api.settings import package_caches
from ..root.content import Content, Link, relocation_of
from ..root.link_rules import NOARCH_SOURCE, PackagePlan, compiled_path
from ..root.package import Package, PackagePath
from ..root.source import OnDisk, Patched, Span, sha256_of
from .live_file import opened
from .unmanaged import COMPILED, source_of

LONGEST = 255  # bytes by which a placeholder may be longer than the prefix
NULS = 512  # bytes that are read at once to count NULs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ..conda_api.installed_records import InstalledRecord
    from ..root.link_rules import Python
    from ..root.package import PathRow
    from ..root.source import Searched, Source

    Live = Mapping[str, Content | Link]  # the files and links of the prefix, by path relative to it
    Names = tuple[str, ...]  # paths by which files name the prefix


@dataclass(frozen=True)
class Drift:
    """How a package in a prefix differs from its record: paths relative to the prefix."""

    dist: str
    modified: tuple[str, ...]
    missing: tuple[str, ...]
    compiled_again: tuple[str, ...] = ()  # .pyc files that Python has written over the package's own


def plan_all(
    packages: Sequence[Package], records: Sequence[InstalledRecord], python: Python | None, live: Live, names: Names
) -> tuple[list[PackagePlan], list[Drift]]:
    """Return the plan and the drift of each package, as `plan_installed` does.

    If several packages recorded a path, and the file is that of one of them, it is not modified for the others.
    """
    done = [
        plan_installed(package, record, python, live, names) for package, record in zip(packages, records, strict=True)
    ]
    own = {
        item.path.removeprefix("prefix/"): replace(item, package_path=None)
        for plan, _ in done
        for item in plan.files
        if isinstance(item, Content) and item.package_path is not None
    }
    for number, (_, drift) in enumerate(done):
        lost = {path: own[path] for path in drift.modified if path in own}
        if lost:
            plan, _ = plan_installed(packages[number], records[number], python, {**live, **lost}, names)
            modified = tuple(path for path in drift.modified if path not in own)
            done[number] = plan, replace(drift, modified=modified)
    return [plan for plan, _ in done], [drift for _, drift in done]


def plan_installed(
    package: Package, record: InstalledRecord, python: Python | None, live: Live, names: Names
) -> tuple[PackagePlan, Drift]:
    """Return the plan of a package as it is in the prefix, and how it differs from its record.

    A file is the package's own if its sha256 is that of the record after the prefix in it is replaced by the
    placeholder again. A .pyc that Python has written over it is left out: it is made again of its source.
    """
    paths: list[PackagePath] = []
    files: list[Content | Link] = []
    modified: list[str] = []
    again: list[str] = []
    compiled: dict[str, str] = {}
    for target, _ in record.rows:
        check_path(target, package.directory)
    not_in_package = (*MADE_BY_CONDA, "directory")
    in_package = [(target, row) for target, row in record.rows if row.get("path_type") not in not_in_package]
    for target, row in in_package:
        item = live.get(target)
        if item is None:
            continue
        item = _own(item, target, row, package, names)
        is_compiled = package.noarch == "python" and isinstance(item, Content) and NOARCH_SOURCE.match(row["_path"])
        if python is not None and is_compiled:
            compiled[item.path] = compiled_path(target, python.version)
        is_changed = isinstance(item, Content) and item.package_path is None and row.get("sha256")
        if is_changed and _live_digest(package.directory / target) != row.get("sha256_in_prefix"):
            if COMPILED.match(target) and isinstance(live.get(source_of(target)), Content):
                again.append(target)
                continue
            modified.append(target)
        files.append(item)
        paths.append(_path_row(target, row, item))
    own = all(isinstance(item, Link) or item.package_path is not None for item in files)
    planned = replace(package, paths=tuple(paths), altered=not own or len(files) != len(in_package))
    missing = tuple(target for target, row in record.rows if _is_missing(target, row, live, package.directory))
    scripts = tuple(_scripts(record, live))
    drift = Drift(package.dist, tuple(modified), missing, tuple(again))
    return PackagePlan(planned, tuple(files), scripts, compiled), drift


def _scripts(record: InstalledRecord, live: Live) -> Iterator[Content]:
    """Yield the console scripts that conda made for a package."""
    for target, row in record.rows:
        item = live.get(target)
        if row.get("path_type") in MADE_BY_CONDA and isinstance(item, Content) and not target.endswith(".pyc"):
            yield item


def _is_missing(target: str, row: PathRow, live: Live, prefix: Path) -> bool:
    """Return whether the prefix lacks a file of a package; .pyc files and directories are not needed."""
    kind = row.get("path_type")
    if target in live or kind in OPTIONAL or (target.endswith(".pyc") and kind not in MADE_BY_CONDA):
        return False
    return is_missing(target, live, prefix)


def _live_digest(path: Path) -> str | None:
    with contextlib.suppress(OSError), OnDisk(path).opened() as data:
        return sha256_of(data)
    return None


def _own(item: Content | Link, target: str, row: PathRow, package: Package, names: Names) -> Content | Link:
    if isinstance(item, Link) or item.package_path is not None:
        return item
    return _pristine(item, package, target, row, names)


def _path_row(target: str, row: PathRow, item: Content | Link) -> PackagePath:
    own = isinstance(item, Content) and item.package_path is not None
    kind = "hardlink" if isinstance(item, Content) else "softlink"
    sha256 = item.sha256 if isinstance(item, Content) and not (item.placeholder and not own) else None
    fields = row.copy()
    fields.pop("sha256_in_prefix", None)
    fields["path_type"] = kind
    size = item.size if isinstance(item, Content) else 0
    return PackagePath(target, kind, None, None, sha256, size, 0o644, 0, fields)


def _pristine(item: Content, package: Package, target: str, row: PathRow, names: Names) -> Content:
    """Return a live file as it was in its package, if its sha256 proves that; otherwise as it is."""
    known, placeholder = row.get("sha256"), row.get("prefix_placeholder")
    if not known:
        return _with_room(item, package.directory / target)
    mode = row.get("file_mode") or "text"
    moved = relocation_of(placeholder, mode) if placeholder else None
    if item.sha256 == known:  # with the placeholder, if conda-pack copied it and nobody ran conda-unpack
        return replace(item, relocation=moved, package_path=row["_path"])
    if not placeholder:
        return item
    path = package.directory / target
    with opened(OnDisk(path)) as data:
        own = next(_originals(path, data, names, placeholder, mode, known), None)
        # conda's change of a long #! line cannot be reversed, but the cache has the file
        is_condas = own is None and row.get("sha256_in_prefix") == sha256_of(data)
    if is_condas:
        own = next((each for each in _cached(package.dist, row["_path"]) if each[2] == known), None)
    if own is None:
        return item
    source, size, _ = own
    return replace(item, source=source, size=size, sha256=known, relocation=moved, package_path=row["_path"])


def _originals(
    path: Path, data: Searched, names: Names, placeholder: str, mode: str, known: str
) -> Iterator[tuple[Source, int, str]]:
    """Yield the file with the placeholder, its size and its sha256, if that is the one that the package recorded."""
    for name in names:
        source = Patched(OnDisk(path), tuple(unrelocated(data, name.encode(), placeholder.encode(), mode)))
        patched = source.over(data)
        if source.spans and sha256_of(patched) == known:
            yield source, len(patched), known


def _with_room(item: Content, path: Path) -> Content:
    """Return a binary with a longer placeholder, if the record has no sha256 for it.

    conda fills strings up with NULs: their number shows how much longer the package's placeholder was.
    """
    prefix = item.placeholder
    if prefix is None or item.file_mode != "binary":
        return item
    name = prefix.encode()
    with opened(OnDisk(path)) as data:
        room = min(((zeros - 1) // len(places) for places, _, zeros in _strings(data, name)), default=0)
        if room == 0:
            return item
        longer = prefix + "_" * min(room, LONGEST)
        source = Patched(OnDisk(path), tuple(unrelocated(data, name, longer.encode(), "binary")))
        original = source.over(data)
        edits = find_edits(original, longer, "binary")
        return replace(item, source=source, sha256=sha256_of(original), relocation=in_binary(longer, edits))


def _cached(dist: str, path: str) -> Iterator[tuple[Source, int, str]]:
    """Yield a file of a package from each of conda's caches that has it, with its size and sha256."""
    for directory in package_caches():
        source = OnDisk(directory / dist / path)
        with contextlib.suppress(OSError), source.opened() as data:
            yield source, len(data), sha256_of(data)


def unrelocated(data: Searched, prefix: bytes, placeholder: bytes, file_mode: str) -> Iterator[Span]:
    """Yield the changes that replace the prefix by the placeholder again: the reverse of conda's when it linked."""
    if file_mode == "text":
        start = data.find(prefix)
        while start >= 0:
            yield Span(start, start + len(prefix), placeholder)
            start = data.find(prefix, start + len(prefix))
        return
    longer = len(placeholder) - len(prefix)
    for places, end, zeros in _strings(data, prefix):
        padding = longer * len(places)
        if 0 <= padding < zeros:
            yield from (Span(place, place + len(prefix), placeholder) for place in places)
            yield Span(end, end + padding, b"")


def _strings(data: Searched, prefix: bytes) -> Iterator[tuple[list[int], int, int]]:
    """Yield for each C string the places of the prefix in it, its end, and the number of NULs there."""
    start = data.find(prefix)
    while start >= 0:
        end = data.find(b"\0", start)
        if end < 0:
            return
        places = []
        while start >= 0:
            places.append(start)
            start = data.find(prefix, start + len(prefix), end)
        stop = end
        while zeros := NULS - len(data[stop : stop + NULS].ljust(NULS).lstrip(b"\0")):
            stop += zeros
        yield places, end, stop - end
        start = data.find(prefix, stop)
