"""Read the requested environment: an existing one, a lock file, or specs to solve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conda_api import installed_environment, locked, merged_inputs, solve
from ..conda_api.local_packages import find_installed
from ..errors import InputError, PlanHidden
from ..inputs import lock_recognize
from ..inputs.document import read_document
from ..inputs.environment import DryRun
from ..inputs.lock_file import SUPPORTED
from ..pypi.requirements import gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..inputs.environment import Environment
    from ..inputs.lock_file import Choice


def read(
    files: Sequence[str], specs: Sequence[str], choice: Choice, prefix: str | None, output: Path
) -> Environment | DryRun:
    """Return the records to pack, in link order, with the sections for pip; in a dry run the plan for these.

    `prefix` is an existing environment's.
    """
    if prefix is not None:
        environment = installed_environment.read_installed(prefix)
        return environment if isinstance(environment, DryRun) else find_installed(environment, prefix)
    _check_platform(choice.platform)
    documents = [read_document(path) for path in files]
    lock = lock_recognize.find_lock(documents, specs, choice, locked.explicit_rules())
    if lock is not None:
        gather(lock.pip)  # the requirements files that sections name have to be there
        return locked.resolve_lock(lock)
    try:
        inputs = merged_inputs.merge_inputs(documents, specs)
    except PlanHidden as error:
        return DryRun(message=str(error))
    gather(inputs.pip)
    return locked.order_pinned(inputs) if inputs.pinned else solve.solve(inputs, str(output.absolute()))


def _check_platform(platform: str) -> None:
    if not platform.startswith(SUPPORTED):
        what = f"archives are for Linux and macOS, not for {platform}"
        raise InputError(what, remedy="choose one with --platform, such as linux-64")
