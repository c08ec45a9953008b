"""Read an archive: its tail, checked against its digest, and its frames."""

import os
import struct
import zipfile
import zlib

from . import format as form
from .errors import ArchiveDamaged, CoexError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Dict, Optional, Tuple

# What zipfile raises for bytes that are no zip, over the versions of Python.
BROKEN_ZIP = (
    zipfile.BadZipfile, zlib.error, struct.error, EOFError, IOError, OSError, KeyError, ValueError,
    NotImplementedError, RuntimeError,
)
PRELUDE_START = b"#!/bin/sh\n# This is a coex archive"
END = b"PK\5\6" + b"\0" * 18  # a zip's last record; not every Python starts a file that goes on behind it


class Archive(object):
    """An open archive: `manifest`, `index`, the tail's members, and `frame(n)`.

    Raises ArchiveDamaged where the file is truncated, altered in its tail, or no archive.
    """

    def __init__(self, path):
        # type: (bytes) -> None
        self.path = path
        try:
            self.stream = open(path, "rb")  # type: BinaryIO
        except (IOError, OSError) as error:
            raise CoexError("the archive cannot be read: %s" % error.strerror, path)
        try:
            self._read_tail()
        except CoexError as error:
            self.stream.close()
            if error.path is None:
                error.path = path
            raise

    def _read_tail(self):
        # type: () -> None
        if self.stream.read(len(PRELUDE_START)) != PRELUDE_START:
            raise ArchiveDamaged("it does not begin as one")
        self.members, self.tail_size = read_tail(self.stream)
        self.manifest = form.load_manifest(self.members[form.MANIFEST])
        others = dict((n, data) for n, data in self.members.items() if n != form.MANIFEST)
        if form.digest(self.manifest, others) != self.manifest.digest:
            raise ArchiveDamaged("its content is not what its digest says")
        self._index = None  # type: Optional[form.Index]
        self._check_size()
        self._check_prelude()

    def _check_size(self):
        # type: () -> None
        """The sizes must add up: a byte more or less in the payload moves every frame."""
        size = os.fstat(self.stream.fileno()).st_size
        if self.manifest.prelude + self.manifest.payload + self.tail_size != size:
            raise ArchiveDamaged("it has another size than it says")

    def _check_prelude(self):
        # type: () -> None
        text = self.members[form.PACKAGE + "/" + form.PRELUDE]
        self.stream.seek(0)
        prelude = form.fill_prelude(text, self.manifest.root_name, self.manifest.platform)
        if self.stream.read(self.manifest.prelude) != prelude:
            raise ArchiveDamaged("its first lines were altered")

    @property
    def index(self):
        # type: () -> form.Index
        """The index, read and checked at the first use."""
        if self._index is None:
            self._index = form.load_index(self.members[form.INDEX])
            payload = self.manifest.payload
            if any(frame.offset + frame.size > payload for frame in self._index.frames):
                raise ArchiveDamaged("its index names a frame outside the payload", self.path)
        return self._index

    def frame(self, number):
        # type: (int) -> bytes
        """Return the compressed bytes of a frame."""
        frame = self.index.frames[number]
        self.stream.seek(self.manifest.prelude + frame.offset)
        data = self.stream.read(frame.size)
        if len(data) != frame.size:
            raise ArchiveDamaged("it ends within its payload", self.path)
        return data

    def reopen(self):
        # type: () -> None
        """Read from a file position of one's own: what a process does after fork."""
        with_position, self.stream = self.stream, open(self.path, "rb")
        with_position.close()

    def close(self):
        # type: () -> None
        self.stream.close()


def read_tail(stream):
    # type: (BinaryIO) -> Tuple[Dict[str, bytes], int]
    """Return the members of the zip at the end of `stream`, and its size in bytes; raises ArchiveDamaged."""
    try:
        stream.seek(-len(END), os.SEEK_END)
        if not stream.read().startswith(END[:4]):
            raise zipfile.BadZipfile("it does not end as one")
        with zipfile.ZipFile(stream) as tail:
            members = dict((name, tail.read(name)) for name in tail.namelist())
            first = min(info.header_offset for info in tail.infolist())
    except BROKEN_ZIP as error:
        raise ArchiveDamaged("its last bytes are no zip: %s" % error)
    for name in (form.MANIFEST, form.INDEX, form.PACKAGE + "/" + form.PRELUDE):
        if name not in members:
            raise ArchiveDamaged("it has no member %s" % name)
    stream.seek(0, os.SEEK_END)
    return members, stream.tell() - first
