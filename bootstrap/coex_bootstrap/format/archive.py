"""Read an archive: its tail, checked against its digest, and its frames."""

import errno
import os
from stat import S_ISDIR, S_ISREG

from ..base import compat
from ..base.errors import ArchiveDamaged, ArchiveUnreadable, CoexError
from .manifest import (
    INDEX, MAIN, MANIFEST, PACKAGE, PRELUDE, PYTHON, SEAL_SIZE, digest, fill_prelude, found_digest, load_manifest, python_id,
    python_mark,
)
from .index_check import check_sizes
from .index_read import load_index
from .tail import read_tail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Optional, Tuple

    from .index import Index

PRELUDE_START = b"#!/bin/sh\n{ : coex - this archive"
OLD_START = b"#!/bin/sh\n# This is a coex archive"  # of archives made before that


def is_start(data):
    # type: (bytes) -> bool
    """Return whether the first bytes of a file are those of an archive."""
    return data.startswith((PRELUDE_START, OLD_START))


class Archive(object):
    """An open archive: `manifest`, `index`, the tail's members, and `frame(n)`.

    It is read from `stream`, if that is given: it may not have its path yet.
    Raises ArchiveDamaged if the file is truncated, altered in its tail, or not an archive, and ArchiveUnreadable.
    """

    def __init__(self, path, stream=None):
        # type: (bytes, Optional[BinaryIO]) -> None
        self.path = path
        self.stream = stream or opened(path)
        try:
            self._opened = self._state()
            self._read_tail()
        except EnvironmentError as error:
            self.stream.close()
            raise unreadable(error, path)
        except CoexError as error:
            self.stream.close()
            if error.path is None:
                error.path = path
            raise

    def _read_tail(self):
        # type: () -> None
        self._check_beginning()
        self.members, self.tail_size = read_tail(self.stream)
        for name in (MANIFEST, INDEX, PACKAGE + "/" + PRELUDE):
            if name not in self.members:
                raise ArchiveDamaged("it has no member %s" % name)
        self.manifest = load_manifest(self.members[MANIFEST])
        if not self._has_digest():
            raise ArchiveDamaged("its content differs from its digest")
        self._check_python()
        self._index = None  # type: Optional[Index]
        self._check_size()
        self._check_prelude()

    def _has_digest(self):
        # type: () -> bool
        """Return whether the members have the digest of the manifest, whose spelling may be other than that of a builder."""
        if found_digest(self.manifest, self.members) == self.manifest.digest:
            return True
        members = dict((name, data) for name, data in self.members.items() if name != MANIFEST)
        return digest(self.manifest, members) == self.manifest.digest

    def _check_beginning(self):
        # type: () -> None
        if not is_start(compat.read_at(self.stream, 0, len(OLD_START))):
            raise ArchiveDamaged("it does not begin like one")

    def _check_size(self):
        # type: () -> None
        """Compare the sum of the sizes: a byte more or less in the payload moves every frame."""
        size = os.fstat(self.stream.fileno()).st_size
        if self.manifest.prelude + self.manifest.payload + SEAL_SIZE + self.tail_size != size:
            raise ArchiveDamaged("it has another size than it says")

    def _check_python(self):
        # type: () -> None
        """Compare the manifest with the Python that the archive carries, if it does."""
        described, data = self.manifest.python, self.members.get(PYTHON)
        if described is None and data is None:
            return
        if described is None or data is None or described["id"] != python_id(data):
            raise ArchiveDamaged("its Python is not the one that its manifest names")
        if MAIN not in self.members:
            raise ArchiveDamaged("it has no member %s" % MAIN)

    def _check_prelude(self):
        # type: () -> None
        text = self.members[PACKAGE + "/" + PRELUDE]
        mark = python_mark(self.manifest, self.members)
        prelude = fill_prelude(text, self.manifest.root_name, self.manifest.platform, mark)
        if compat.read_at(self.stream, 0, self.manifest.prelude) != prelude:
            raise ArchiveDamaged("its first lines were altered")

    @property
    def index(self):
        # type: () -> Index
        """The index, read and checked at the first use; raises ArchiveDamaged and FormatUnknown."""
        if self._index is None:
            try:
                index = load_index(self.members[INDEX])
                check_sizes(index, self.manifest.payload, self.manifest.unpacked)
            except CoexError as error:
                error.path = self.path
                raise
            self._index = index
        return self._index

    def frame(self, number):
        # type: (int) -> bytes
        """Return the compressed bytes of a frame; raises ArchiveDamaged and ArchiveUnreadable."""
        frame = self.index.frames[number]
        try:
            data = compat.read_at(self.stream, self.manifest.prelude + frame.offset, frame.size)
        except EnvironmentError as error:
            raise unreadable(error, self.path)
        if len(data) != frame.size:
            raise ArchiveDamaged("it ends within its payload", self.path)
        return data

    def check_unchanged(self, remedy="start it again"):
        # type: (str) -> None
        """Raise CoexError if the file has changed since it was opened: `cp` writes into an existing file."""
        try:
            is_as_opened = self._state() == self._opened
        except EnvironmentError as error:
            raise unreadable(error, self.path)
        if not is_as_opened and not all(map(self._is_whole, range(len(self.index.frames)))):
            raise CoexError("the archive was changed while it was unpacked", self.path, remedy)

    def _is_whole(self, number):
        # type: (int) -> bool
        try:
            sha256 = compat.sha256(self.frame(number)).hexdigest().encode("ascii")
            return bool(sha256 == self.index.frames[number].sha256)
        except ArchiveDamaged:
            return False

    def _state(self):
        # type: () -> Tuple[int, float]
        state = os.fstat(self.stream.fileno())
        return state.st_size, state.st_mtime

    def reopen(self):
        # type: () -> None
        """Open the file again after a fork, if reads move the file position, which the processes share; raises CoexError."""
        if compat.READS_AT:
            return  # it is still the same file, even if its path leads to another one now
        try:
            again = open(self.path, "rb")
        except EnvironmentError as error:
            if error.errno != errno.ENOENT:
                raise unreadable(error, self.path)
            raise CoexError("the archive was removed while it was unpacked", self.path, "put it there again")
        if not os.path.sameopenfile(again.fileno(), self.stream.fileno()):
            again.close()
            raise CoexError("the archive was replaced while it was unpacked", self.path, "start it again")
        shared, self.stream = self.stream, again
        shared.close()

    def close(self):
        # type: () -> None
        """Close the file."""
        self.stream.close()


def opened(path):
    # type: (bytes) -> BinaryIO
    """Return the file at a path, open for reading; raises ArchiveUnreadable."""
    try:
        mode = os.stat(path).st_mode
        if not (S_ISREG(mode) or S_ISDIR(mode)):  # a pipe would block this process
            raise ArchiveUnreadable("it is not a file", path)
        return open(path, "rb")
    except EnvironmentError as error:
        raise unreadable(error, path)


def unreadable(error, path):
    # type: (EnvironmentError, bytes) -> ArchiveUnreadable
    """Return the error for a failed read of an archive: another place to unpack would not help."""
    remedies = {errno.EIO: "its medium, or the server that has it, fails", errno.ESTALE: "start it again"}
    return ArchiveUnreadable(error.strerror or str(error), path, remedies.get(error.errno or 0))
