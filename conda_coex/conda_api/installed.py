"""Read what conda recorded of a package in the prefix that it is installed in, and what of it is not there."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..errors import PackageDamaged
from ..root.package import Package
from .public_urls import public_record

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from ..root.content import Content, Link

OF_LINKING = ("pyc_file", "unix_python_entry_point")  # rows of a record that are no files of the package
NO_FILE = ("pyc_file", "directory")  # rows that a prefix may lack
IN_SITE_PACKAGES = re.compile(r"lib/python[^/]+/(site-packages/.*)")
UNKNOWN = "<unknown>"  # conda's name of the channel of a package that has neither channel nor URL
UNSAID = ("paths_data", "files", "link", "extracted_package_dir", "package_tarball_full_path")


def read_records(prefix: Path) -> dict[str, dict[str, Any]]:
    """Return the records of installed packages by dist, as they were written; raises PackageDamaged.

    Files whose name begins with a dot, or is not that of a package, are not records, as for conda.
    """
    found = {}
    for path in sorted(prefix.glob("conda-meta/[!.]*.json")):
        named = path.stem.rsplit("-", 2)
        if len(named) == 3 and path.is_file():
            fields = _read_record(path)
            if named == [fields["name"], fields["version"], fields["build"]]:
                found[path.stem] = fields
    return found


def _read_record(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text("utf-8"))
        if isinstance(fields, dict) and all(isinstance(fields.get(key), str) for key in ("name", "version", "build")):
            return fields
        raise ValueError("it is no record")
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> PackageDamaged:
    """Return the error that says why a record cannot be read."""
    what = f"the record of an installed package cannot be read: {error}"
    return PackageDamaged(what, os.fsencode(path), "reinstall the package")


def rows_of(record: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the target path and the fields of every row of a record; records of old have target paths alone.

    Some have both, and neither is whole. mamba and rattler write target paths for noarch packages, where conda has
    those of the package: these are returned.
    """
    files = record.get("files") or ()
    paths = (record.get("paths_data") or {}).get("paths") or ()
    targets = {_tail(path): path for path in files}
    rows = [(targets.get(_tail(str(row["_path"])), str(row["_path"])), row) for row in paths if row.get("_path")]
    known = {target for target, _ in rows}
    is_python = record.get("noarch") == "python"
    for path in files:
        if path not in known:
            made = {"path_type": "pyc_file"} if is_python and paths and path.endswith(".pyc") else {}
            rows.append((path, {"_path": path, **made}))
    if not is_python:
        return rows
    return [
        (target, {**row, "_path": _tail(target)} if IN_SITE_PACKAGES.match(str(row["_path"])) else row)
        for target, row in rows
    ]


def _tail(path: str) -> str:
    """Return what the path of a noarch package's file and its target have in common."""
    for start in ("site-packages/", "python-scripts/"):
        if path.startswith(start):
            return start + path[len(start) :]
    found = IN_SITE_PACKAGES.match(path)
    return found[1] if found else re.sub(r"\Abin/", "python-scripts/", path)


def installed_package(prefix: Path, record: dict[str, Any], requested: str | None) -> Package:
    """Return a package without its paths, read from its record in the prefix."""
    from conda.models.channel import Channel

    fields = {name: value for name, value in record.items() if name not in UNSAID and value is not None}
    fields.setdefault("build_number", 0)
    fields.setdefault("channel", str(Channel(fields["url"])) if fields.get("url") else UNKNOWN)
    fields = public_record(fields)
    noarch = record.get("noarch")
    kind = None if noarch is None else "python" if noarch == "python" else "generic"
    return Package(fields, prefix, kind, (), (), record.get("python_site_packages_path"), requested)


def lacking(record: Mapping[str, Any], live: Container[str], prefix: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a record that are not in the prefix, by target path; .pyc files that conda made apart."""
    rows = ((path, row) for path, row in rows_of(record) if row.get("path_type") not in NO_FILE)
    return {path: row for path, row in rows if path not in live and is_missing(path, live, prefix)}


def is_missing(path: str, live: Container[str], prefix: Path) -> bool:
    """Return whether nothing stands at a path of the prefix, nor a file of another package where it has directories."""
    parents = (str(parent) for parent in PurePosixPath(path).parents)
    return not os.path.exists(prefix / path) and not any(parent in live for parent in parents)  # noqa: PTH110


def behind_links(
    paths: Iterable[str], live: Mapping[str, Content | Link], prefix: Path
) -> dict[str, tuple[str, Content | Link]]:
    """Return where files are, and what they are, that packages have put into a directory through a link to it."""
    found = {}
    top = os.path.realpath(prefix)
    for path in paths:
        parent, _, name = path.rpartition("/")
        if path not in live and any(str(above) in live for above in PurePosixPath(path).parents):
            real = os.path.relpath(os.path.realpath(f"{top}/{parent}"), top)
            item = live.get(f"{real}/{name}")
            if item is not None:
                found[path] = f"{real}/{name}", replace(item, path=f"prefix/{path}")
    return found
