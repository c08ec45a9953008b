"""Read one entry of the cache of frames: the frames of a package, and their description.

Damage is found when an entry is read. The checksum proves only that it is whole, so entries that others could have
written are not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
from typing import IO, TYPE_CHECKING

from coex_bootstrap.format.index import Frame

from ..errors import FramesDamaged
from ..root.source import Staged
from .entry_description import fit, read_description
from .new_file import copy_range

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..root.content import Content
    from .entry_description import Described


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

        Reading the archive back will show frames that end too early. Raises FramesDamaged, and removes the entry, if
        it cannot be read.
        """
        size = sum(size for size, _, _ in self.frames)
        with self.stream:
            copy_range(self.stream.fileno(), 0, size, descriptor, offset, self._unread)

    def _unread(self, error: OSError) -> FramesDamaged:
        self.discard()
        what = f"the frames kept of {self.owner} cannot be read: {error.strerror}"
        return FramesDamaged(what, os.fsencode(self.path))

    def discard(self) -> None:
        """Close and remove the entry: it is about other contents than its name."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Close the file of the entry."""
        self.stream.close()


def open_entry(path: Path) -> Entry | None:
    """Return the entry at `path`; None if it is missing, not whole, of another name, or could be written by others."""
    try:
        stream = _open(path)
    except (OSError, ValueError):
        return None
    try:
        described = read_description(stream)
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


def changed_since(entry: Entry, contents: Iterable[Content]) -> list[Content] | None:
    """Return the files that may have changed since an entry was made; None if it lacks one."""
    changed = []
    for content in contents:
        if content.size:
            place = entry.places.get(content.name_in_group)
            if place is None or (place.edits and content.relocation and not fit(place.edits, content.relocation.kind)):
                return None
            if place.mtime_ns != content.mtime_ns and not isinstance(content.source, Staged):
                changed.append(content)
    return changed
