"""Keep the frames of packages under conda's package cache, so that each package is compressed once.

One file for each package, level and format: frames, a JSON description of them, its size and checksum, and a mark. It
is written beside its place and renamed, so it is whole or not there. Later damage is found when it is read. The
checksum proves only that an entry is whole, so entries that others could have written are not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import struct
import time
import zlib
from typing import IO, TYPE_CHECKING, cast

from coex_bootstrap.format.index import Frame
from coex_bootstrap.format.manifest import FORMAT_VERSION

from ..errors import FramesDamaged
from .entry_description import Description, fit, parse
from .frames import recipe
from .new_file import NewFile, copy_range

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..root.conda_meta import Slots
    from ..root.content import Content
    from .entry_description import Described
    from .frames import Packed, Place

DIRECTORY = ".coex-frames"
END = struct.Struct("<QL8s")  # length and crc32 of the description, mark
MARK = b"coexfrm6"
ABANDONED = 24 * 3600  # seconds after which the leftovers of a killed build are removed


class Entry:
    """The frames of one package, open for reading: `frames` (size, content size, sha256), `places` by origin.

    `slots` are the places of hashes in records, by origin.
    """

    def __init__(self, path: Path, stream: IO[bytes], described: Described) -> None:
        self.path, self.stream = path, stream
        self.frames, self.places, self.slots = described.frames, described.places, described.slots
        self.owner, self.level = described.owner, described.level

    def frames_at(self, offset: int) -> list[Frame]:
        """Return the rows of the frames in a payload, if the first is at an offset."""
        rows = []
        for size, content, sha256 in self.frames:
            rows.append(Frame(offset, size, content, sha256.encode()))
            offset += size
        return rows

    def check(self) -> None:
        """Compare the frames with their hashes; raises FramesDamaged, and removes the entry then.

        Something else may be in its place now, or nothing.
        """
        if not self._is_whole():
            self.discard()
            raise FramesDamaged(f"the frames kept of {self.owner} were altered", os.fsencode(self.path))

    def _is_whole(self) -> bool:
        try:
            with _open(self.path) as stream:
                return all(hashlib.sha256(stream.read(size)).hexdigest() == sha256 for size, _, sha256 in self.frames)
        except (OSError, ValueError):
            return False

    def copy(self, descriptor: int, offset: int) -> None:
        """Write the bytes of all frames to a place in another file, in any thread, and close the entry.

        Reading the archive back will show frames that end too early.
        """
        with self.stream:
            copy_range(self.stream.fileno(), 0, sum(size for size, _, _ in self.frames), descriptor, offset)

    def discard(self) -> None:
        """Close and remove the entry: it is about other contents than its name."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Close the file of the entry."""
        self.stream.close()


def changed_since(entry: Entry, contents: Iterable[Content]) -> list[Content] | None:
    """Return the files that may have changed since an entry was made; None if it lacks one."""
    changed = []
    for content in contents:
        if content.size:
            place = entry.places.get(content.name_in_group)
            if place is None or (place.edits and content.relocation and not fit(place.edits, content.relocation.kind)):
                return None
            if place.mtime_ns != content.mtime_ns:
                changed.append(content)
    return changed


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
        rows = places.values()
        fields = Description(
            name=self.name,
            owner=self.owner,
            level=self.cache.level,
            frames=frames,
            origins=list(places),
            places=(
                [row.frame for row in rows],
                [row.offset for row in rows],
                [row.size for row in rows],
                [row.mtime_ns for row in rows],
            ),
            edits={origin: row.edits for origin, row in places.items() if row.edits is not None},
            slots={
                item.name_in_group: cast("Slots", item.relocation.slots)
                for item in contents
                if item.relocation is not None and item.relocation.slots
            },
        )
        description = json.dumps(fields, separators=(",", ":")).encode()
        try:
            self.file.stream.write(description + END.pack(len(description), zlib.crc32(description), MARK))
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


def open_entry(path: Path) -> Entry | None:
    """Return the entry at `path`; None if it is missing, not whole, of another name, or could be written by others."""
    try:
        stream = _open(path)
    except (OSError, ValueError):
        return None
    try:
        described = _describe(stream)
        if described.name != path.name:
            raise ValueError("an entry that had another name")
        return Entry(path, stream, described)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, struct.error):
        stream.close()
        return None


def _open(path: Path) -> IO[bytes]:
    """Open an entry; raises OSError, and ValueError if others could have written it."""
    # A link could lead to a file of others, and a pipe would wait for a writer
    stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    state = os.fstat(stream.fileno())
    if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        stream.close()
        raise ValueError("an entry that others could have written")
    return stream


def _describe(stream: IO[bytes]) -> Described:
    size = stream.seek(0, 2)
    stream.seek(size - END.size)
    length, checksum, mark = END.unpack(stream.read())
    stream.seek(size - END.size - length)
    text = stream.read(length)
    if mark != MARK or zlib.crc32(text) != checksum:
        raise ValueError("an entry that is not whole")
    described = parse(text)
    if sum(row[0] for row in described.frames) + length + END.size != size:
        raise ValueError("an entry of another size")
    return described


def entries(directory: Path) -> list[Path]:
    """Return the files of the cache, largest first."""
    paths = [path for path in directory.glob("*.frames") if path.name[0] != "."] if directory.is_dir() else []
    return sorted(paths, key=lambda path: (-size_of(path), path.name))


def size_of(path: Path) -> int:
    """Return the size of a file of the cache, 0 if a build has renamed or removed it meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def unfinished(directory: Path) -> list[Path]:
    """Return the files that builds are writing now, or left when they were killed."""
    return list(directory.glob(".*.frames.*")) if directory.is_dir() else []
