"""Make a conda package of a wheel."""

from __future__ import annotations

import shutil
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from testbed import wheels
from testbed.bytecode import compile_modules
from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from testbed.package import Package
    from testbed.workshop import Workshop

# The names that conda-forge has.
RENAMED = {"bash_kernel": "bash_kernel", "installer": "python-installer", "ray": "ray-core"}
CONSOLE_SCRIPT = """\
#!{prefix}/bin/{python}
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({function}())
"""
_SCHEMES = {"purelib": None, "platlib": None, "data": ".", "headers": "include", "scripts": "scripts"}


def lay_out(workshop: Workshop, wheel: Path) -> tuple[Package, Message]:
    """Return a package of a wheel's files, at the paths that conda wants, and the wheel's metadata."""
    unpacked = workshop.directory / "wheel"
    wheels.unpack(wheel, unpacked)
    (dist_info,) = unpacked.glob("*.dist-info")
    metadata = HeaderParser().parsestr((dist_info / "METADATA").read_text(encoding="utf-8"))
    name, version = conda_name(metadata["Name"]), metadata["Version"]
    scripts = {command: target.split("[")[0].strip() for command, target in wheels.console_scripts(unpacked).items()}
    (dist_info / "INSTALLER").write_text("conda\n", encoding="utf-8")
    if wheel.stem.endswith("-none-any"):
        package = workshop.noarch_python(name, version)
        package.entry_points = [f"{command} = {target}" for command, target in scripts.items()]
        _spread(unpacked, package.root, "site-packages", "python-scripts")
        return package, metadata
    package = workshop.python_extension(name, version)
    _spread(unpacked, package.root, workshop.site_packages, "bin")
    for command, target in scripts.items():
        package.script(f"bin/{command}", _console_script(workshop.python_name, target))
    return package, metadata


def finish(package: Package, directory: Path) -> Path:
    """Complete a package and write its file, quickly compressed."""
    from conda_package_handling import api

    if package.noarch is None and (package.root / "lib").is_dir():
        compile_modules(package)
    package.seal()
    target = directory / package.subdir
    target.mkdir(parents=True, exist_ok=True)
    files = [*package.paths(), *sorted(f"info/{path.name}" for path in (package.root / "info").iterdir())]
    api.create(str(package.root), files, package.filename, str(target), compression_level=3)
    return target / package.filename


def conda_name(name: str) -> str:
    """Return the name that conda-forge has for a distribution."""
    return RENAMED.get(name.lower(), name.lower().replace("_", "-"))


def _spread(unpacked: Path, root: Path, site_packages: str, scripts: str) -> None:
    """Move a wheel's files to where an installer puts them."""
    for data in unpacked.glob("*.data"):
        for scheme in sorted(data.iterdir()):
            place = _SCHEMES[scheme.name] or site_packages
            _merge(scheme, root / (scripts if place == "scripts" else place))
        shutil.rmtree(data)
    _merge(unpacked, root / site_packages)
    for executable in (*root.rglob("*.so*"), *root.glob("bin/*"), *root.glob(f"{scripts}/*")):
        executable.chmod(0o755)


def _merge(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file() and not (path.parts[len(source.parts)].endswith(".data") and source.name == "wheel"):
            destination = target / path.relative_to(source)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(path), str(destination))


def _console_script(python: str, target: str) -> str:
    module, function = (part.strip() for part in target.split(":"))
    first = function.split(".")[0]
    return CONSOLE_SCRIPT.format(prefix=PLACEHOLDER, python=python, module=module, function=function, first=first)
