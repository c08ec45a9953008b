"""Keep the frames of packages under conda's package cache, so that each package is compressed once.

One file for each package, level and format. It is written beside its place and renamed, so it is whole or not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, cast

from coex_bootstrap.format.manifest import FORMAT_VERSION

from .cache_entry import open_entry
from .entry_description import Described, dump
from .frames import recipe
from .new_file import NewFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..root.conda_meta import Slots
    from ..root.content import Content
    from .cache_entry import Entry
    from .frames import Packed, Place

DIRECTORY = ".coex-frames"
ABANDONED = 24 * 3600  # seconds after which the leftovers of a killed build are removed


class EntryWriter:
    """Writes one entry while its package is compressed; a disk without room ends the entry, not the build."""

    def __init__(self, path: Path, owner: str, cache: FrameCache) -> None:
        self.name, self.owner, self.cache = path.name, owner, cache
        self.file: NewFile | None = None
        try:
            path.parent.mkdir(0o755, parents=True, exist_ok=True)
            self.file = NewFile(path)
        except OSError:
            cache.takes_more = False

    def write(self, packed: Packed) -> None:
        """Append a frame."""
        if self.file is not None:
            try:
                self.file.stream.write(packed.data)
            except OSError:
                self._give_up()

    def commit(self, frames: list[tuple[int, int, str]], places: dict[str, Place], contents: Iterable[Content]) -> None:
        """Append the description of the frames, which hold the contents, and give the entry its place."""
        if self.file is None:
            return
        slots = {
            item.name_in_group: cast("Slots", item.relocation.slots)
            for item in contents
            if item.relocation is not None and item.relocation.slots
        }
        described = Described(self.name, self.owner, self.cache.level, frames, places, slots)
        try:
            self.file.stream.write(dump(described))
            self.file.commit(0o644, durable=False)  # readers compare checksums
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        self.cache.takes_more = False
        self.abandon()

    def abandon(self) -> None:
        """Leave nothing."""
        if self.file is not None:
            self.file.abandon()
            self.file = None


class FrameCache:
    """The entries of one compression level in a directory; without a directory nothing is kept."""

    def __init__(self, directory: Path | None, level: int) -> None:
        self.directory, self.level = directory, level
        self.takes_more = True  # until an entry cannot be written, as on a full disk

    def path(self, identity: str) -> Path | None:
        """Return the place of an entry; `identity` has all that its content depends on, except format and level."""
        if self.directory is None:
            return None
        key = f"{FORMAT_VERSION} {recipe(self.level)} {identity}"
        return self.directory / (hashlib.sha256(key.encode()).hexdigest()[:40] + ".frames")

    def open(self, identity: str | None) -> Entry | None:
        """Return the entry of an identity, or None if there is no complete one."""
        path = self.path(identity) if identity is not None else None
        return open_entry(path) if path is not None else None

    def writer(self, identity: str | None, owner: str) -> EntryWriter | None:
        """Return a writer for the frames of an identity, None if they are not kept; messages show `owner`."""
        path = self.path(identity) if identity is not None else None
        return EntryWriter(path, owner, self) if path is not None else None

    def sweep(self) -> None:
        """Remove the leftovers of killed builds."""
        for path in unfinished(self.directory) if self.directory else ():
            with contextlib.suppress(OSError):  # the build that writes it has given it its name, or it has to stay
                if path.stat().st_mtime < time.time() - ABANDONED:
                    path.unlink()


def entries(directory: Path) -> list[Path]:
    """Return the files of the cache, largest first."""
    paths = [path for path in directory.glob("*.frames") if path.name[0] != "."] if directory.is_dir() else []
    return sorted(paths, key=lambda path: (-size_of(path), path.name))


def size_of(path: Path) -> int:
    """Return the size of a file of the cache, 0 if a build has renamed or removed it meanwhile; of a link, its own."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def unfinished(directory: Path) -> list[Path]:
    """Return the files that builds are writing now, or left when they were killed."""
    return list(directory.glob(".*.frames.*")) if directory.is_dir() else []
