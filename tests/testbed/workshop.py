"""The directory and the tools with which the packages of one group are built."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import wheels
from testbed.layout import native_subdir
from testbed.package import Package

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Workshop:
    """Makes empty packages, and files for them."""

    directory: Path
    downloads: Path
    subdir: str = field(default_factory=native_subdir)

    @property
    def python_version(self) -> str:
        """The version of the packaged Python, which is the running one."""
        return platform.python_version().rstrip("+")

    @property
    def python_name(self) -> str:
        """The names of the packaged Python's executable and library directory."""
        return f"python{sys.version_info[0]}.{sys.version_info[1]}"

    @property
    def site_packages(self) -> str:
        """Where the packaged Python looks for modules."""
        return f"lib/{self.python_name}/site-packages"

    def package(
        self, name: str, version: str = "1.0", *, build: str = "0", depends: Iterable[str] = ()
    ) -> Package:
        """Return a new package for this machine."""
        return Package(self.directory, self.subdir, name, version, build=build, depends=depends)

    def python_extension(self, name: str, version: str) -> Package:
        """Return a new package for this machine and exactly the packaged Python."""
        major, minor = sys.version_info[:2]
        depends = [f"python >={major}.{minor},<{major}.{minor + 1}.0a0"]
        return self.package(name, version, build=f"py{major}{minor}_0", depends=depends)

    def noarch(self, name: str, version: str = "1.0", *, depends: Iterable[str] = ()) -> Package:
        """Return a new package of plain files for any machine."""
        package = Package(self.directory, "noarch", name, version, depends=depends)
        package.noarch = "generic"
        return package

    def noarch_python(
        self, name: str, version: str = "1.0", *, depends: Iterable[str] = ("python",)
    ) -> Package:
        """Return a new package of Python modules for any machine."""
        package = Package(
            self.directory, "noarch", name, version, build="pyh1_0", depends=depends
        )
        package.noarch = "python"
        return package

    def wheel(self, requirement: str) -> Path:
        """Return a wheel for the packaged Python."""
        return wheels.download(Path(sys.executable), requirement, self.downloads)

    def sdist(self, requirement: str) -> Path:
        """Return a source archive."""
        return wheels.download(Path(sys.executable), requirement, self.downloads, sdist=True)


def compile_c(output: Path, source: Path, *options: str) -> None:
    """Compile one C source, the same way every time."""
    output.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-O2", "-Wl,--build-id=none", "-o", str(output), source.name, *options]
    subprocess.run(command, cwd=source.parent, check=True)
    output.chmod(0o755)
