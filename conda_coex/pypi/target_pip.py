"""Have an environment's pip choose wheels for another platform, and install them into a directory.

The pip is run by the Python of this process: it is plain Python, and the environment's Python does not run here.
"""

from __future__ import annotations

import csv
import io
import json
import os
import posixpath
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from zipfile import BadZipFile

from coex_bootstrap.base.urls import without_credentials
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile
from packaging.utils import canonicalize_name, parse_wheel_filename

from ..errors import InputError, PipFailed
from ..inputs.json_values import as_table, as_text
from ..root.link_rules import compiled_path, target_path
from .pip import pip_environ
from .requirements import gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from installer.records import RecordEntry
    from installer.utils import Scheme

    from ..inputs.environment import PipSection
    from ..root.link_rules import Python
    from ..root.package import Package
    from .pip import Program
    from .target import Target

# pip evaluates markers for the Python that runs it, and ignores its options for that. It also thinks that the packages
# of that Python are installed, unless their directories are removed from sys.path. Before 25.1 it also compares
# `Requires-Python` with that Python.
DRIVER = """
import json, sys
pip_is_in, installed, markers = json.loads(sys.argv[1])
sys.path.insert(0, pip_is_in)
from pip._internal.cli.main import main
from pip._vendor.packaging import markers as module
from pip._internal.resolution.resolvelib import factory
module.default_environment = lambda: dict(markers)
candidate, version = factory.RequiresPythonCandidate, tuple(map(int, markers["python_full_version"].split(".")[:3]))
factory.RequiresPythonCandidate = lambda given: candidate(given or version)
sys.path[0] = installed
sys.exit(main(sys.argv[2:]))
"""
METADATA = re.compile(r"[^/]+\.(dist-info|egg-info)(/.+)?\Z")
EDITABLE = re.compile(r"(-e|--editable)")
SOURCES_WANTED = re.compile(r"--no-b|--o.*:none:")  # options that undo --only-binary; pip takes shortened ones, too
SINCE = (23, 3)  # a dry run takes the options of a target
QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar=off")
REMEDY = "take such packages from conda, or build on a machine of that platform"


@dataclass
class TargetPip:
    """The pip of an environment for `target`, whose packages of conda are not laid out here.

    In `prefix` lie the metadata of Python packages, and later the files that pip installs.
    """

    prefix: Path
    python: Python
    packages: Sequence[Package]
    program: Program
    target: Target
    date: int
    offline: bool
    removed: set[str] = field(default_factory=set)  # files of conda packages that pip would remove, in the prefix

    def __post_init__(self) -> None:
        version = tuple(map(int, re.findall(r"\d+", self.program.version)[:2]))
        if version < SINCE:
            what = f"pip {self.program.version} cannot choose packages for another platform"
            raise InputError(what, remedy="add `pip >=23.3` to the packages of the environment")
        self.environ = pip_environ(self.date, self.offline)
        self.scratch = self.prefix.parent

    @property
    def site_packages(self) -> Path:
        """The directory of Python packages in the prefix."""
        return self.prefix / self.python.site_packages

    def lay_out_metadata(self) -> None:
        """Copy the metadata by which pip knows the Python packages of conda."""
        below = f"{self.python.site_packages}/"
        for package in self.packages:
            for path in package.linked:
                target = target_path(path.path, package, self.python)
                if target.startswith(below) and METADATA.match(target.removeprefix(below)):
                    place = self.prefix / target
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes((package.directory / path.path).read_bytes())
        self.site_packages.mkdir(parents=True, exist_ok=True)

    def install(self, sections: Sequence[PipSection]) -> list[dict[str, object]]:
        """Install sections in one run of pip; return the items of its report. Raises InputError and PipFailed.

        A package that would have to be built is refused.
        """
        lines = gather(sections)
        check_wheels(lines, self.target)
        directory, report = sections[0].directory, self.scratch / "report.json"
        resolve = ["--no-deps"] if any(section.pinned for section in sections) else ["--upgrade"]
        listed = self._write("requirements.txt", lines)
        self._run(["install", *QUIET, "--dry-run", "--report", str(report), *resolve, "-r", str(listed)], directory)
        entries = as_table(json.loads(report.read_text("utf-8"))).get("install")
        items = [Chosen(as_table(item)) for item in entries] if isinstance(entries, list) else []
        for item in items:
            item.check_wheel(self.target)
        wheels = self._download(lines, items, directory) if items else {}
        for item in items:
            self._uninstall(item.name)
            self._install(wheels[item.name], item)
        return [item.fields for item in items]

    def _download(self, lines: Sequence[str], items: Sequence[Chosen], directory: str) -> dict[str, Path]:
        """Return the wheels by normalized name, in the scratch directory, from where the lines say."""
        settings = [line for line in lines if line.startswith("-") and not EDITABLE.match(line)]
        hashed = all(item.hashes for item in items)
        listed = self._write("wheels.txt", [*settings, *(item.requirement(hashed) for item in items)])
        place = self.scratch / "wheels"
        self._run(["download", *QUIET, "--no-deps", "--dest", str(place), "-r", str(listed)], directory)
        return {parse_wheel_filename(path.name)[0]: path for path in place.glob("*.whl")}

    def _install(self, wheel: Path, item: Chosen) -> None:
        """Install a wheel as pip does: the same schemes, the same files in `.dist-info`."""
        try:
            with WheelFile.open(wheel) as source, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # .pyc of wheels are left out: the sources are compiled anyway
                install(source, self._destination(source.distribution), item.metadata())
        except (InstallerError, BadZipFile, ValueError, KeyError, FileExistsError, NotADirectoryError) as error:
            raise PipFailed(f"{wheel.name} cannot be installed: {error}") from error

    def _destination(self, distribution: str) -> SchemeDictionaryDestination:
        """Return the places of the files of a wheel, which it cannot leave."""
        scheme = {
            "purelib": self.site_packages, "platlib": self.site_packages, "scripts": self.prefix / "bin",
            "headers": self.prefix / f"include/python{self.python.version}" / distribution, "data": self.prefix,
        }  # fmt: skip
        places = {name: str(path) for name, path in scheme.items()}
        return Inside(places, f"{self.prefix}/bin/python", "posix", overwrite_existing=True)

    def _uninstall(self, name: str) -> None:
        """Remove an installed distribution: the files here, and those of a conda package by its RECORD."""
        for directory in sorted(self.site_packages.glob("*-info")):
            distribution = Distribution.at(directory)
            if canonicalize_name(distribution.metadata["Name"] or "") == name:
                self._remove(name, directory)

    def _remove(self, name: str, metadata: Path) -> None:
        """Remove the files in a list; like pip, leave those that are outside of the prefix."""
        listed = listed_files(metadata)
        if listed is None:
            what = f"pip would replace {name}, whose package of conda has no list of its files"
            raise PipFailed(f"{what}; {REMEDY}")
        for file in listed:
            path = os.path.relpath(self.site_packages / file, self.prefix)
            if path.split("/")[0] in (os.curdir, os.pardir):
                continue
            if (self.prefix / path).is_file():
                (self.prefix / path).unlink()
            self.removed.add(path)
            if path.endswith(".py"):
                self.removed.add(compiled_path(path, self.python.version))

    def _write(self, name: str, lines: Sequence[str]) -> Path:
        path = self.scratch / name
        path.touch(0o600)  # it may have credentials
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def _run(self, words: Sequence[str], directory: str) -> None:
        """Run pip for the target; raises PipFailed with its output."""
        place = json.dumps([self._pip_directory(), str(self.site_packages), self.target.markers()])
        command = [sys.executable, "-I", "-S", "-c", DRIVER, place, *words, *self.target.options()]
        done = subprocess.run(
            command, cwd=directory, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            shown = without_credentials(done.stdout.decode("utf-8", "replace").replace(f"{self.scratch}/", "")).rstrip()
            what = f"pip ended with status {done.returncode} for {self.target.platform}, and said:\n{shown}"
            raise PipFailed(f"{what}\nOnly wheels can be installed for another platform: {REMEDY}")

    def _pip_directory(self) -> str:
        """Return the directory, or the wheel, that has the modules of the environment's pip."""
        carrier = "python" if self.program.wheel else "pip"
        package = next(package for package in self.packages if package.name == carrier)
        if self.program.wheel:
            return str(package.directory / self.program.wheel)
        (module,) = (path.path for path in package.paths if path.path.endswith("site-packages/pip/__init__.py"))
        return str((package.directory / module).parents[1])


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


@dataclass(frozen=True)
class Chosen:
    """A package that pip has chosen: an item of `install` in its installation report."""

    fields: dict[str, object]

    @property
    def name(self) -> str:
        """The normalized name."""
        return canonicalize_name(as_text(as_table(self.fields.get("metadata")).get("name")))

    @property
    def url(self) -> str:
        """The URL without a fragment."""
        return as_text(self.download.get("url"))

    @property
    def download(self) -> dict[str, object]:
        """The origin, in the form of a `direct_url.json`."""
        return as_table(self.fields.get("download_info"))

    @property
    def hashes(self) -> dict[str, object]:
        """The hashes of the file by algorithm, if pip knows some."""
        return as_table(as_table(self.download.get("archive_info")).get("hashes"))

    def requirement(self, hashed: bool) -> str:
        """Return a line of a requirements file for exactly this package."""
        version = as_text(as_table(self.fields.get("metadata")).get("version"))
        line = f"{self.name} @ {self.url}" if self.fields.get("is_direct") else f"{self.name}=={version}"
        return line + "".join(f" --hash={kind}:{value}" for kind, value in self.hashes.items()) if hashed else line

    def metadata(self) -> dict[str, bytes]:
        """Return the files that an installer adds to `.dist-info` (PEP 376, 610)."""
        files = {"INSTALLER": b"pip\n"}
        files |= {"REQUESTED": b""} if self.fields.get("requested") else {}
        files |= {"direct_url.json": json.dumps(self.download).encode()} if self.fields.get("is_direct") else {}
        return files

    def check_wheel(self, target: Target) -> None:
        """Raise InputError if this is not a wheel."""
        if not is_wheel(self.url):
            raise _to_be_built(f"{self.name} from {self.url}", target)


def check_wheels(lines: Sequence[str], target: Target) -> None:
    """Raise InputError for a line of a requirements file that names sources: pip would begin to build them."""
    for line in lines:
        place = line.partition(" @ ")[2] or line
        place = re.split(r"\[| ;| --", place, maxsplit=1)[0].strip()
        is_place = place.startswith("/") or ("://" in place and not place.startswith("-"))
        if EDITABLE.match(line) or SOURCES_WANTED.match(line) or (is_place and not is_wheel(place)):
            raise _to_be_built(line, target)


def is_wheel(url: str) -> bool:
    """Return whether a URL or a path leads to a wheel."""
    return urlsplit(url).path.endswith(".whl")


def _to_be_built(what: str, target: Target) -> InputError:
    return InputError(f"pip would have to build {without_credentials(what)} for {target.platform}", remedy=REMEDY)
