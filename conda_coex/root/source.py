"""The sources of bytes: files and memory. They are read as a whole, in parts, or mapped."""

from __future__ import annotations

import abc
import contextlib
import hashlib
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Buffer = bytes | mmap.mmap

MAPPED = 1 << 20  # bytes from which a file is mapped, not read
BLOCK = 1 << 20


class Source(abc.ABC):
    """A source of bytes; all methods raise OSError for a file that cannot be read."""

    @abc.abstractmethod
    def read(self) -> bytes:
        """Return all bytes."""

    def part(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on."""
        return self.read()[start : start + size]

    @contextlib.contextmanager
    def opened(self) -> Iterator[Buffer]:
        """Yield all bytes, of a large file without reading it."""
        yield self.read()

    @property
    def name(self) -> bytes:
        """The path of the file, for messages."""
        return b""


@dataclass(frozen=True)
class InMemory(Source):
    """Bytes in memory, which the build itself has written."""

    data: bytes

    def read(self) -> bytes:
        """Return all bytes."""
        return self.data


@dataclass(frozen=True)
class OnDisk(Source):
    """A file as it is."""

    path: Path

    def read(self) -> bytes:
        """Return all bytes."""
        return self.path.read_bytes()

    def part(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on."""
        return read_part(self.path, start, size)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Buffer]:
        """Yield all bytes; a large file is mapped, not read."""
        with self.path.open("rb") as stream, mapped(stream.fileno()) as data:
            yield data

    @property
    def name(self) -> bytes:
        """The path of the file, for messages."""
        return os.fsencode(self.path)


@dataclass(frozen=True)
class Rewritten(Source):
    """A file that is rewritten each time it is read, so that the result is not kept in memory."""

    path: Path
    make: Callable[[bytes], bytes]

    def read(self) -> bytes:
        """Return all bytes."""
        return self.make(self.path.read_bytes())

    @property
    def name(self) -> bytes:
        """The path of the file, for messages."""
        return os.fsencode(self.path)


class Span(NamedTuple):
    """A part of a file, from `start` to `end`, and the bytes that replace it."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True)
class Patched(Source):
    """A file with other bytes in some spans, which are in order; only these are kept in memory."""

    path: Path
    spans: tuple[Span, ...]

    def read(self) -> bytes:
        """Return all bytes."""
        with OnDisk(self.path).opened() as data:
            return b"".join(self.pieces(data))

    def pieces(self, data: Buffer) -> Iterator[bytes]:
        """Yield the bytes, block by block; `data` is the content of the file."""
        end = 0
        for span in (*self.spans, Span(len(data), len(data), b"")):
            yield from (data[at : min(at + BLOCK, span.start)] for at in range(end, span.start, BLOCK))
            yield span.data
            end = span.end

    def part(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on."""
        stop, at, end = start + size, 0, 0  # `at` is where `end` of the file is in the result
        found: list[bytes] = []
        for span in self.spans:
            at = self._copy(found, start, stop, at, end, span.start)
            found.append(span.data[max(0, start - at) : max(0, stop - at)])
            at, end = at + len(span.data), span.end
            if at >= stop:
                return b"".join(found)
        found.append(read_part(self.path, end + max(0, start - at), stop - max(start, at)))
        return b"".join(found)

    def _copy(self, found: list[bytes], start: int, stop: int, at: int, begin: int, end: int) -> int:
        """Add the bytes of `start` to `stop` that are between `begin` and `end` of the file; return the end of these.

        `begin` of the file is `at` in the result.
        """
        first, last = max(begin, begin + start - at), min(end, begin + stop - at)
        if first < last:
            found.append(read_part(self.path, first, last - first))
        return at + end - begin

    @property
    def name(self) -> bytes:
        """The path of the file, for messages."""
        return os.fsencode(self.path)


@contextlib.contextmanager
def mapped(descriptor: int) -> Iterator[Buffer]:
    """Yield the content of an open file; a large one is not read as a whole."""
    if os.fstat(descriptor).st_size < MAPPED:
        yield os.read(descriptor, MAPPED)
        return
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        yield data


def read_part(path: Path, start: int, size: int) -> bytes:
    """Return up to `size` bytes of a file; most files are small, and a buffered stream costs more than their bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, size, start)
        while 0 < len(data) < size:
            more = os.pread(descriptor, size - len(data), start + len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)


def sha256_of(data: Buffer) -> str:
    """Return the sha256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_pieces(pieces: Iterable[bytes]) -> str:
    """Return the sha256 of bytes that come in pieces."""
    total = hashlib.sha256()
    for piece in pieces:
        total.update(piece)
    return total.hexdigest()
