"""Apply conda's link rules to each package at build time: the paths and contents of its files in the prefix.

The rules are those of conda's `core/path_actions.py`; each function names its own.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import PackageRefused
from .content import SECOND, Content, Link, relocation_of, script_of
from .content_digest import content_digest
from .link_target import leaving_links
from .source import InMemory, OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .package import ConsoleScript, Package, PackagePath

ENTRY_POINT = """\
# -*- coding: utf-8 -*-
import re
import sys

from {module} import {name}

if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
    sys.exit({function}())
"""
NOARCH_SOURCE = re.compile(r"^site-packages[/\\][^\t\n\r\f\v]+\.py$")


@dataclass(frozen=True)
class PackagePlan:
    """The files that one package puts into the prefix, in conda's order."""

    package: Package
    files: tuple[Content | Link, ...]
    scripts: tuple[Content, ...]
    compiled: Mapping[str, str]  # of noarch sources, by path of the root: the .pyc that conda makes, in the prefix

    @cached_property
    def identity(self) -> str | None:
        """A name for the content of all files; None if the sha256 of one is not known.

        The hash of the package is not included: conda takes that from a channel and does not always compare it.
        """
        digest = content_digest(item for item in self.files if isinstance(item, Content))
        return f"{self.package.dist} {digest}" if digest and not self.package.altered else None

    def dated(self, date: int) -> PackagePlan:
        """Return the plan with a date for the console scripts, in seconds."""
        scripts = tuple([replace(script, mtime_ns=date * SECOND) for script in self.scripts])
        return replace(self, scripts=scripts) if scripts else self


@dataclass(frozen=True)
class Python:
    """The Python of an environment: where its packages and its program are, relative to the prefix."""

    version: str  # major.minor
    site_packages: str
    package: Package

    @property
    def program(self) -> str:
        """The path of the interpreter in the prefix."""
        return f"bin/python{self.version}"


def find_python(packages: Sequence[Package]) -> Python | None:
    """Return the Python that noarch packages are for (conda's `link.py: _get_python_info`)."""
    for package in packages:
        if package.name == "python":
            version = ".".join(package.version.split(".")[:2])
            return Python(version, package.site_packages or f"lib/python{version}/site-packages", package)
    return None


def plan_package(package: Package, python: Python | None, date: int) -> PackagePlan:
    """Return the plan of a package; raises PackageRefused for noarch python without a Python."""
    if package.noarch == "python" and python is None:
        raise PackageRefused(f"{package.dist} needs a Python, and the environment has none", remedy="add python")
    base = f"{package.directory}/"
    files = tuple([_plan_path(target_path(path.path, package, python), base, path) for path in package.linked])
    scripts = tuple(_plan_script(script, python, date) for script in package.scripts) if python else ()
    return PackagePlan(package, files, scripts, compiled_sources(package, python, files))


def compiled_sources(package: Package, python: Python | None, files: Iterable[Content | Link]) -> dict[str, str]:
    """Return the .pyc files that conda makes of a noarch package: paths in the prefix, by those of their sources."""
    if package.noarch != "python" or python is None:
        return {}
    return {
        item.path: compiled_path(item.path.removeprefix("prefix/"), python.version)
        for item in files
        if isinstance(item, Content) and item.package_path is not None and NOARCH_SOURCE.match(item.package_path)
    }


def target_path(path: str, package: Package, python: Python | None) -> str:
    """Return the path in the prefix of a path of the package (conda's `get_python_noarch_target_path`)."""
    if package.noarch == "python" and python is not None:
        if path.startswith("site-packages/"):
            return python.site_packages + path[len("site-packages") :]
        if path.startswith("python-scripts/"):
            return "bin" + path[len("python-scripts") :]
    return path


def _plan_path(target: str, base: str, path: PackagePath) -> Content | Link:
    source, target, placeholder = base + path.path, "prefix/" + target, path.placeholder
    if path.kind == "softlink":
        return Link(target, os.readlink(source))
    # conda makes a copy that it rewrites writable for its owner
    mode = path.mode | 0o200 if placeholder else path.mode
    relocation = relocation_of(placeholder, path.file_mode) if placeholder else None
    return Content(target, mode, path.mtime_ns, OnDisk(source), path.size, path.sha256, relocation, path.path)


def compiled_path(source: str, version: str) -> str:
    """Return the name that conda gives a .pyc of any implementation (conda's `pyc_path`)."""
    if version.startswith("2."):
        return source + "c"
    directory, _, name = source.rpartition("/")
    stem = name.removesuffix(".py")
    return f"{directory}/__pycache__/{stem}.cpython-{version.replace('.', '')}.pyc"


def broken_commands(plans: Sequence[PackagePlan]) -> Iterator[str]:
    """Yield a note on each console script that Python cannot read: conda writes it as well."""
    for plan in plans:
        for script in plan.package.scripts if plan.scripts else ():
            if not script.names_function:
                what = f"'{script.module}:{script.function}' is not module:function"
                yield f"the command {script.command} of {plan.package.dist} cannot run: {what}, as in its package"


def _plan_script(script: ConsoleScript, python: Python | None, date: int) -> Content:
    """Plan a console script (conda's `create_python_entry_point`); its #! line is written on the host."""
    assert python is not None
    text = ENTRY_POINT.format(module=script.module, name=script.function.split(".")[0], function=script.function)
    data = text.encode()
    line = script_of(python.program)
    return Content(f"prefix/bin/{script.command}", 0o755, date * SECOND, InMemory(data), len(data), relocation=line)


def notes_on_prefix_links(plans: Sequence[PackagePlan]) -> Iterator[str]:
    """Yield a note on each link that leaves the prefix: it stays a link. conda copies the target of an absolute one."""
    links = {item.path: (item, plan) for plan in plans for item in plan.files if isinstance(item, Link)}
    for link in leaving_links([link for link, _ in links.values()], "prefix"):
        what = f"{link.path.removeprefix('prefix/')} is a link to {link.target} and stays one"
        yield f"{links[link.path][1].package.dist}: {what}; its target is not in the archive"
