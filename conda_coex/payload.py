"""Cut contents into frames, compress them on all cores, and say in index rows where each file lies."""

from __future__ import annotations

import hashlib
import mmap
import os
import posixpath
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import zstandard
from coex_bootstrap.format import FRAME_SIZE, File, Frame

from .errors import AppError, PackageDamaged
from .placeholders import find_edits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from .layout import Group
    from .plan import Content


@dataclass(frozen=True)
class Piece:
    """A part of one file's content in a frame; a file larger than a frame has several, each in one of its own."""

    content: Content
    start: int
    length: int


@dataclass(frozen=True)
class Packed:
    """A compressed frame with the relocations found in the files that it holds whole."""

    data: bytes
    content: int
    owner: str
    pieces: Sequence[Piece]
    relocations: dict[str, str]


class Payload:
    """The payload of an archive while it is written to `stream`; collects frames, rows and placeholders."""

    def __init__(self, stream: IO[bytes], level: int, progress: Callable[[int], None] = lambda _: None) -> None:
        self.stream = stream
        self.level = level
        self.progress = progress
        self.size = 0
        self.frames: list[Frame] = []
        self.rows: list[File] = []
        self.compressed: dict[str, int] = {}  # bytes of an owner's frames
        self.numbers: dict[str, int] = {}  # row of a path
        self.placeholders: list[str] = []

    def add(self, groups: Iterable[Group]) -> None:
        """Append groups of files: no frame holds files of two groups, so a group's frames are its own.

        The records of `conda-meta` come in a later call than the files whose rows they name.
        """
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Packed]] = deque()
            try:
                for owner, pieces in self._all_frames(groups):
                    waiting.append(pool.submit(self._pack, owner, pieces))
                    while len(waiting) > 2 * workers:
                        self._append(waiting.popleft().result())
                while waiting:
                    self._append(waiting.popleft().result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _all_frames(self, groups: Iterable[Group]) -> Iterator[tuple[str, list[Piece]]]:
        for group in groups:
            ordered = sorted(group.contents, key=_compression_key)
            self._register(ordered)
            for content in ordered:
                if not content.size:
                    self._add_row(content, 0, 0, "-")
            for pieces in _frames(content for content in ordered if content.size):
                yield group.owner, pieces

    def _pack(self, owner: str, pieces: Sequence[Piece]) -> Packed:
        relocations = {}
        parts = []
        for piece in pieces:
            data = _read(piece)
            if piece.length == piece.content.size:
                _verify(piece.content, hashlib.sha256(data).hexdigest())
                relocations[piece.content.path] = self._relocation(piece.content, data)
            elif not piece.start:
                relocations[piece.content.path] = self._scan_large(piece.content)
            parts.append(data)
        joined = b"".join(parts)
        compressor = zstandard.ZstdCompressor(level=self.level, write_checksum=True, write_content_size=True)
        return Packed(compressor.compress(joined), len(joined), owner, pieces, relocations)

    def _append(self, packed: Packed) -> None:
        number, offset = len(self.frames), 0
        digest = hashlib.sha256(packed.data).hexdigest().encode()
        self.frames.append(Frame(self.size, len(packed.data), packed.content, digest))
        self.stream.write(packed.data)
        self.size += len(packed.data)
        self.compressed[packed.owner] = self.compressed.get(packed.owner, 0) + len(packed.data)
        for piece in packed.pieces:
            if not piece.start:
                self._add_row(piece.content, number, offset, packed.relocations[piece.content.path])
            offset += piece.length
        self.progress(packed.content)

    def _add_row(self, content: Content, frame: int, offset: int, relocation: str) -> None:
        self.numbers[content.path] = len(self.rows)
        path, mtime = os.fsencode(content.path), content.mtime.encode()
        self.rows.append(File(content.mode, mtime, frame, offset, content.size, relocation.encode(), path))

    def _relocation(self, content: Content, data: bytes | mmap.mmap) -> str:
        if content.python is not None:
            return f"e:{content.python}"
        if content.slots:
            return "h:" + ",".join(f"{self.numbers[path]}@{offset}" for offset, path in content.slots)
        if content.placeholder is None or content.file_mode is None:
            return "-"
        edits = find_edits(data, content.placeholder, content.file_mode)
        if not edits and not (content.file_mode == "text" and data[:2] == b"#!"):
            return "-"
        return f"{content.file_mode[0]}:{self.placeholders.index(content.placeholder)}:{edits}"

    def _register(self, contents: Iterable[Content]) -> None:
        """Number the placeholders of these files, in the files' order and not in that of the threads."""
        for content in contents:
            if content.placeholder is not None and content.placeholder not in self.placeholders:
                self.placeholders.append(content.placeholder)

    def _scan_large(self, content: Content) -> str:
        assert isinstance(content.source, Path)
        with content.source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _verify(content, hashlib.sha256(data).hexdigest())
            return self._relocation(content, data)


def _frames(contents: Iterable[Content]) -> Iterator[list[Piece]]:
    """Cut files into frames of about FRAME_SIZE; a larger file is cut into frames of its own."""
    pieces: list[Piece] = []
    filled = 0
    for content in contents:
        if content.size > FRAME_SIZE:
            for start in range(0, content.size, FRAME_SIZE):
                yield [Piece(content, start, min(FRAME_SIZE, content.size - start))]
            continue
        if filled + content.size > FRAME_SIZE and pieces:
            yield pieces
            pieces, filled = [], 0
        pieces.append(Piece(content, 0, content.size))
        filled += content.size
    if pieces:
        yield pieces


def _compression_key(content: Content) -> tuple[str, str, str]:
    """Order files so that alike ones are near: by directory, `__pycache__` with its parent, then by suffix."""
    directory, name = posixpath.split(content.path)
    return directory.removesuffix("/__pycache__"), posixpath.splitext(name)[1], name


def _read(piece: Piece) -> bytes:
    source = piece.content.source
    if isinstance(source, bytes):
        return source[piece.start : piece.start + piece.length]
    try:
        with source.open("rb") as stream:
            stream.seek(piece.start)
            data = stream.read(piece.length + (piece.length == piece.content.size))
    except OSError as error:
        raise _unreadable(piece.content, error.strerror or str(error)) from error
    if len(data) != piece.length:
        raise _unreadable(piece.content, "its size changed while it was read")
    return data


def _unreadable(content: Content, why: str) -> AppError | PackageDamaged:
    kind = AppError if content.path.startswith("app/") else PackageDamaged
    return kind(f"cannot be packed: {why}", os.fsencode(str(content.source)))


def _verify(content: Content, found: str) -> None:
    """Refuse a file of conda's cache that is not what its package says: it may have been edited through a link."""
    if content.sha256 is not None and found != content.sha256:
        raise PackageDamaged("differs from what its package recorded", os.fsencode(str(content.source)))
