"""Fetch the package python for an archive that is to carry one and has none in its environment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import settings
from .downloads import fetch
from .solve import solve_records
from .zstd_package import solve_quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..root.package import Package

SPEC = "python >=3.9"


def fetch_python(channels: Sequence[str], platform: str, pinned: str | None = None) -> tuple[Package, ...]:
    """Return the package python and its dependencies, for a platform; nothing if none of the channels has it.

    The package of the spec `pinned` is preferred.
    """
    with settings.target(platform):
        for spec in (pinned, SPEC):
            packages = solve_quietly(channels, partial(_fetch_from, spec)) if spec else ()
            if packages:
                return packages
    return ()


def configured_channels() -> tuple[str, ...]:
    """Return the channels of conda's configuration and of the command line."""
    from conda.base.context import context

    return tuple(map(str, context.channels))


def _fetch_from(spec: str, channels: Sequence[str]) -> tuple[Package, ...]:
    return tuple(fetch(solve_records((spec,), channels), ()))
