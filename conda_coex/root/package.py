"""A conda package as plain values: its record, its files, its console scripts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")


@dataclass(frozen=True)
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
    fields: dict[str, Any]  # as conda writes them to conda-meta


@dataclass(frozen=True)
class EntryPoint:
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

    record: dict[str, Any]  # JSON fields of the PackageRecord, without credentials
    directory: Path
    noarch: str | None  # python or generic
    entry_points: tuple[EntryPoint, ...]
    paths: tuple[PackagePath, ...]
    site_packages: str | None  # of a python package that says so
    requested: str | None  # the spec that asked for it
    altered: bool = False  # its files are not, or not all, those of the package

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def linked(self) -> tuple[PackagePath, ...]:
        """The paths that become files and links of the prefix: conda makes directories as they are needed."""
        return tuple(path for path in self.paths if path.kind != "directory")

    @property
    def dist(self) -> str:
        return "-".join(str(self.record[key]) for key in ("name", "version", "build"))
