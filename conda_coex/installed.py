"""Read a package from the prefix it is installed in, where conda's cache has it no more."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PackageDamaged
from .live_file import digest
from .packages import Package, PackagePath, check_path
from .plan import NOARCH_SOURCE, Content, Link, PackagePlan, compiled_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .plan import Python

    Names = tuple[str, ...]  # by which files name the prefix

OF_LINKING = ("pyc_file", "unix_python_entry_point")  # rows of a record that are no files of the package
UNSAID = ("paths_data", "files", "link", "extracted_package_dir", "package_tarball_full_path")


def read_record(prefix: Path, dist: str) -> dict[str, Any]:
    """Return the record of an installed package, as conda wrote it; raises PackageDamaged."""
    path = prefix / "conda-meta" / f"{dist}.json"
    try:
        fields = json.loads(path.read_text("utf-8"))
        if isinstance(fields, dict):
            return fields
        raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        what = f"the record of an installed package cannot be read: {error}"
        raise PackageDamaged(what, os.fsencode(path), "reinstall the package") from error


def rows_of(record: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the target path and the fields of every row of a record; records of old have target paths alone."""
    paths = (record.get("paths_data") or {}).get("paths") or [{"_path": path} for path in record.get("files", ())]
    targets = {_tail(path): path for path in record.get("files", ())}
    return [(targets.get(_tail(str(row["_path"])), str(row["_path"])), row) for row in paths if row.get("_path")]


def _tail(path: str) -> str:
    """Return what the path of a noarch package's file and its target have in common."""
    for start in ("site-packages/", "python-scripts/"):
        if path.startswith(start):
            return start + path[len(start) :]
    found = re.match(r"lib/python[^/]+/(site-packages/.*)", path)
    return found[1] if found else re.sub(r"\Abin/", "python-scripts/", path)


def installed_package(prefix: Path, record: dict[str, Any], requested: str | None) -> Package:
    """Return a package without its paths, read from its record in the prefix."""
    from conda.common.url import mask_anaconda_token, remove_auth

    fields = {name: value for name, value in record.items() if name not in UNSAID}
    for key in ("url", "channel"):
        if fields.get(key):
            fields[key] = remove_auth(mask_anaconda_token(fields[key]))
    noarch = record.get("noarch")
    kind = None if noarch is None else "python" if noarch == "python" else "generic"
    return Package(fields, prefix, kind, (), (), record.get("python_site_packages_path"), requested)


@dataclass(frozen=True)
class Drift:
    """How a package in a prefix differs from what its record says: paths relative to the prefix."""

    dist: str
    modified: tuple[str, ...]
    missing: tuple[str, ...]


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
    for target, row in rows_of(record):
        check_path(target, package.directory)
        item = live.get(target)
        if row.get("path_type") in OF_LINKING:
            if isinstance(item, Content) and not target.endswith(".pyc"):
                scripts.append(item)
            continue
        if item is None:
            if not target.endswith(".pyc"):
                missing.append(target)
            continue
        item = _own(item, target, row, package, python, names)
        foreign = isinstance(item, Content) and item.package_path is None and row.get("sha256")
        if foreign and digest((package.directory / target).read_bytes()) != row.get("sha256_in_prefix"):
            modified.append(target)
        files.append(item)
        paths.append(_path_row(target, row, item))
    count = sum(row.get("path_type") not in OF_LINKING for _, row in rows_of(record))
    own = all(isinstance(item, Link) or item.package_path is not None for item in files)
    altered = not own or len(files) != count
    planned = Package(**{**package.__dict__, "paths": tuple(paths), "altered": altered})
    return PackagePlan(planned, tuple(files), tuple(scripts)), Drift(package.dist, tuple(modified), tuple(missing))


def _own(
    item: Content | Link, target: str, row: dict[str, Any], package: Package, python: Python | None, names: Names
) -> Content | Link:
    if isinstance(item, Link):
        return item
    item = _pristine(item, package, target, row, names)
    if package.noarch == "python" and python is not None and NOARCH_SOURCE.match(str(row["_path"])):
        return replace(item, compiled=compiled_path(target, python.version))
    return item


def _path_row(target: str, row: dict[str, Any], item: Content | Link) -> PackagePath:
    own = isinstance(item, Content) and item.package_path is not None
    kind = "hardlink" if isinstance(item, Content) else "softlink"
    sha256 = item.sha256 if isinstance(item, Content) and not (item.placeholder and not own) else None
    fields = {key: value for key, value in row.items() if key != "sha256_in_prefix"}
    size = item.size if isinstance(item, Content) else 0
    return PackagePath(target, kind, None, None, sha256, size, 0o644, 0, fields)


def _pristine(item: Content, package: Package, target: str, row: dict[str, Any], names: Names) -> Content:
    """Return a live file as its package had it, where that can be proved by its sha256."""
    known, placeholder = row.get("sha256"), row.get("prefix_placeholder")
    if not known:
        return item
    if item.sha256 == known:
        return replace(item, placeholder=None, file_mode=None, edits=None, package_path=row["_path"])
    if not placeholder:
        return item
    mode = str(row.get("file_mode") or "text")
    data = (package.directory / target).read_bytes()
    originals = [unrelocate(data, name.encode(), placeholder.encode(), mode) for name in names]
    if row.get("sha256_in_prefix") == digest(data):  # the cache has what could not be reversed, as a long #! line
        originals += _cached(package.dist, str(row["_path"]))
    for original in originals:
        if digest(original) == known:
            return Content(
                item.path, item.mode, item.mtime, original, len(original), known, placeholder, mode,
                package_path=row["_path"],
            )  # fmt: skip
    return item


def _cached(dist: str, path: str) -> Iterator[bytes]:
    """Yield what conda's caches have as a file of a package."""
    from conda.base.context import context

    for directory in context.pkgs_dirs:
        with contextlib.suppress(OSError):
            yield Path(directory, dist, path).read_bytes()


def unrelocate(data: bytes, prefix: bytes, placeholder: bytes, file_mode: str) -> bytes:
    """Return a file with the placeholder where it has the prefix: the reverse of what conda did when it linked it."""
    if file_mode == "text":
        return data.replace(prefix, placeholder)
    longer = len(placeholder) - len(prefix)

    def restore(found: re.Match[bytes]) -> bytes:
        string, zeros = found.groups()
        padding = longer * string.count(prefix)
        if not 0 <= padding < len(zeros):
            return found.group()
        return string.replace(prefix, placeholder) + zeros[padding:]

    return re.sub(rb"(" + re.escape(prefix) + rb"[^\0]*)(\0+)", restore, data)
