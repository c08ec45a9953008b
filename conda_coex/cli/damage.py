"""Give the remedy for a damaged package: remove it from conda's cache, if the damage is only there."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ..conda_api.package_file import sums_of
from ..errors import PackageDamaged
from ..inputs.suffixes import PACKAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable

METADATA = ("info/index.json", "info/paths.json", "info/files", "info/has_prefix", "info/link.json")


def with_advice(error: PackageDamaged, caches: Iterable[str]) -> PackageDamaged:
    """Return the error with its remedy; `caches` are the directories of conda's package caches.

    `conda clean` does not help: it keeps packages that are linked into an environment.
    """
    if error.remedy is not None or error.path is None:
        return error
    path = Path(os.fsdecode(error.path))
    cache = next((Path(cache) for cache in caches if path.is_relative_to(cache)), None)
    if cache is None:
        return PackageDamaged(error.what, error.path, "reinstall the package")
    name, *inner = path.relative_to(cache).parts
    return PackageDamaged(error.what, error.path, _advice(cache / name, "/".join(inner)))


def _advice(directory: Path, inner: str) -> str:
    files = [file for suffix in PACKAGE_SUFFIXES if (file := directory.with_name(directory.name + suffix)).is_file()]
    paths = (inner,) if inner else METADATA
    for file in files:
        if _holds(file, paths, directory):
            return f"{file} has it like this: get another copy of it, or use another build of the package"
    command = f"rm -r {shlex.quote(str(directory))}"
    if not os.access(directory.parent, os.W_OK):
        return f"ask the owner of {directory.parent} to run `{command}`"
    return f"run `{command}` and try again"


def _holds(file: Path, paths: Iterable[str], directory: Path) -> bool:
    """Return whether these paths are as in the package file: to extract it again does not help then."""
    try:
        packed = sums_of(file, paths)
    except Exception:  # it is damaged as well, and conda will say so
        return False
    return packed == {path: _sum(directory / path) for path in packed}


def _sum(file: Path) -> str | None:
    if file.is_symlink() or not file.is_file():
        return None
    return hashlib.sha256(file.read_bytes()).hexdigest()
