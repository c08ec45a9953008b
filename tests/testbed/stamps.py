"""Find out whether something that was built before is up to date with its inputs."""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def digest(*inputs: Path | str) -> str:
    """Return one hash over the contents of files and over strings."""
    total = hashlib.sha256()
    for item in inputs:
        content = item.encode() if isinstance(item, str) else item.read_bytes()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def is_fresh(stamp: Path, value: str) -> bool:
    """Say whether the stamp file holds this value."""
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == value


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two test runs do not prepare one directory at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
