"""Keep the frames of packages under conda's package cache, so that each package is compressed once.

One file for each package, level and format. It is written beside its place and renamed, so it is whole or not there.
Only its user reads it: packages of pip and files of live environments may be private.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
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
LONG, SLOT, MARK = 40, 16, "-"  # digits of a name, and of a slot before it
DAY = 24 * 3600  # seconds; leftovers of a killed build are removed after one
UNUSED = 60 * DAY  # after which an entry is removed, if no build has used it


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
            self.file.commit(0o600, durable=False)  # readers compare checksums
            self.cache.keep_alone(self.name)
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

    def path(self, identity: str, slot: str | None = None) -> Path | None:
        """Return the place of an entry; `identity` has all that its content depends on, except format and level."""
        if self.directory is None:
            return None
        name = self._hashed(identity)[:LONG]
        if slot is not None:
            name = f"{self._hashed(slot)[:SLOT]}{MARK}{name}"
        return self.directory / f"{name}.frames"

    def _hashed(self, text: str) -> str:
        return hashlib.sha256(f"{FORMAT_VERSION} {recipe(self.level)} {text}".encode()).hexdigest()

    def open(self, identity: str | None, slot: str | None = None) -> Entry | None:
        """Return the entry of an identity, or None if there is no complete one."""
        path = self.path(identity, slot) if identity is not None else None
        entry = open_entry(path) if path is not None else None
        if entry is not None:
            _note_use(entry)
        return entry

    def writer(self, identity: str | None, owner: str, slot: str | None = None) -> EntryWriter | None:
        """Return a writer for the frames of an identity, None if they are not kept; messages show `owner`."""
        path = self.path(identity, slot) if identity is not None else None
        return EntryWriter(path, owner, self) if path is not None else None

    def keep_alone(self, name: str) -> None:
        """Remove the entries that had the slot of an entry before it."""
        slot, mark, _ = name.partition(MARK)
        for path in self.directory.glob(f"{slot}{MARK}*.frames") if self.directory and mark else ():
            if path.name != name:
                with contextlib.suppress(OSError):
                    path.unlink()

    def sweep(self) -> None:
        """Remove the leftovers of killed builds, and entries that no build has used for long."""
        if self.directory is None:
            return
        for paths, seconds in ((unfinished(self.directory), DAY), (entries(self.directory), UNUSED)):
            for path in paths:
                with contextlib.suppress(OSError):  # a build has given it its name or removed it, or it has to stay
                    if abs(time.time() - path.lstat().st_mtime) > seconds:  # the clock may have been set back
                        path.unlink()


def _note_use(entry: Entry) -> None:
    """Give an entry the present time, at most once a day: `sweep` removes those that were not used for long."""
    descriptor = entry.stream.fileno()
    if abs(time.time() - os.fstat(descriptor).st_mtime) > DAY:
        with contextlib.suppress(OSError):  # a disk that is read-only now
            os.utime(descriptor)


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


def last_use(path: Path) -> float:
    """Return when a build has used an entry, in seconds since 1970, by a day or less; now for one that is gone."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return time.time()


def unfinished(directory: Path) -> list[Path]:
    """Return the files that builds are writing now, or left when they were killed."""
    return list(directory.glob(".*.frames.*")) if directory.is_dir() else []
