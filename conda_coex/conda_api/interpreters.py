"""Find the Pythons in conda's environments on the builder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def interpreters(version: str) -> Iterator[Path]:
    """Yield the interpreters of a Python version (major.minor) in conda's base and the environments that it knows.

    Only root and the caller can have written them: conda lists environments of all users to root
    (`conda.core.envs_manager`).
    """
    from conda.base.context import context
    from conda.core.envs_manager import list_all_known_prefixes

    for prefix in dict.fromkeys([context.root_prefix, *list_all_known_prefixes()]):
        program = Path(prefix, "bin", f"python{version}")
        is_of_conda = prefix == context.root_prefix  # this very process runs by it
        if program.is_file() and (is_of_conda or _is_trusted(program)):
            yield program


def _is_trusted(program: Path) -> bool:
    """Return whether root or the caller owns a program and each directory above it, where nobody else may write."""
    try:
        real = program.resolve(strict=True)
        states = [path.stat() for path in (real, *real.parents)]
    except OSError:
        return False
    return all(_is_protected(state) for state in states)


def _is_protected(state: os.stat_result) -> bool:
    if state.st_uid not in {0, os.geteuid()}:
        return False
    others_write = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return not others_write or bool(state.st_mode & stat.S_ISVTX)
