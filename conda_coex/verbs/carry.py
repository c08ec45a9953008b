"""Choose the Python that an archive carries: the environment's own, else one of its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PythonNotCarried
from ..inputs.environment import DryRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..archive.carried_python import CarriedPython
    from ..root.package import Package

REMEDY = "add python to the environment, or a channel that has it with -c"
MACOS = "a program that was made smaller does not run on a Mac without a new signature"


def check(platform: str) -> None:
    """Raise PythonNotCarried for a platform whose archives cannot carry a Python."""
    if not platform.startswith("linux-"):
        raise PythonNotCarried(f"{platform} is not a Linux platform, and {MACOS}", remedy="leave out --carry-python")


def choose_python(
    platform: str,
    packages: Sequence[Package],
    channels: Sequence[str],
    *,
    names: Iterable[str] = (),
    pinned: str | None = None,
) -> CarriedPython:
    """Return the Python for an archive of packages; raises PythonNotCarried.

    `names` are the paths of a live prefix, which have no place in an archive. The
    package of the spec `pinned` is preferred to others of the channels.
    """
    from ..carried.python import carry, find_interpreter
    from ..conda_api.python_package import fetch_python

    check(platform)
    interpreter = find_interpreter(packages, platform)
    if interpreter is None:
        packages, names = fetch_python(channels, platform, pinned), ()
        interpreter = find_interpreter(packages, platform)
    if interpreter is None:
        raise PythonNotCarried(f"no CPython for {platform}, 3.9 or newer, was found", remedy=REMEDY)
    return carry(interpreter, packages, names)


def planned(dry_run: DryRun) -> DryRun:
    """Return the plan of a dry run, with the Python to carry."""
    if dry_run.message is not None:
        return dry_run
    line = "carried: the python of the environment, or else of its channels"
    return DryRun({**dry_run.actions, "CARRY": ["python"]}, (*dry_run.lines, line))
