"""Install wheels into the prefix of another platform, and remove distributions from it, as pip does."""

from __future__ import annotations

import csv
import io
import os
import posixpath
import re
import warnings
from dataclasses import dataclass, field
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, BinaryIO
from zipfile import BadZipFile

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile
from packaging.utils import canonicalize_name

from ..errors import PipFailed
from ..root.link_rules import compiled_path, target_path
from .chosen import REMEDY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from installer.records import RecordEntry
    from installer.utils import Scheme

    from ..root.link_rules import Python
    from ..root.package import Package
    from .chosen import Chosen

METADATA = re.compile(r"[^/]+\.(dist-info|egg-info)(/.+)?\Z")


@dataclass
class TargetPrefix:
    """A prefix with the metadata of Python packages, but without the files of conda's packages; pip's are added."""

    path: Path
    python: Python
    removed: set[str] = field(default_factory=set)  # files of conda packages that pip would remove, in the prefix

    @property
    def site_packages(self) -> Path:
        """The directory of Python packages in the prefix."""
        return self.path / self.python.site_packages

    def lay_out_metadata(self, packages: Sequence[Package]) -> None:
        """Copy the metadata by which pip knows the Python packages of conda."""
        below = f"{self.python.site_packages}/"
        for package in packages:
            for path in package.linked:
                target = target_path(path.path, package, self.python)
                if target.startswith(below) and METADATA.match(target.removeprefix(below)):
                    place = self.path / target
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes((package.directory / path.path).read_bytes())
        self.site_packages.mkdir(parents=True, exist_ok=True)

    def install(self, wheel: Path, item: Chosen) -> None:
        """Install a wheel as pip does: the same schemes, the same files in `.dist-info`."""
        try:
            with WheelFile.open(wheel) as source, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # .pyc of wheels are left out: the sources are compiled anyway
                install(source, self._destination(source.distribution), item.metadata())
        except (InstallerError, BadZipFile, ValueError, KeyError, FileExistsError, NotADirectoryError) as error:
            raise PipFailed(f"{wheel.name} cannot be installed: {error}") from error

    def uninstall(self, name: str) -> None:
        """Remove an installed distribution: the files here, and those of a conda package by its RECORD."""
        for directory in sorted(self.site_packages.glob("*-info")):
            distribution = Distribution.at(directory)
            if canonicalize_name(distribution.metadata["Name"] or "") == name:
                self._remove(name, directory)

    def _destination(self, distribution: str) -> SchemeDictionaryDestination:
        """Return the places of the files of a wheel, which it cannot leave."""
        scheme = {
            "purelib": self.site_packages, "platlib": self.site_packages, "scripts": self.path / "bin",
            "headers": self.path / f"include/python{self.python.version}" / distribution, "data": self.path,
        }  # fmt: skip
        places = {name: str(path) for name, path in scheme.items()}
        return Inside(places, f"{self.path}/bin/python", "posix", overwrite_existing=True)

    def _remove(self, name: str, metadata: Path) -> None:
        """Remove the files in a list; like pip, leave those that are outside of the prefix."""
        listed = listed_files(metadata)
        if listed is None:
            what = f"pip would replace {name}, whose package of conda has no list of its files"
            raise PipFailed(f"{what}; {REMEDY}")
        for file in listed:
            path = os.path.relpath(self.site_packages / file, self.path)
            if path.split("/")[0] in (os.curdir, os.pardir):
                continue
            if (self.path / path).is_file():
                (self.path / path).unlink()
            self.removed.add(path)
            if path.endswith(".py"):
                self.removed.add(compiled_path(path, self.python.version))


class Inside(SchemeDictionaryDestination):
    """Places of files that a wheel cannot leave, with versions of `installer` that do not look, too."""

    def write_to_fs(self, scheme: Scheme, path: str, stream: BinaryIO, is_executable: bool) -> RecordEntry:
        """Write a file; raises ValueError if its path leads out of its place."""
        if posixpath.isabs(path) or posixpath.normpath(path).split("/")[0] == posixpath.pardir:
            raise ValueError(f"it has a file {path!r}, which leads out of the environment")
        return super().write_to_fs(scheme, path, stream, is_executable)


def listed_files(metadata: Path) -> list[str] | None:
    """Return the paths of a distribution's files, relative to site-packages, from its metadata; None without a list.

    `importlib.metadata` leaves out files that do not exist, since Python 3.12.
    """
    if (metadata / "RECORD").is_file():
        text = (metadata / "RECORD").read_text("utf-8", "surrogateescape")
        try:
            return [row[0] for row in csv.reader(io.StringIO(text, newline="")) if row]
        except csv.Error:
            return None
    if (metadata / "installed-files.txt").is_file():  # of setuptools, relative to itself
        lines = (metadata / "installed-files.txt").read_text("utf-8", "surrogateescape").splitlines()
        return [posixpath.join(metadata.name, line) for line in lines if line]
    return None
