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
from .lock_file import Choice, Lock, LockFile, not_alone, wrong
from .yaml_text import load

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPLICIT = re.compile(rb"^(?:\xef\xbb\xbf)?@EXPLICIT\s*$", re.MULTILINE)
KEYS = {"pixi": {"environments", "packages", "version"}, "conda-lock": {"metadata", "package"}}
NAMES = ("conda-lock.yml", "conda-lock.yaml", "pixi.lock")  # as the tools write them, behind a name of the user's
READERS = {"explicit": explicit_list.read, "conda-lock": conda_lock.read, "pixi": pixi_lock.read}


def find_lock(files: Sequence[str], specs: Sequence[str], choice: Choice) -> Lock | None:
    """Return the lock among the files, which must be all that was asked for, or None where there is none."""
    for path in files:
        file = recognize(path)
        if file is not None:
            if len(files) + len(specs) > 1:
                raise not_alone(path)
            return read_lock(file, choice)
    if choice.environment is not None or choice.categories:
        raise InputError("--lock-environment and --lock-category choose from a lock file", remedy="name it with -f")
    return None


def recognize(path: str) -> LockFile | None:
    """Return a lock file, told by what it holds, or None for another; its name counts where it holds nothing."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None  # who reads it for what it is gives the reason
    if EXPLICIT.search(data):
        return LockFile(path, "explicit", data)
    named = Path(path).name.endswith(NAMES)
    try:
        found = load(data, lambda reason: wrong(path, reason))
    except InputError:
        if named:
            raise
        return None
    keys = found.keys() if isinstance(found, dict) else set()
    for kind, wanted in KEYS.items():
        if wanted <= keys:
            return LockFile(path, kind, data, found)
    if named and "dependencies" not in keys:
        raise wrong(path, "is none: it pins no packages", "give the file that conda-lock or pixi has written")
    return None


def read_lock(file: LockFile, choice: Choice) -> Lock:
    """Read a lock file by its kind; raises InputError for what it should not have, or has not for this platform."""
    if choice.environment is not None and file.kind != "pixi":
        raise file.wrong("has no named environments", "leave out --lock-environment")
    if choice.categories and file.kind != "conda-lock":
        raise file.wrong("has no categories", "leave out --lock-category")
    lock = READERS[file.kind](file, choice)
    if not lock.packages:
        raise file.wrong(f"pins no conda package for {choice.platform}")
    _refuse_twins(file, lock)
    return lock


def _refuse_twins(file: LockFile, lock: Lock) -> None:
    seen: dict[str, str] = {}
    for package in lock.packages:
        name = package.file_name.rsplit("-", 2)[0]
        if seen.setdefault(name, package.url) != package.url:
            raise file.wrong(f"pins two packages named {name}", "keep one")
