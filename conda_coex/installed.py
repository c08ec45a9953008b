"""Read a package from the prefix it is installed in, where conda's cache has it no more."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PackageDamaged
from .packages import Package, PackagePath, check_path
from .plan import Content, PackagePlan, compiled_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .plan import Link, Python

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
        raise PackageDamaged(f"the record of an installed package cannot be read: {error}", os.fsencode(path)) from error


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


def plan_installed(
    package: Package, record: dict[str, Any], python: Python | None, live: Mapping[str, Content | Link], names: tuple[str, ...]
) -> PackagePlan:
    """Return what of a package is in the prefix: `live` has its files by path relative to that.

    A file that is what its package recorded, once the prefix in it is the placeholder again, is the package's own.
    """
    paths, files = [], []
    for target, row in rows_of(record):
        if row.get("path_type") in OF_LINKING or target not in live:
            continue
        check_path(target, package.directory)
        item = live[target]
        if isinstance(item, Content):
            item = _pristine(item, row, names)
            if package.noarch == "python" and python and str(row["_path"]).startswith("site-packages/") and target.endswith(".py"):
                item = Content(**{**item.__dict__, "compiled": compiled_path(target, python.version)})
        files.append(item)
        paths.append(_path_row(target, row, item))
    return PackagePlan(Package(**{**package.__dict__, "paths": tuple(paths)}), tuple(files), ())


def _path_row(target: str, row: dict[str, Any], item: Content | Link) -> PackagePath:
    own = isinstance(item, Content) and item.package_path is not None
    kind = "hardlink" if isinstance(item, Content) else "softlink"
    sha256 = item.sha256 if isinstance(item, Content) and not (item.placeholder and not own) else None
    fields = {key: value for key, value in row.items() if key != "sha256_in_prefix"}
    size = item.size if isinstance(item, Content) else 0
    return PackagePath(target, kind, None, None, sha256, size, 0o644, 0, fields)


def _pristine(item: Content, row: dict[str, Any], names: tuple[str, ...]) -> Content:
    """Return a live file as its package had it, where that can be proved by its sha256."""
    known = row.get("sha256")
    if not known:
        return item
    if item.sha256 == known:
        return Content(**{**item.__dict__, "placeholder": None, "file_mode": None, "edits": None, "package_path": row["_path"]})
    placeholder, mode = row.get("prefix_placeholder"), row.get("file_mode")
    if not placeholder or not isinstance(item.source, Path) or row.get("sha256_in_prefix") not in (None, item.sha256):
        return item
    data = item.source.read_bytes()
    for name in names:
        original = unrelocate(data, name.encode(), placeholder.encode(), str(mode))
        if hashlib.sha256(original).hexdigest() == known:
            return Content(
                item.path, item.mode, item.mtime, original, len(original), known, placeholder, mode,
                package_path=row["_path"],
            )  # fmt: skip
    return item


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
