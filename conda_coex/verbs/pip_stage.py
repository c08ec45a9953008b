"""The stage of a build in which pip installs: make a staging environment, run pip, take the changes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..conda_api import settings, versions
from ..conda_api.solve import virtual_version
from ..conda_api.staging import staged
from ..errors import InputError
from ..pypi import pip_changes
from ..pypi.pip import Pip
from ..pypi.target import Target
from ..pypi.target_pip import TargetPip
from ..pypi.target_prefix import TargetPrefix
from ..root.link_rules import find_python

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from ..inputs.environment import Environment
    from ..pypi.installed import Installed
    from ..root.link_rules import Python
    from ..root.package import Package

FREE_THREADED = re.compile(r"_cp\d+t\Z")  # in the build string of conda-forge's Pythons


def install(
    environment: Environment, packages: Sequence[Package], date: int, parent: Path | None, staging: ExitStack
) -> Installed:
    """Return the changes that the pip sections of the environment make.

    The files lie in a staging environment, below `parent` if there is one, until `staging` is closed. For another
    platform than the builder's, this has no packages of conda but their metadata. Raises InputError and PipFailed.
    """
    program = pip_changes.find_pip(packages)
    python = find_python(packages)
    assert python is not None  # without Python there is no pip
    native = environment.platform == settings.builder_platform()
    with versions.working("Installing pip packages"):
        prefix = staging.enter_context(staged(environment, packages, parent, linked=native))
        pip: Pip | TargetPip
        if native:
            pip = Pip(prefix, program, date, settings.is_offline())
        else:
            target = _target(environment.platform, python)
            target_prefix = TargetPrefix(prefix, python)
            target_prefix.lay_out_metadata(packages)
            pip = TargetPip(target_prefix, packages, program, target, date, settings.is_offline())
        installed = pip_changes.install(prefix, environment, python, pip, date)
        return replace(installed, program=prefix / python.program if native else None)


def _target(platform: str, python: Python) -> Target:
    """Return the Python of the environment as pip sees it; raises InputError for one that is not CPython."""
    record = python.package.record
    build = str(record["build"])
    if "pypy" in build or "graalpy" in build:
        what = f"pip packages for another platform need CPython, and the environment has {python.package.dist}"
        raise InputError(what, remedy=f"build on a machine of {platform}")
    system = virtual_version(platform, "osx" if platform.startswith("osx") else "glibc")
    return Target(platform, python.package.version, system, free_threaded=bool(FREE_THREADED.search(build)))
