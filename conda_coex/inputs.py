"""Read what is to be packed: an existing environment, a lock file, or what has to be solved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import existing, lock, pinned, pip_packages, solve, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .environment import Environment
    from .lock_file import Choice


def read(
    files: Sequence[str], specs: Sequence[str], choice: Choice, prefix: str | None, output: Path
) -> Environment:
    """Return the records to pack, in link order, with what pip has to add; `prefix` is an existing environment's."""
    if prefix is not None:
        return existing.read_existing(prefix)
    found = lock.find_lock(files, specs, choice)
    if found is not None:
        pip_packages.check(found.platform, found.pip)
        return pinned.resolve(found)
    asked = wanted.merge_inputs(files, specs)
    pip_packages.check(choice.platform, asked.pip)
    return pinned.order(asked) if asked.pinned else solve.solve(asked, str(output.absolute()))
