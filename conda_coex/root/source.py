"""The sources of bytes: files and memory. They are read as a whole, in parts, or mapped."""

from __future__ import annotations

import abc
import contextlib
import hashlib
import mmap
import os
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    Buffer: TypeAlias = bytes | mmap.mmap
    Searched: TypeAlias = "Buffer | PatchedData"  # to find and to slice

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

    @contextlib.contextmanager
    def searched(self) -> Iterator[Searched]:
        """Yield all bytes to find and to slice, of a large file without reading it."""
        with self.opened() as data:
            yield data

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


@dataclass
class OnDisk(Source):
    """A file as it is; an environment has so many that their paths are kept as text, and that it is not frozen."""

    file: Path | str

    @property
    def path(self) -> Path:
        """The path of the file."""
        return Path(self.file)

    def read(self) -> bytes:
        """Return all bytes."""
        return self.path.read_bytes()

    def part(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on."""
        return read_part(self.file, start, size)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Buffer]:
        """Yield all bytes; a large file is mapped, not read."""
        descriptor = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with mapped(descriptor) as data:
                yield data
        finally:
            os.close(descriptor)

    @property
    def name(self) -> bytes:
        """The path of the file, for messages."""
        return os.fsencode(self.file)


class Staged(OnDisk):
    """A file in a staging environment of this build, which changes nothing in it any more."""


class Span(NamedTuple):
    """A part of a file, from `start` to `end`, and the bytes that replace it."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True)
class Patched(Source):
    """Another source with other bytes in some spans, which are in order; only these are kept in memory."""

    source: Source
    spans: tuple[Span, ...]

    def read(self) -> bytes:
        """Return all bytes."""
        with self.searched() as data:
            return data[:]

    def part(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on."""
        with self.searched() as data:
            return data[start : start + size]

    @contextlib.contextmanager
    def searched(self) -> Iterator[Searched]:
        """Yield all bytes to find and to slice, of a large file without reading it."""
        with self.source.searched() as data:
            yield self.over(data)

    def over(self, data: Searched) -> PatchedData:
        """Return the bytes; `data` is the content of the other source."""
        return PatchedData(data, self)

    @cached_property
    def places(self) -> list[int]:
        """Where the bytes of each span begin."""
        places, shift = [], 0
        for span in self.spans:
            places.append(span.start + shift)
            shift += len(span.data) - (span.end - span.start)
        return places

    @property
    def name(self) -> bytes:
        """The path of the file, for messages."""
        return self.source.name


class PatchedData:
    """The bytes of a patched source, to find and to slice as in bytes; they are joined when a slice is read."""

    def __init__(self, data: Searched, patched: Patched) -> None:
        """Take the content of the other source."""
        self._data, self._spans, self._places = data, patched.spans, patched.places
        span, place = self._span(len(patched.spans) - 1)
        self._size = place + len(span.data) + len(data) - span.end
        self._window, self._first = b"", 0  # the bytes that were searched last, and where they begin

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, key: slice[int | None, int | None, None]) -> bytes:
        start, stop, _ = key.indices(self._size)
        parts = []
        for number in range(bisect_right(self._places, start) - 1, bisect_left(self._places, stop)):
            span, place = self._span(number)
            parts.append(span.data[max(0, start - place) : max(0, stop - place)])
            end = place + len(span.data)
            following = self._places[number + 1] if number + 1 < len(self._places) else self._size
            first, last = max(start, end), min(stop, following)
            if first < last:
                parts.append(self._data[first + span.end - end : last + span.end - end])
        return b"".join(parts)

    def _span(self, number: int) -> tuple[Span, int]:
        """Return a span and its place; before the first are the bytes from the beginning on."""
        return (self._spans[number], self._places[number]) if number >= 0 else (Span(0, 0, b""), 0)

    def find(self, searched: bytes, start: int = 0, stop: int | None = None) -> int:
        """Return the first place of some bytes, -1 if there is none, as `bytes.find` does."""
        stop = self._size if stop is None else min(stop, self._size)
        while start + len(searched) <= stop:
            if not self._first <= start <= self._first + len(self._window) - len(searched):
                self._window, self._first = self[start : start + BLOCK + len(searched)], start
            offset = self._window.find(searched, start - self._first, stop - self._first)
            if offset >= 0:
                return self._first + offset
            start = self._first + len(self._window) - len(searched) + 1
        return -1


@contextlib.contextmanager
def mapped(descriptor: int) -> Iterator[Buffer]:
    """Yield the content of an open file; a large one is not read as a whole."""
    if os.fstat(descriptor).st_size < MAPPED:
        yield os.read(descriptor, MAPPED)
        return
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        yield data


def read_part(path: Path | str, start: int, size: int) -> bytes:
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


def blocks(data: Searched) -> Iterator[bytes]:
    """Yield bytes in blocks."""
    for start in range(0, len(data), BLOCK):
        yield data[start : start + BLOCK]


def sha256_of(data: Searched) -> str:
    """Return the sha256 of bytes, in hexadecimal."""
    if not isinstance(data, PatchedData):
        return hashlib.sha256(data).hexdigest()
    total = hashlib.sha256()
    for block in blocks(data):
        total.update(block)
    return total.hexdigest()
