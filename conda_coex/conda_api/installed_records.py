"""Read the records of installed packages, `conda-meta/*.json`, and find recorded files that are missing."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from packaging.utils import canonicalize_name

from ..errors import PackageDamaged
from ..root.package import Package
from .paths_json import checked_row
from .public_urls import public_record

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from ..root.content import Content, Link
    from ..root.package import PathRow

MADE_BY_CONDA = ("pyc_file", "unix_python_entry_point")  # path types of files that are not in the package
OPTIONAL = ("pyc_file", "directory")  # path types whose paths a prefix may lack
METADATA = ("*.dist-info", "*.egg-info", "*.egg/EGG-INFO")  # directories of distributions, or a file
DESCRIBED = ("METADATA", "PKG-INFO")  # the file in such a directory that has the name
IN_SITE_PACKAGES = re.compile(r"lib/python[^/]+/(site-packages/.*)")
# Fields of a record about the builder's machine and its files: an archive writes its own.
NOT_ARCHIVED = ("paths_data", "files", "link", "extracted_package_dir", "package_tarball_full_path")


@dataclass(frozen=True)
class InstalledRecord:
    """The record of an installed package: its JSON as it was written, and the rows of its files."""

    fields: Mapping[str, object]
    rows: tuple[tuple[str, PathRow], ...]  # path in the prefix, row

    def text(self, name: str) -> str | None:
        """Return the value of a field; None if it is missing, empty or not a text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) and value else None


def read_records(prefix: Path) -> dict[str, InstalledRecord]:
    """Return the records of installed packages by dist; raises PackageDamaged.

    As conda does, pass over files whose name begins with a dot, or differs from the package that they describe.
    """
    records = {}
    for path in sorted(prefix.glob("conda-meta/[!.]*.json")):
        name_version_build = path.stem.rsplit("-", 2)
        if len(name_version_build) == 3 and path.is_file():
            try:
                fields = _read_fields(path)
                if name_version_build == [fields[key] for key in ("name", "version", "build")]:
                    records[path.stem] = record_of(fields)
            except (OSError, ValueError) as error:
                raise damaged(path, error) from error
    return records


def _read_fields(path: Path) -> dict[str, object]:
    fields: object = json.loads(path.read_text("utf-8"))
    if isinstance(fields, dict) and all(isinstance(fields.get(key), str) for key in ("name", "version", "build")):
        return fields
    raise ValueError("it is not a record")


def other_distributions(prefix: Path, records: Iterable[InstalledRecord]) -> list[str]:
    """Return name and version of the Python distributions in a prefix that no package of conda has.

    That of `setup.py develop` is in the directory that its `.egg-link` names.
    """
    owned = {path for record in records for path, _ in record.rows}
    distributions = set()
    for metadata in _metadata_in(prefix):
        files = {str(path.relative_to(prefix)) for path in (metadata, *(metadata / name for name in DESCRIBED))
                 if path.is_relative_to(prefix)}  # fmt: skip
        distribution = Distribution.at(metadata)
        name = distribution.metadata["Name"]
        if name and owned.isdisjoint(files):
            distributions.add(f"{canonicalize_name(name)} {distribution.version}")
    return sorted(distributions)


def _metadata_in(prefix: Path) -> Iterator[Path]:
    for directory in sorted(prefix.glob("lib/python*/site-packages")):
        links = [file.read_text("utf-8", "replace") for file in sorted(directory.glob("*.egg-link"))]
        for place in (directory, *(Path(link.partition("\n")[0]) for link in links)):
            yield from (path for pattern in METADATA for path in sorted(place.glob(pattern)))


def damaged(path: Path, error: Exception) -> PackageDamaged:
    """Return the error for a record that cannot be read."""
    what = f"the record of an installed package cannot be read: {error}"
    return PackageDamaged(what, os.fsencode(path), "reinstall the package")


def record_of(fields: Mapping[str, object]) -> InstalledRecord:
    """Return the record with these JSON fields; raises ValueError for a wrong list of files."""
    return InstalledRecord(fields, tuple(_rows(fields)))


def _rows(fields: Mapping[str, object]) -> list[tuple[str, PathRow]]:
    """Return the rows of a record with their paths in the prefix.

    Old records have only `files`, which are such paths. Newer ones have `paths_data`, too, and either list may lack
    files of the other. For noarch packages, mamba and rattler write paths of the prefix to `paths_data`; conda writes
    paths of the package there, and so do the rows that are returned.
    """
    files = _listed(fields.get("files"))
    data = fields.get("paths_data") or {}
    paths = _listed(data.get("paths") if isinstance(data, dict) else None)
    if not all(isinstance(path, str) for path in files):
        raise ValueError("its files are not a list of texts")
    targets = {_common_part(path): path for path in cast("Sequence[str]", files)}
    checked = [checked_row(row) for row in paths if not isinstance(row, dict) or row.get("_path")]
    rows = [(targets.get(_common_part(row["_path"]), row["_path"]), row) for row in checked]
    with_row = {target for target, _ in rows}
    is_python = fields.get("noarch") == "python"
    for path in cast("Sequence[str]", files):
        if path not in with_row:
            row: PathRow = {"_path": path}
            if is_python and paths and path.endswith(".pyc"):
                row["path_type"] = "pyc_file"
            rows.append((path, row))
    return [(target, _as_conda_writes(row, target)) for target, row in rows] if is_python else rows


def _listed(value: object) -> Sequence[object]:
    """Return the items of a list of JSON; null is an empty one. Raises ValueError for anything else."""
    if not isinstance(value or [], list):
        raise ValueError(f"there is no list of files, but {value!r}")
    return cast("list[object]", value or [])


def _as_conda_writes(row: PathRow, target: str) -> PathRow:
    """Return the row of a noarch Python package with the path in the package."""
    if not IN_SITE_PACKAGES.match(row["_path"]):
        return row
    changed = row.copy()
    changed["_path"] = _common_part(target)
    return changed


def _common_part(path: str) -> str:
    """Return the part that the path of a noarch package's file and its path in the prefix have in common."""
    if path.startswith(("site-packages/", "python-scripts/")):
        return path
    match = IN_SITE_PACKAGES.match(path)
    return match[1] if match else re.sub(r"\Abin/", "python-scripts/", path)


def installed_package(prefix: Path, record: InstalledRecord) -> Package:
    """Return an installed package without its paths."""
    from conda.base.constants import UNKNOWN_CHANNEL
    from conda.models.channel import Channel

    fields = {name: value for name, value in record.fields.items() if name not in NOT_ARCHIVED and value is not None}
    fields.setdefault("build_number", 0)
    fields.setdefault("channel", str(Channel(fields["url"])) if fields.get("url") else UNKNOWN_CHANNEL)
    fields = public_record(fields)
    noarch = record.fields.get("noarch")
    kind = None if noarch is None else "python" if noarch == "python" else "generic"
    site_packages, requested = record.text("python_site_packages_path"), record.text("requested_spec")
    return Package(fields, prefix, kind, (), (), site_packages, requested)


def missing_rows(record: InstalledRecord, live: Container[str], prefix: Path) -> dict[str, PathRow]:
    """Return the rows whose files are missing in the prefix, by path there; not those of .pyc files that conda made."""
    rows = ((path, row) for path, row in record.rows if row.get("path_type") not in OPTIONAL)
    return {path: row for path, row in rows if path not in live and is_missing(path, live, prefix)}


def is_missing(path: str, live: Container[str], prefix: Path) -> bool:
    """Return whether the prefix has nothing at a path, and no file of another package at one of its directories."""
    parents = (str(parent) for parent in PurePosixPath(path).parents)
    return not os.path.exists(prefix / path) and not any(parent in live for parent in parents)  # noqa: PTH110


def behind_links(
    paths: Iterable[str], live: Mapping[str, Content | Link], prefix: Path
) -> dict[str, tuple[str, Content | Link]]:
    """Return the files of packages whose path leads through a link to a directory of the prefix.

    By their path, these are the real path and the file.
    """
    files = {}
    top = os.path.realpath(prefix)
    for path in paths:
        parent, _, name = path.rpartition("/")
        if path not in live and any(str(above) in live for above in PurePosixPath(path).parents):
            real = os.path.relpath(os.path.realpath(f"{top}/{parent}"), top)
            item = live.get(f"{real}/{name}")
            if item is not None:
                files[path] = f"{real}/{name}", replace(item, path=f"prefix/{path}")
    return files
