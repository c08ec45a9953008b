"""The python package: the base environment's own interpreter, made relocatable."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.bytecode import compile_modules
from testbed.libraries import bundle
from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.package import Package
    from testbed.workshop import Workshop

LEFT_OUT = shutil.ignore_patterns(
    *("__pycache__", "site-packages", "dist-packages", "sitecustomize.py", "EXTERNALLY-MANAGED"),
    *("test", "tests", "idlelib", "turtledemo", "tkinter", "turtle.py", "lib2to3"),
    *("_tkinter.*", "nis.*", "_test*", "xxlimited*", "_ctypes_test*", "*.a", "*.o", "libpython*"),
)

_PKGCONFIG = """\
prefix={prefix}
exec_prefix=${{prefix}}
libdir=${{exec_prefix}}/lib
includedir=${{prefix}}/include

Name: Python
Description: Build a C extension for Python
Version: {version}
Cflags: -I${{includedir}}/{name}
"""

_PYDOC = """\
#!{prefix}/bin/{name}

import pydoc

if __name__ == "__main__":
    pydoc.cli()
"""


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    major, minor = sys.version_info[:2]
    build_string = f"h0a1b2c3_cp{major}{minor}_0"
    package = workshop.package(
        "python", workshop.python_version, build=build_string, depends=["__glibc >=2.17"]
    )
    name = workshop.python_name
    stdlib = package.root / "lib" / name
    shutil.copytree(
        sysconfig.get_path("stdlib"), stdlib, ignore=LEFT_OUT, ignore_dangling_symlinks=True
    )
    _copy_headers(package, name)
    _add_programs(package, name)
    program = package.root / "bin" / name
    bundle(package, [program, *stdlib.glob("lib-dynload/*.so")])
    undo_debian_layout(stdlib, [program, *(package.root / "lib").glob("libpython*")])
    _link_libpython(package, name)
    _add_placeholders(package, stdlib)
    package.text(f"{workshop.site_packages}/README.txt", "Third-party packages go here.\n")
    for path in package.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    compile_modules(package)
    yield package


def undo_debian_layout(stdlib: Path, binaries: list[Path]) -> None:
    """Let Debian's Python install to and import from site-packages, as others do."""
    for name, old, new in (
        ("site.py", b"dist-packages", b"site-packages"),
        ("sysconfig.py", b"prefix_scheme = 'posix_local'", b"prefix_scheme = 'posix_prefix'"),
        ("sysconfig/__init__.py", b"prefix_scheme = 'posix_local'", b"prefix_scheme = 'posix_prefix'"),
    ):
        if (stdlib / name).is_file():
            _replace(stdlib / name, old, new)
    # The site module is also frozen into the program, or into its library.
    for binary in binaries:
        _replace(binary, b"dist-packages", b"site-packages")


def _replace(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    if old in content:
        file.write_bytes(content.replace(old, new))


def _copy_headers(package: Package, name: str) -> None:
    headers = Path(sysconfig.get_path("include"))
    if headers.is_dir():
        shutil.copytree(headers, package.root / "include" / name)


def _add_programs(package: Package, name: str) -> None:
    (package.root / "bin").mkdir()
    shutil.copyfile(os.path.realpath(sys.executable), package.root / "bin" / name)
    (package.root / "bin" / name).chmod(0o755)
    package.link("bin/python3", name)
    package.link("bin/python", name)
    version = name.removeprefix("python")
    package.script(f"bin/pydoc{version}", _PYDOC.format(prefix=PLACEHOLDER, name=name))
    package.link("bin/pydoc3", f"pydoc{version}")
    package.link("bin/pydoc", f"pydoc{version}")


def _link_libpython(package: Package, name: str) -> None:
    """Give a shared libpython its development name, when this Python has one."""
    for library in (package.root / "lib").glob(f"lib{name}.so.*"):
        package.link(f"lib/lib{name}.so", library.name)


def _add_placeholders(package: Package, stdlib: Path) -> None:
    """Put the placeholder where a Python built by conda has it."""
    version = sysconfig.get_config_var("py_version_short")
    content = _PKGCONFIG.format(prefix=PLACEHOLDER, version=version, name=stdlib.name)
    package.text(f"lib/pkgconfig/python-{version}.pc", content)
    # The directory of time zones stays the system's, not the prefix.
    prefix = re.compile(
        rf"((?<=-[LI])|(?<![\w./-])){re.escape(sys.base_prefix)}(?![\w.-])(?!/(share/)?(lib/)?zoneinfo)"
    )
    for file in (*stdlib.glob("_sysconfigdata*.py"), *stdlib.glob("config-*/[Mp]*")):
        text = file.read_text(encoding="utf-8")
        file.write_text(prefix.sub(PLACEHOLDER, text), encoding="utf-8")
