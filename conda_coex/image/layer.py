"""Write a layer: a tar whose bytes depend on its entries alone, compressed, with its two digests."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ..errors import ImageError
from . import media_types
from .compress import compressor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WHITEOUT = b".wh."  # how names begin that remove files of layers below (image-spec, layer.md)
OF_OWNERS = 0o1777  # of a mode: in an image, setuid would be for root


@dataclass(frozen=True)
class Layer:
    """A layer: `open` reads its blob; `diff_id` is the digest of the tar in it."""

    media_type: str
    digest: str  # sha256:...
    size: int  # bytes of the blob
    diff_id: str
    open: Callable[[], IO[bytes]]
    about: str = ""  # for the history; a base has its own
    base: bytes | None = None  # the file or directory of the base that the blob is in


class LayerWriter:
    """Writes a layer into `stream`; all entries belong to root, and have whole seconds."""

    def __init__(self, stream: IO[bytes], compression: str) -> None:
        self._stream, self._compression = stream, compression
        self._size, self._tar_size = 0, 0
        self._digest, self._diff_id = hashlib.sha256(), hashlib.sha256()
        self._compressor = compressor(compression, self._put)

    def add_directory(self, path: bytes, mode: int, date: int) -> None:
        """Add a directory."""
        self._add(self._entry(path + b"/", tarfile.DIRTYPE, mode, date))

    def add_link(self, path: bytes, target: bytes, date: int) -> None:
        """Add a symbolic link."""
        entry = self._entry(path, tarfile.SYMTYPE, 0o777, date)
        entry.linkname = _decoded(target)
        self._add(entry)

    def add_file(self, path: bytes, mode: int, date: int, size: int, pieces: Iterable[bytes]) -> None:
        """Add a file, whose content comes in pieces."""
        entry = self._entry(path, tarfile.REGTYPE, mode, date)
        entry.size = size
        self._add(entry)
        done = 0
        for piece in pieces:
            self._write(piece)
            done += len(piece)
        if done != size:
            raise ImageError(f"has {done} bytes in its place, and should have {size}", path)
        self._write(b"\0" * (-size % tarfile.BLOCKSIZE))

    def close(self, about: str) -> Layer:
        """Finish the layer, which is read from the stream from now on."""
        end = 2 * tarfile.BLOCKSIZE
        self._write(b"\0" * (end + -(self._tar_size + end) % tarfile.RECORDSIZE))
        self._compressor.close()
        return Layer(
            media_types.of_layer(self._compression),
            f"sha256:{self._digest.hexdigest()}",
            self._size,
            f"sha256:{self._diff_id.hexdigest()}",
            reread(self._stream),
            about,
        )

    def _entry(self, path: bytes, kind: bytes, mode: int, date: int) -> tarfile.TarInfo:
        """Return the entry of a path; raises ImageError for a name that an engine takes for an order."""
        if any(name.startswith(WHITEOUT) for name in path.split(b"/")):
            raise ImageError("cannot be in an image: names that begin with .wh. remove files there", path)
        entry = tarfile.TarInfo(_decoded(path))
        entry.type, entry.mode, entry.mtime = kind, mode & OF_OWNERS, max(date, 0)
        return entry

    def _add(self, entry: tarfile.TarInfo) -> None:
        self._write(entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))

    def _write(self, data: bytes) -> None:
        self._diff_id.update(data)
        self._tar_size += len(data)
        self._compressor.write(data)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        self._stream.write(data)


def _decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def reread(stream: IO[bytes], start: int = 0, size: int = sys.maxsize) -> Callable[[], IO[bytes]]:
    """Return a function that opens a part of a file again, by default all of it: it may have no name."""
    stream.flush()
    return lambda: io.BufferedReader(_Reading(stream, start, size))


class _Reading(io.RawIOBase):
    """Reads a file that is open elsewhere, at a position of its own."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        self._stream, self._at, self._left = stream, start, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        into = memoryview(buffer)  # type: ignore[arg-type]
        data = os.pread(self._stream.fileno(), min(len(into), self._left), self._at)
        into[: len(data)] = data
        self._at += len(data)
        self._left -= len(data)
        return len(data)
