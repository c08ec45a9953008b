"""The stage of a build in which pip installs: make a staging environment, run pip, take the changes, compile them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..conda_api import settings, versions
from ..conda_api.staging import staged
from ..pypi import pip_changes
from ..pypi.pip import Pip
from ..pypi.pip_changes import Installed
from ..root import bytecode
from ..root.link_rules import find_python

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from ..inputs.environment import Environment
    from ..root.package import Package


def install(
    environment: Environment, packages: Sequence[Package], date: int, parent: Path | None, staging: ExitStack
) -> Installed:
    """Return the changes that the pip sections of the environment make; none if it has no such section.

    The files lie in a staging environment, below `parent` if there is one, until `staging` is closed. Raises InputError
    and PipFailed.
    """
    if not environment.pip:
        return Installed()
    program = pip_changes.find_pip(packages)
    python = find_python(packages)
    assert python is not None  # without Python there is no pip
    with versions.working("Installing pip packages"):
        prefix = staging.enter_context(staged(environment, packages, parent))
        pip = Pip(prefix, program, date, settings.is_offline())
        found = pip_changes.install(prefix, environment, python, pip, date)
        plain = [item for item in found.sources if item.edits is None]
        compiled = bytecode.compile_sources(prefix / python.program, plain) if plain else []
        left = [item for item in found.sources if item.edits is not None]
    return replace(found, items=[*found.items, *compiled], sources=left)
