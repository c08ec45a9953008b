"""Recognize a lock file, and have it read by the reader of its kind.

These kinds are read here under every version of conda, so that hashes, categories and environments of a lock
count everywhere; others are left to the environment specifiers of conda's plugins.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from . import conda_lock, explicit_list, pixi_lock
from .errors import InputError
from .lock_file import Choice, Lock, not_alone, wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPLICIT = re.compile(rb"^@EXPLICIT\s*$", re.MULTILINE)
KEY = re.compile(rb"^(\w+):", re.MULTILINE)  # of a YAML mapping that is the whole document
READERS = {"explicit": explicit_list.read, "conda-lock": conda_lock.read, "pixi": pixi_lock.read}


def find_lock(files: Sequence[str], specs: Sequence[str], choice: Choice) -> Lock | None:
    """Return the lock among the files, which must be all that was asked for, or None where there is none."""
    for path in files:
        kind = kind_of(path)
        if kind is not None:
            if len(files) + len(specs) > 1:
                raise not_alone(path)
            return read_lock(path, kind, choice)
    if choice.environment is not None or choice.categories:
        raise InputError("--lock-environment and --lock-category choose from a lock file", remedy="name it with -f")
    return None


def kind_of(path: str) -> str | None:
    """Return explicit, conda-lock, pixi or None, by what the file holds, whatever its name."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None  # who reads it for what it is gives the reason
    keys = set(KEY.findall(data))
    if {b"environments", b"packages", b"version"} <= keys:
        return "pixi"
    if {b"metadata", b"package"} <= keys:
        return "conda-lock"
    return "explicit" if EXPLICIT.search(data) else None


def read_lock(path: str, kind: str, choice: Choice) -> Lock:
    """Read a lock file of this kind; raises InputError for what it should not have, or has not for this platform."""
    if choice.environment is not None and kind != "pixi":
        raise wrong(path, "has no named environments", "leave out --lock-environment")
    if choice.categories and kind != "conda-lock":
        raise wrong(path, "has no categories", "leave out --lock-category")
    lock = READERS[kind](path, choice)
    if not lock.packages:
        raise wrong(path, f"pins no conda package for {choice.platform}")
    _refuse_twins(lock)
    return lock


def _refuse_twins(lock: Lock) -> None:
    seen: dict[str, str] = {}
    for package in lock.packages:
        name = package.file_name.rsplit("-", 2)[0]
        if seen.setdefault(name, package.url) != package.url:
            raise wrong(lock.path, f"pins two packages named {name}", "keep one")
