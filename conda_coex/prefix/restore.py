"""Take files of packages that a live prefix lacks from conda's package cache, each proved to be its package's."""

from __future__ import annotations

import hashlib
import json
import stat
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..conda_api.packages import check_path, parse_entry_point
from ..root.content import Content
from ..root.link_rules import plan_package
from ..root.package import PackagePath
from ..root.source import digest

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator, Mapping, Sequence

    from ..root.content import Link
    from ..root.link_rules import Python
    from ..root.package import Package

SCRIPT = "unix_python_entry_point"
SUFFIXES = (".conda", ".tar.bz2")


@dataclass(frozen=True)
class Place:
    """An extracted package; `proved` where it is known to be that of the record, not only to have its name."""

    directory: Path
    proved: bool


def restore(
    package: Package,
    record: Mapping[str, Any],
    rows: Mapping[str, dict[str, Any]],
    python: Python | None,
    date: int,
    scratch: contextlib.ExitStack,
) -> dict[str, Content | Link]:
    """Return what could be had of `rows` of a record, by target path: as conda would link it.

    Extracted packages come first, then package files, which are extracted in `scratch`. A file counts where its
    sha256 is that of the record; links, console scripts, and files of records that have no sha256, where the whole
    package is known to be the one that was installed.
    """
    found: dict[str, Content | Link] = {}
    for place in _places(package.dist, record, scratch):
        for target, row in rows.items():
            if target not in found:
                item = _take(place, target, row, package, python, date)
                if item is not None:
                    found[target] = replace(item, path=f"prefix/{target}")
        if len(found) == len(rows):
            break
    return found


def _places(dist: str, record: Mapping[str, Any], scratch: contextlib.ExitStack) -> Iterator[Place]:
    from conda.base.context import context

    caches = list(context.pkgs_dirs)
    extracted = [record.get("extracted_package_dir"), *(f"{cache}/{dist}" for cache in caches)]
    for name in dict.fromkeys(filter(None, extracted)):
        if Path(name, "info").is_dir():
            yield Place(Path(name), _fits(_recorded(Path(name)), record) is True)
    files = [record.get("package_tarball_full_path")]
    files += [f"{cache}/{dist}{suffix}" for cache in caches for suffix in SUFFIXES]
    for name in dict.fromkeys(filter(None, files)):
        if Path(name).is_file():
            fits = _fits(_sums(Path(name)), record)
            directory = _extracted(name, scratch) if fits is not False else None
            if directory is not None:
                yield Place(directory, fits is True)


def _recorded(directory: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((directory / "info/repodata_record.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sums(file: Path) -> Mapping[str, Any]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            sha256.update(block)
            md5.update(block)
    return {"sha256": sha256.hexdigest(), "md5": md5.hexdigest()}


def _fits(sums: Mapping[str, Any], record: Mapping[str, Any]) -> bool | None:
    """Return whether the sums are those of a record; None where there is nothing to compare."""
    for kind in ("sha256", "md5"):
        if sums.get(kind) and record.get(kind):
            return str(sums[kind]) == str(record[kind])
    return None


def _extracted(file: str, scratch: contextlib.ExitStack) -> Path | None:
    from conda_package_streaming.exceptions import SafetyError
    from conda_package_streaming.extract import extract

    directory = scratch.enter_context(tempfile.TemporaryDirectory(prefix="coex-restore-"))
    try:
        extract(file, directory)
    except (OSError, EOFError, SafetyError, tarfile.TarError, zipfile.BadZipFile):
        return None
    return Path(directory)


def _take(
    place: Place, target: str, row: dict[str, Any], package: Package, python: Python | None, date: int
) -> Content | Link | None:
    if row.get("path_type") == SCRIPT:
        return _script(place, target, package, python, date) if place.proved else None
    name = check_path(str(row["_path"]), place.directory)
    path = _read(place, name, row)
    if path is None and package.noarch == "python" and name.startswith("bin/"):  # by mamba or rattler
        path = _read(place, f"python-scripts/{name.removeprefix('bin/')}", row)
    if path is None:
        return None
    planned = replace(package, directory=place.directory, paths=(path,), entry_points=())
    (item,) = plan_package(planned, python, date).files
    if isinstance(item, Content) and not row.get("sha256"):
        return replace(item, key=None)  # it cannot be checked again when it is packed
    return item


def _read(place: Place, name: str, row: dict[str, Any]) -> PackagePath | None:
    """Return a file or link of a package as plain values, None where it is not there, or not proved."""
    file = place.directory / name
    try:
        state = file.lstat()
        if not file.parent.resolve().is_relative_to(place.directory.resolve()):
            return None
        is_file = stat.S_ISREG(state.st_mode)
        known = row.get("sha256") if is_file else None
        sha256 = digest(file.read_bytes()) if is_file else None
    except OSError:
        return None
    if not (is_file or stat.S_ISLNK(state.st_mode)) or (sha256 != known if known else not place.proved):
        return None
    return PackagePath(
        name, "hardlink" if is_file else "softlink", row.get("prefix_placeholder") or None if is_file else None,
        row.get("file_mode"), sha256, state.st_size if is_file else 0, stat.S_IMODE(state.st_mode) & ~0o022,
        state.st_mtime_ns, row,
    )  # fmt: skip


def _script(place: Place, target: str, package: Package, python: Python | None, date: int) -> Content | None:
    """Return a console script as conda writes it."""
    try:
        link = json.loads((place.directory / "info/link.json").read_text("utf-8"))
        given: Sequence[str] = link["noarch"]["entry_points"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    points = [parse_entry_point(text, place.directory) for text in given]
    mine = tuple(point for point in points if f"bin/{point.command}" == target)
    scripts = plan_package(replace(package, paths=(), entry_points=mine), python, date).entry_points
    return next(iter(scripts), None)
