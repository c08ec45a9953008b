"""Relocate a large file in its place; a binary is never whole in memory."""

import hashlib
import os

from ..format.relocation import BINARY
from .relocate import apply, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Iterable, Optional, Tuple

    from ..format.relocation import Relocation
    from .codesign import Signer


def relocate_file(place, relocation, prefix, signer=None, path=b""):
    # type: (bytes, Relocation, bytes, Optional[Signer], bytes) -> bytes
    """Relocate the file at `place` for `prefix`, and sign it; return its sha256 in hexadecimal."""
    with open(place, "r+b") as stream:
        relocate(stream, relocation, prefix, signer, path)
        return sha256_of(stream)


def relocate(stream, relocation, prefix, signer=None, path=b""):
    # type: (BinaryIO, Relocation, bytes, Optional[Signer], bytes) -> None
    """Relocate an open file in its place, and sign it; `path` is its path in the root."""
    if relocation.kind == BINARY:
        patch(stream, relocation, prefix)
        if signer:
            signer.sign_file(stream, path)
        return
    stream.seek(0)
    data = apply(relocation, stream.read(), prefix)
    stream.seek(0)
    stream.write(data)
    stream.truncate()


def patch(stream, relocation, prefix):
    # type: (BinaryIO, Relocation, bytes) -> None
    """Relocate a large binary in place: only its strings are read and written."""

    def read(first, last):
        # type: (int, int) -> bytes
        stream.seek(first)
        return stream.read(last - first)

    stream.seek(0, os.SEEK_END)  # which also writes what is still in its buffer
    size = stream.tell()
    for start, string in list(strings(relocation, prefix, size, read)):
        stream.seek(start)
        stream.write(string)


def fill(path, pieces):
    # type: (bytes, Iterable[Tuple[int, bytes]]) -> None
    """Write `pieces`, (offset, bytes) each, over the bytes at these offsets of the file at `path`."""
    with open(path, "r+b") as stream:
        for offset, data in pieces:
            stream.seek(offset)
            stream.write(data)


def sha256_of(stream):
    # type: (BinaryIO) -> bytes
    """Return the sha256 of an open file, in hexadecimal."""
    total = hashlib.sha256()
    stream.seek(0)
    for piece in iter(lambda: stream.read(1 << 20), b""):
        total.update(piece)
    return total.hexdigest().encode("ascii")
