"""Read packages of conda's cache, and check all names and paths in them."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PackageDamaged, PackageRefused
from ..root.package import ConsoleScript, Package, PackagePath
from . import versions
from .paths_json import json_value, read_listing
from .public_urls import public_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conda.models.package_info import PackageMetadata
    from conda.models.records import PackageCacheRecord

    from ..inputs.conda_record import CondaRecord
    from ..root.package import PathRow

REFUSED_PARTS = {"", ".", ".."}  # of a path
SUSPECT = ("//", "/./", "/../", "/conda-meta/")  # in a path between two slashes that may be refused


def read_package(record: CondaRecord, entry: PackageCacheRecord, requested: str | None) -> Package:
    """Return the package of a record, read from its entry in conda's cache as `gateways/disk/read.py` does.

    Raises PackageDamaged if a listed file is missing, PackageRefused for a path that leaves the prefix.
    """
    from conda.gateways.disk.read import read_package_metadata

    directory = Path(entry.extracted_package_dir)
    try:
        metadata = read_package_metadata(str(directory))
        listing = read_listing(directory)
        site_packages = _site_packages(directory) if record.name == "python" else None
        noarch, scripts = _noarch(record, metadata, directory)
        fields = _record_fields(record, metadata, entry.url, requested)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:  # by metadata of other types
        raise PackageDamaged(f"the package cannot be read: {error}", os.fsencode(directory)) from error
    paths = _read_paths(directory, listing.rows)
    _check_directories(directory, paths)
    modes = _true_modes(entry.package_tarball_full_path, paths)
    return Package(
        record=fields,
        directory=directory,
        noarch=noarch,
        scripts=scripts,
        paths=tuple(paths if modes is None else [_with_mode(path, modes) for path in paths]),
        site_packages=site_packages,
        requested=requested,
        listing=listing.sha256,
    )


def _site_packages(directory: Path) -> str | None:
    """Return the directory for Python packages that a python package names; conda 24.7 drops it from its records."""
    index: object = json.loads((directory / "info/index.json").read_text("utf-8"))
    path = index.get("python_site_packages_path") if isinstance(index, dict) else None
    return None if path is None else str(path)


def _noarch(
    record: CondaRecord, metadata: PackageMetadata | None, directory: Path
) -> tuple[str | None, tuple[ConsoleScript, ...]]:
    """Return the kind of a noarch package, and its console scripts."""
    in_package = metadata.noarch if metadata is not None else None
    noarch = record.noarch or (in_package.type if in_package is not None else None)
    if noarch is None:
        return None, ()
    if json_value(noarch) != "python":
        return "generic", ()
    given = (in_package.entry_points if in_package is not None else None) or ()
    return "python", tuple(parse_script(text, directory) for text in given)


def parse_script(text: str, directory: Path) -> ConsoleScript:
    """Return the console script for `command = module:function`, as the installed conda reads it.

    A command is a file name, never a path (GHSA-q53q-5r4j-5729). If newer versions of conda refuse the text, it is read
    as by older ones, which write a script that does not run. Raises PackageRefused for a text that none can read.
    """
    from conda.common.path import parse_entry_point_def

    try:
        text.encode()
        command, module, function = _plain_script(text)
        if _is_file_name(command):
            with contextlib.suppress(ValueError):
                command, module, function = parse_entry_point_def(text)
    except ValueError as error:
        raise PackageRefused(f"the entry point {text!r} cannot be read", os.fsencode(directory)) from error
    if not _is_file_name(command):
        raise PackageRefused(f"the entry point {text!r} is not a file name", os.fsencode(directory))
    return ConsoleScript(command, module, function)


def _plain_script(text: str) -> tuple[str, str, str]:
    """Return command, module and function as `parse_entry_point_def` of conda 24.7 does, which checks nothing."""
    before, function = text.rsplit(":", 1)
    command, module = before.rsplit("=", 1)
    return command.strip(), module.strip(), function.strip()


def _is_file_name(command: str) -> bool:
    return bool(command) and command[0] != "." and not set(command) & set("/\\\0\n\r")


def check_path(path: str, directory: Path) -> str:
    """Return `path` if it stays below the prefix; raises PackageRefused."""
    parts = path.split("/")
    if not REFUSED_PARTS.isdisjoint(parts) or "\0" in path:
        raise PackageRefused(f"the package's path {path!r} leaves the environment", os.fsencode(directory))
    if parts[0] == "conda-meta" and path.endswith((".json", "/history")):
        raise PackageRefused(f"the package brings conda's own record {path!r}", os.fsencode(directory))
    if not _has_name(path):
        raise PackageRefused(f"no file can have the package's path {path!r}", os.fsencode(directory))
    return path


def _has_name(path: str) -> bool:
    """Return whether a path of JSON has bytes: half of a surrogate pair has none."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _read_paths(directory: Path, rows: Sequence[PathRow]) -> list[PackagePath]:
    """Return the values of the rows of a package, some ten thousand in all packages of an environment."""
    _check_paths([fields["_path"] for fields in rows], directory)
    base = f"{directory}/"
    paths = []
    for fields in rows:
        path, kind = fields["_path"], fields["path_type"]
        try:
            state = os.lstat(base + path)
        except (OSError, ValueError) as error:
            raise PackageDamaged("missing from the package", os.fsencode(base + path)) from error
        mode, time = stat.S_IMODE(state.st_mode) & ~0o022, state.st_mtime_ns
        if kind == "directory" or stat.S_ISLNK(state.st_mode):
            kind = kind if kind == "directory" else "softlink"
            paths.append(PackagePath(path, kind, None, fields.get("file_mode"), None, 0, mode, time, fields))
            continue
        if not stat.S_ISREG(state.st_mode):
            raise PackageRefused(f"{path} is not a file, a directory or a link", os.fsencode(directory))
        size, recorded = state.st_size, fields.get("size_in_bytes")
        if recorded is not None and recorded != size:
            what = f"has {size} bytes, its record says {recorded}"
            raise PackageDamaged(what, os.fsencode(base + path))
        placeholder, file_mode = fields.get("prefix_placeholder") or None, fields.get("file_mode")
        sha256 = fields.get("sha256")
        paths.append(PackagePath(path, "hardlink", placeholder, file_mode, sha256, size, mode, time, fields))
    return paths


def _check_paths(paths: Sequence[str], directory: Path) -> None:
    """Check all paths of a package, by `check_path` only if one of them looks as if that could refuse it."""
    text = "\0/" + "/\0/".join(paths) + "/"
    if text.count("\0") != len(paths) or any(part in text for part in SUSPECT) or not _has_name(text):
        for path in paths:
            check_path(path, directory)


def _check_directories(directory: Path, paths: Iterable[PackagePath]) -> None:
    """Refuse a file that is behind a link to a directory outside of its package: it is the builder's."""
    ancestors: set[str] = set()
    for parent in {path.path.rpartition("/")[0] for path in paths}:
        while parent and parent not in ancestors:
            ancestors.add(parent)
            parent = parent.rpartition("/")[0]
    base = f"{directory}/"
    for ancestor in sorted(ancestors):
        is_link = os.path.islink(base + ancestor)  # noqa: PTH114 - some thousand of them
        if is_link and not (directory / ancestor).resolve().is_relative_to(directory.resolve()):
            what = f"{ancestor} leads out of the package, and a file lies behind it"
            raise PackageRefused(what, os.fsencode(directory))


def _true_modes(tarball: str | None, paths: Iterable[PackagePath]) -> dict[str, int] | None:
    """Return the modes of the package file if the package was extracted with a stricter umask than 022; else None.

    Such an umask removed permissions, which only the package file still has. Without that file, group and others get
    the permissions of the owner to read and execute.
    """
    files = [path for path in paths if path.kind == "hardlink"]
    if not files or any(path.mode & 0o004 for path in files):
        return None
    if tarball and Path(tarball).is_file():
        from conda_package_streaming.package_streaming import stream_conda_component

        return {member.name: member.mode & 0o7755 for _, member in stream_conda_component(tarball)}
    return {path.path: path.mode | (path.mode & 0o500) >> 3 | (path.mode & 0o500) >> 6 for path in files}


def _with_mode(path: PackagePath, modes: dict[str, int] | None) -> PackagePath:
    if modes is None or path.path not in modes:
        return path
    return replace(path, mode=modes[path.path])


def _record_fields(
    record: CondaRecord, metadata: PackageMetadata | None, url: str, requested: str | None
) -> dict[str, object]:
    """Return the fields that conda writes to `conda-meta` for this record, with public URLs."""
    from conda.models.records import PrefixRecord

    merged = PrefixRecord.from_objects(record, metadata, url=url, **versions.requested(requested))
    fields: dict[str, object] = json.loads(_to_json(merged.dump()))
    return public_record(fields)


def _to_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, default=lambda value: json_value(value) if hasattr(value, "value") else value.dump())
