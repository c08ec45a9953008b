"""A conda package as plain values: its record, its files, its console scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")


class _NamedRow(TypedDict):
    _path: str


class PathRow(_NamedRow, total=False):
    """A row of `info/paths.json`, or of `paths_data` in an installed package's record (conda's `PathDataV1`)."""

    path_type: str
    prefix_placeholder: str | None
    file_mode: str | None
    sha256: str | None
    sha256_in_prefix: str | None
    size_in_bytes: int | None
    no_link: bool | None
    inode_paths: list[str] | None


def without_nulls(row: PathRow) -> PathRow:
    """Return the row without the fields whose value is null, which mean the same as missing ones."""
    return cast("PathRow", {name: value for name, value in row.items() if value is not None})


@dataclass(slots=True)  # not frozen, as Content
class PackagePath:
    """One row of a package's paths.json; `mode` is the permission bits that an umask of 022 leaves."""

    path: str
    kind: str  # hardlink, softlink or directory
    placeholder: str | None
    file_mode: str | None  # text or binary
    sha256: str | None
    size: int
    mode: int
    mtime_ns: int
    fields: PathRow  # as conda writes it to conda-meta


@dataclass(frozen=True)
class ConsoleScript:
    """A console script of a noarch python package: `command = module:function`."""

    command: str
    module: str
    function: str

    @property
    def names_function(self) -> bool:
        """Return whether Python can read the script that conda makes of it."""
        return bool(DOTTED.match(self.module) and DOTTED.match(self.function))


@dataclass(frozen=True)
class Package:
    """A package as it lies extracted in conda's cache, with the record it was installed by."""

    record: Mapping[str, object]  # JSON fields of the PackageRecord, without credentials
    directory: Path
    noarch: str | None  # python or generic
    scripts: tuple[ConsoleScript, ...]
    paths: tuple[PackagePath, ...]
    site_packages: str | None  # of a python package that says so
    requested: str | None  # the spec that asked for it
    altered: bool = False  # its files are not, or not all, those of the package
    listing: str | None = None  # the sha256 of the list from which all of `paths` were read

    @property
    def name(self) -> str:
        """The name of the package."""
        return str(self.record["name"])

    @property
    def version(self) -> str:
        """The version, as text."""
        return str(self.record["version"])

    @property
    def depends(self) -> tuple[str, ...]:
        """The specs of the packages that it needs."""
        depends = self.record.get("depends")
        return tuple(map(str, depends)) if isinstance(depends, (list, tuple)) else ()

    @property
    def timestamp(self) -> int:
        """When it was built, in milliseconds since 1970, by old packages in seconds; 0 if it does not say."""
        try:
            return int(float(str(self.record.get("timestamp") or 0)))
        except (ValueError, OverflowError):  # anyone may have written it
            return 0

    @property
    def linked(self) -> tuple[PackagePath, ...]:
        """The paths that become files and links of the prefix: conda makes directories as they are needed."""
        return tuple(path for path in self.paths if path.kind != "directory")

    @property
    def dist(self) -> str:
        """`name-version-build`, by which conda names its record."""
        return "-".join(str(self.record[key]) for key in ("name", "version", "build"))
