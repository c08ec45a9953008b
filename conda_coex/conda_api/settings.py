"""Return conda's settings: platforms, directories, and how a command should run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def target_platform() -> str:
    """Return the platform (conda's subdir) that the command is for, unless a lock file pins another one."""
    from conda.base.context import context

    return str(context.subdir)


@contextlib.contextmanager
def target(platform: str) -> Iterator[None]:
    """Have conda solve and fetch for a platform: an existing environment or an archive may be for another one."""
    from conda.base.context import context

    before = vars(context).get("_subdir")
    vars(context)["_subdir"] = platform
    try:
        yield
    finally:
        del vars(context)["_subdir"]  # the setting itself belongs to the class
        if before is not None:
            vars(context)["_subdir"] = before


def builder_platform() -> str:
    """Return the platform of this machine."""
    from conda.base.context import context

    return str(context._native_subdir())


def target_prefix() -> str:
    """Return the prefix that -n or -p names."""
    from conda.base.context import context

    return str(context.target_prefix)


def base_prefix() -> Path:
    """Return the prefix of conda itself."""
    from conda.base.context import context

    return Path(context.root_prefix)


def package_caches() -> tuple[Path, ...]:
    """Return the directories of conda's package caches, whether they exist or not, in conda's order."""
    from conda.base.context import context

    return tuple(Path(directory) for directory in context.pkgs_dirs)


def is_dry_run() -> bool:
    """Return whether the command should only show its plan (--dry-run)."""
    from conda.base.context import context

    return bool(context.dry_run)


def is_offline() -> bool:
    """Return whether conda may not use the network (--offline)."""
    from conda.base.context import context

    return bool(context.offline)
