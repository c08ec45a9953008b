"""Find the libzstd that travels in the archive: from packages of the target platform, never a guess."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

from ..errors import DecoderNotFound, RepodataMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..inputs.environment import Environment
    from .package import Package

    Solve = Callable[[Sequence[str]], Sequence[Package]]

FIXED = "add the package zstd to the environment or to the lock file"
NAMES = {"linux": "lib/libzstd.so.1", "osx": "lib/libzstd.1.dylib"}


def find_libzstd(
    environment: Environment, packages: Sequence[Package], solve: Solve, base: Path | None
) -> tuple[bytes, str]:
    """Return the library and the name of what it came from: the environment, else a solve, else the base.

    `solve` returns the packages of zstd from channels, here the environment's; `base` is the prefix of a base of the
    same platform. Raises DecoderNotFound.
    """
    platform = environment.platform
    name = NAMES.get(platform.partition("-")[0])
    if name is None:
        raise DecoderNotFound(f"the platform {platform} is not supported", remedy="use linux-* or osx-*")
    for package in [*packages, *solve_quietly(packages, name, environment.channels, solve)]:
        if _has(package, name):
            return _load(package.directory, name), package.dist
    if base is not None and (base / name).exists():
        return _load(base, name), "base"
    remedy = None if environment.solved else FIXED  # no channel of the command line counts
    raise DecoderNotFound(f"no libzstd for {platform} was found", remedy=remedy)


def solve_quietly(packages: Sequence[Package], name: str, channels: Sequence[str], solve: Solve) -> Sequence[Package]:
    """Solve for zstd only where the environment has none; channels without it are no error yet.

    Where all together fail, as because one of an existing environment's is gone, each is asked alone.
    """
    if any(_has(package, name) for package in packages):
        return ()
    from conda import CondaError

    for asked in dict.fromkeys([tuple(channels), *((channel,) for channel in channels)]):
        # the user asked for another solve than this, and conda would show a prefix that does not exist
        with contextlib.suppress(CondaError, RepodataMissing, SystemExit), contextlib.redirect_stdout(io.StringIO()):
            return solve(asked)
    return ()


def _has(package: Package, name: str) -> bool:
    """Return whether a package has a file, where it lies too: a live prefix may lack it."""
    return any(path.path == name for path in package.paths) and (package.directory / name).is_file()


def _load(directory: Path, name: str) -> bytes:
    found = (directory / name).resolve()
    if directory.resolve() not in found.parents:
        raise DecoderNotFound("the libzstd of a package leads out of it", os.fsencode(directory / name))
    return found.read_bytes()
