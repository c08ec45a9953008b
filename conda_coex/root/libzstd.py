"""Find the libzstd that travels in the archive: from packages of the target platform, never a guess."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import DecoderNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..inputs.environment import Environment
    from .package import Package

# For an environment without a solve: to add a channel on the command line does not help.
REMEDY_WITHOUT_SOLVE = "add the package zstd to the environment or to the lock file"
NAMES = {"linux": "lib/libzstd.so.1", "osx": "lib/libzstd.1.dylib"}


def find_libzstd(
    environment: Environment,
    packages: Sequence[Package],
    fetch_zstd: Callable[[Sequence[str], str], Sequence[Package]],
    base: Path | None,
) -> tuple[bytes, str]:
    """Return the library and the name of its package: of the environment, else of its channels, else `base`.

    `fetch_zstd` returns packages with zstd from channels, for a platform; `base` is the prefix of a conda for the same
    one.
    Raises DecoderNotFound.
    """
    platform = environment.platform
    name = NAMES.get(platform.partition("-")[0])
    if name is None:
        raise DecoderNotFound(f"the platform {platform} is not supported", remedy="use linux-* or osx-*")
    package = _first_with(packages, name) or _first_with(fetch_zstd(environment.channels, platform), name)
    if package is not None:
        return _read_inside(package.directory, name), package.dist
    if base is not None and (base / name).exists():
        return _read_inside(base, name), "base"
    remedy = None if environment.solved else REMEDY_WITHOUT_SOLVE
    raise DecoderNotFound(f"no libzstd for {platform} was found", remedy=remedy)


def _first_with(packages: Sequence[Package], name: str) -> Package | None:
    """Return the first package that lists a file and has it: a live prefix may lack it."""
    for package in packages:
        if any(path.path == name for path in package.paths) and (package.directory / name).is_file():
            return package
    return None


def _read_inside(directory: Path, name: str) -> bytes:
    """Return the content of a file; raises DecoderNotFound if a link leads out of the directory."""
    file = (directory / name).resolve()
    if directory.resolve() not in file.parents:
        raise DecoderNotFound("the libzstd of a package leads out of it", os.fsencode(directory / name))
    return file.read_bytes()
