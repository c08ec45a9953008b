"""Fetch the package zstd for an archive of an environment without it."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from ..errors import RepodataMissing
from . import settings
from .downloads import fetch
from .solve import solve_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..root.package import Package


def fetch_zstd(channels: Sequence[str], platform: str) -> tuple[Package, ...]:
    """Return the package zstd for a platform, or nothing if none of the channels has it."""
    with settings.target(platform):
        return solve_quietly(channels, _fetch_from)


def _fetch_from(channels: Sequence[str]) -> tuple[Package, ...]:
    records = solve_records(("zstd",), channels)
    return tuple(fetch([record for record in records if record.name == "zstd"], ()))


def solve_quietly(
    channels: Sequence[str], solve: Callable[[Sequence[str]], tuple[Package, ...]]
) -> tuple[Package, ...]:
    """Return the packages of the first solve that succeeds: with all channels, then with each alone; else nothing.

    All together fail if one is gone, such as a channel of an existing environment. conda's output is not shown: the
    user did not ask for this solve and its downloads, and its prefix does not exist.
    """
    from conda import CondaError

    for subset in dict.fromkeys([tuple(channels), *((channel,) for channel in channels)]):
        with contextlib.suppress(CondaError, RepodataMissing, SystemExit), contextlib.redirect_stdout(io.StringIO()):
            return solve(subset)
    return ()
