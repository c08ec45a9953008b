"""What the files of an archive contain in a prefix: decoded, relocated for that place, frame by frame."""

import os
import shutil
import tempfile

from ..base.compat import path_bytes
from ..base.errors import ArchiveDamaged
from ..format.manifest import LIBZSTD
from ..store.trust import leads_safely
from .codesign import load_signer
from .large_file import relocate, sha256_of
from .relocate import apply, hash_content
from .zstd import open_decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Dict, Iterator, Optional, Sequence, Tuple

    from ..format.archive import Archive
    from ..format.relocation import Slot
    from .zstd import Decoder


def load_decoder(archive):
    # type: (Archive) -> Decoder
    """Return a decoder, by the archive's own libzstd if the host can load it; raises DecoderMissing."""
    if LIBZSTD not in archive.members:
        return open_decoder()
    place = _temporary_place()
    if place is None:
        return open_decoder()
    directory = tempfile.mkdtemp(prefix="coex-", dir=place)
    try:
        path = os.path.join(directory, "libzstd.so")
        with open(path, "wb") as stream:
            stream.write(archive.members[LIBZSTD])
        return open_decoder(path_bytes(path))
    finally:
        shutil.rmtree(directory, ignore_errors=True)  # it is mapped


def _temporary_place():
    # type: () -> Optional[str]
    """Return a directory where nobody else can change what this process loads; None if there is none."""
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        try:
            if leads_safely(path_bytes(place)):
                return place
        except EnvironmentError:
            continue
    return None


class Contents(object):
    """The files of `archive` as unpacking writes them for an environment at `prefix`."""

    def __init__(self, archive, prefix, decoder):
        # type: (Archive, bytes, Decoder) -> None
        self.archive, self.prefix, self.decoder = archive, prefix, decoder
        self.files = archive.index.files
        self.signer = load_signer(archive.manifest.platform)
        self.large = set(self.files.large)
        self.relocations = self.files.relocations
        self.hashed = self.files.hashed

    def decode(self, number):
        # type: (int) -> bytes
        """Return the content of a frame; raises ArchiveDamaged."""
        try:
            content = self.decoder(self.archive.frame(number), self.archive.index.frames[number].content)
        except ArchiveDamaged as error:
            raise ArchiveDamaged(error.what, self.archive.path)
        return content if isinstance(content, bytes) else content.tobytes()

    def of_frame(self, number, whole=None):
        # type: (int, Optional[bytes]) -> Iterator[Tuple[int, bytes]]
        """Yield (row, content) of the files that begin in a frame; large ones are left out, hashes in others are open.

        `whole` is the content of the frame, if it is decoded already.
        """
        first, last = self.files.rows_of(number)
        rows = [row for row in range(first, last) if row not in self.large]
        if whole is None:
            whole = self.decode(number) if rows else b""
        for row in rows:
            start = self.files.offsets[row]
            content = whole[start : start + self.files.sizes[row]]
            if row in self.relocations and row not in self.hashed:
                relocation = self.archive.index.relocation(row)
                content = apply(relocation, content, self.prefix, self.signer, self.files.path(row))
            yield row, content

    def of_path(self, inside):
        # type: (bytes) -> bytes
        """Return the content of one small file of the archive."""
        row = next(row for row in range(len(self.files)) if self.files.path(row) == inside)
        return dict(self.of_frame(self.files.frames[row])).get(row, b"")

    def whole(self, row):
        # type: (int) -> bytes
        """Return the content of a file that spans frames, before it is relocated; hashes in it are open."""
        return b"".join(map(self.decode, self.archive.index.frames_of(row)))

    def write_large(self, row, stream):
        # type: (int, BinaryIO) -> None
        """Write the content of a file that spans frames into an empty file."""
        for number in self.archive.index.frames_of(row):
            stream.write(self.decode(number))
        if row in self.relocations:
            relocate(stream, self.archive.index.relocation(row), self.prefix, self.signer, self.files.path(row))

    def hash_large(self, row):
        # type: (int) -> bytes
        """Return the sha256 of a file that spans frames, in hexadecimal: it is made in a temporary file."""
        with tempfile.TemporaryFile() as stream:
            self.write_large(row, stream)
            return sha256_of(stream)

    def fill(self, row, content, hashes):
        # type: (int, bytes, Dict[int, bytes]) -> bytes
        """Return the content of a file with `hashes`, the sha256 of relocated files by row, in its slots."""
        data = bytearray(content)
        for source, offset in self.slots(row):
            known = hashes[source] if isinstance(source, int) else self._hash_content(source)
            data[offset : offset + len(known)] = known
        return bytes(data)

    def _hash_content(self, source):
        # type: (Tuple[int, int, int, bytes]) -> bytes
        return hash_content(source, self.decode, self.archive.index.placeholders, self.prefix, self.signer)

    def slots(self, row):
        # type: (int) -> Sequence[Slot]
        """Return (source, offset) for each hash that a file holds."""
        return tuple(self.archive.index.relocation(row).slots)
