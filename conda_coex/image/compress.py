"""Compress a stream on all cores; the result depends on the bytes alone, not on the number of cores."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import zstandard
from coex_bootstrap.base.cpu_count import usable_cores

from .media_types import GZIP, ZSTD

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 1 << 20  # bytes that one thread compresses at a time
WINDOW = 32 << 10  # bytes before a block that deflate may refer to
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: no name, no time, of no system
LEVELS = {GZIP: 6, ZSTD: 3}
SMALL = 1 << 10  # bytes of zstd that are decoded at a time: they may grow to 32,000 times as many


class Readable(Protocol):
    """Gives bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most that many bytes, none at the end."""


class Compressor(Protocol):
    """Takes bytes, and writes them compressed to where its maker said."""

    def write(self, data: bytes) -> object:
        """Take more bytes."""

    def close(self) -> None:
        """Write the rest."""


def compressor(kind: str, write: Callable[[bytes], object]) -> Compressor:
    """Return a compressor, which gives its results to `write`."""
    return Gzip(write) if kind == GZIP else Zstd(write)


class Gzip:
    """One gzip member of blocks (RFC 1951), each made on its own, with the end of the one before as its dictionary."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._left, self._before = write, bytearray(), b""
        self._sum, self._size = 0, 0
        self._workers = usable_cores()
        self._pool = ThreadPoolExecutor(self._workers)
        self._steps: deque[Future[bytes]] = deque()
        write(GZIP_HEAD)

    def write(self, data: bytes) -> None:
        """Take more bytes."""
        self._sum = zlib.crc32(data, self._sum)
        self._size += len(data)
        self._left += data
        while len(self._left) > BLOCK:
            self._begin(bytes(self._left[:BLOCK]), last=False)
            del self._left[:BLOCK]

    def _begin(self, block: bytes, *, last: bool) -> None:
        self._steps.append(self._pool.submit(_deflate, block, self._before, last))
        self._before = block[-WINDOW:]
        while len(self._steps) > 2 * self._workers:
            self._write(self._steps.popleft().result())

    def close(self) -> None:
        """Write the rest."""
        try:
            self._begin(bytes(self._left), last=True)
            while self._steps:
                self._write(self._steps.popleft().result())
            self._write(struct.pack("<2L", self._sum, self._size & 0xFFFFFFFF))
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _deflate(block: bytes, before: bytes, last: bool) -> bytes:
    deflate = zlib.compressobj(LEVELS[GZIP], zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return deflate.compress(block) + deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


class Zstd:
    """One zstd frame (RFC 8878)."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        # With any number of threads, zstd cuts its input at the same places.
        self._made = zstandard.ZstdCompressor(level=LEVELS[ZSTD], threads=usable_cores()).compressobj()

    def write(self, data: bytes) -> None:
        """Take more bytes."""
        self._write(self._made.compress(data))

    def close(self) -> None:
        """Write the rest."""
        self._write(self._made.flush())


def open_decompressed(stream: Readable, kind: str) -> Readable:
    """Return a reader of the decompressed bytes of a stream, which raises one of DAMAGED."""
    if kind == GZIP:
        import gzip

        return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[call-overload,no-any-return]
    return _ZstdReader(stream) if kind == ZSTD else stream


class _ZstdReader:
    """Reads zstd frames; a stream that ends within one raises EOFError, which the library's reader does not tell."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._left, self._at = stream, b"", 0
        self._frame: zstandard.ZstdDecompressionObj | None = None

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, that many at most, or none at the end."""
        while self._at == len(self._left):
            data = (self._frame.unused_data if self._frame and self._frame.eof else b"") or self._stream.read(SMALL)
            if not data:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("it ends within a frame")
                return b""
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._left, self._at = self._frame.decompress(data), 0
        data = self._left[self._at : len(self._left) if size < 0 else self._at + size]
        self._at += len(data)
        return data


DAMAGED = (OSError, EOFError, zlib.error, zstandard.ZstdError)
