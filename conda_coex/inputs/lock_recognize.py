"""Recognize a lock file, and have it read by the reader of its kind.

These kinds are read here under every version of conda, so that hashes, categories and environments of a lock always
count. Other kinds are left to conda's plugins for environment files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .lock_conda import read_conda_lock
from .lock_explicit import read_explicit_lock
from .lock_file import Choice, Lock, LockFile, not_alone, wrong
from .lock_pixi import read_pixi_lock
from .yaml_text import Mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .document import Document
    from .lock_explicit import ExplicitRules

EXPLICIT = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*@EXPLICIT\s*$", re.MULTILINE)
# By kind: the outermost keys of the YAML by which a file is recognized, and the reader.
READERS = {
    "pixi": ({"environments", "packages", "version"}, read_pixi_lock),
    "conda-lock": ({"metadata", "package"}, read_conda_lock),
}
NAMES = ("conda-lock.yml", "conda-lock.yaml", "pixi.lock")  # as the tools write them, after a name of the user's choice


def find_lock(
    files: Sequence[Document], specs: Sequence[str], choice: Choice, rules: ExplicitRules
) -> Lock | None:
    """Return the lock among the files, None if there is none; raises InputError if it is not the only input."""
    for document in files:
        file = recognize(document)
        if file is not None:
            if len(files) + len(specs) > 1:
                raise not_alone(document.path)
            return read_lock(file, choice, rules)
    if choice.environment is not None or choice.categories:
        raise InputError("--lock-environment and --lock-category choose from a lock file", remedy="name it with -f")
    return None


def recognize(document: Document) -> LockFile | None:
    """Return a lock file, or None. It is recognized by content, and only then by name."""
    path = document.path
    if EXPLICIT.search(document.data):
        return LockFile(path, "explicit", document.data)
    for kind, (keys, _) in READERS.items():
        if keys <= document.keys and isinstance(document.parsed, Mapping):
            return LockFile(path, kind, document.data, document.parsed)
    if Path(path).name.endswith(NAMES):
        if document.problem is not None:
            raise wrong(path, document.problem)
        if "dependencies" not in document.keys:
            raise wrong(path, "pins no packages", "give the file that conda-lock or pixi has written")
    return None


def read_lock(file: LockFile, choice: Choice, rules: ExplicitRules) -> Lock:
    """Read a lock file by its kind; raises InputError for wrong content, and if it lacks this platform."""
    if choice.environment is not None and file.kind != "pixi":
        raise file.wrong("has no named environments", "leave out --lock-environment")
    if choice.categories and file.kind != "conda-lock":
        raise file.wrong("has no categories", "leave out --lock-category")
    if file.kind == "explicit":
        lock = read_explicit_lock(file, choice, rules)
    else:
        _, read = READERS[file.kind]
        lock = read(file, choice)
    if not lock.packages:
        raise file.wrong(f"pins no conda package for {choice.platform}")
    _refuse_twins(file, lock)
    return lock


def _refuse_twins(file: LockFile, lock: Lock) -> None:
    urls: dict[str, str] = {}
    for package in lock.packages:
        name = package.file_name.rsplit("-", 2)[0]
        if urls.setdefault(name, package.url) != package.url:
            raise file.wrong(f"pins two packages named {name}", "keep one")
