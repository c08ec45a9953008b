"""Cut files into frames and compress them, with the places in them where relocation will write."""

from __future__ import annotations

import hashlib
import mmap
import os
import posixpath
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import zstandard
from coex_bootstrap.format import FRAME_LIMIT, FRAME_SIZE

from .errors import AppError, FileChanged, PackageDamaged
from .placeholders import find_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .plan import Content

SAMPLE = 1 << 16
HARDLY = 0.97  # of its size is left: to search for more is not worth its time
_thread = threading.local()

DENSE = 16  # the level from which zstd gains from larger frames: 4 % at 19


@dataclass(frozen=True)
class Piece:
    """A part of one file's content in a frame; a file larger than a frame has several, each in one of its own."""

    content: Content
    start: int
    length: int


class Place(NamedTuple):
    """Where a file lies in the frames of its group, and the EDITS of its placeholder; None: nothing to relocate.

    `mtime` is that of the file when it was read: one with another time may have been changed since.
    """

    frame: int
    offset: int
    size: int
    edits: str | None
    mtime: str


@dataclass(frozen=True)
class Packed:
    """One compressed frame: `edits` are those of the files that begin in it, by origin."""

    data: bytes
    content: int
    sha256: str
    pieces: Sequence[Piece]
    edits: dict[str, str | None]


def ordered(contents: Iterable[Content]) -> list[Content]:
    """Order files so that alike ones are near: by directory, `__pycache__` with its parent, then by suffix.

    Those that are relocated come last, in frames of their own: what is in the other frames roots can share.
    """
    return sorted(contents, key=_key)


def _key(content: Content) -> tuple[bool, str, str, str]:
    directory, name = posixpath.split(content.origin)
    return is_relocated(content), directory.removesuffix("/__pycache__"), posixpath.splitext(name)[1], name


def is_relocated(content: Content) -> bool:
    return content.placeholder is not None or content.python is not None


def frame_size(level: int) -> int:
    """Return the bytes of content in a frame: where size counts most, frames are as large as a host takes."""
    return FRAME_LIMIT if level >= DENSE else FRAME_SIZE


def cut(contents: Iterable[Content], limit: int) -> Iterator[list[Piece]]:
    """Yield the pieces of each frame: up to `limit` bytes of whole files, or a part of one that is larger."""
    pieces: list[Piece] = []
    filled = 0
    for content in contents:
        if content.size > limit:
            for start in range(0, content.size, limit):
                yield [Piece(content, start, min(limit, content.size - start))]
            continue
        if pieces and (filled + content.size > limit or is_relocated(pieces[0].content) != is_relocated(content)):
            yield pieces
            pieces, filled = [], 0
        pieces.append(Piece(content, 0, content.size))
        filled += content.size
    if pieces:
        yield pieces


def pack(pieces: Sequence[Piece], level: int) -> Packed:
    """Read, verify and compress the pieces of one frame, in any thread.

    Raises PackageDamaged for a file that is not what its package recorded, AppError for one of the app, FileChanged
    for one of a live prefix.
    """
    edits: dict[str, str | None] = {}
    parts = []
    for piece in pieces:
        data = _read(piece)
        if piece.length == piece.content.size:
            edits[piece.content.origin] = _examine(piece.content, data)
        elif not piece.start:
            edits[piece.content.origin] = _examine_large(piece.content)
        parts.append(data)
    joined = b"".join(parts)
    level = effort(joined, level)
    frame = _compressor(level).compress(joined)
    return Packed(frame, len(joined), hashlib.sha256(frame).hexdigest(), pieces, edits)


def effort(data: bytes, level: int) -> int:
    """Return the level for a frame: the lowest where samples of it hardly get smaller, as of images or archives.

    zstd stores such blocks as they are at any level, and only searches longer at a high one.
    """
    third = max(len(data) - SAMPLE, 0) // 2
    samples = b"".join(data[start : start + SAMPLE] for start in (0, third, 2 * third)[: 1 + 2 * (third > SAMPLE)])
    tried = _compressor(1).compress(samples) if len(data) >= SAMPLE and level > 1 else b""
    return 1 if len(tried) > HARDLY * len(samples) > 0 else level


def _compressor(level: int) -> zstandard.ZstdCompressor:
    """Return this thread's compressor of a level: its tables, some 40 MiB, are made once and not for each frame."""
    made: dict[int, zstandard.ZstdCompressor] = _thread.__dict__.setdefault("compressors", {})
    if level not in made:
        made[level] = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    return made[level]


def _read(piece: Piece) -> bytes:
    source = piece.content.source
    if isinstance(source, bytes):
        return source[piece.start : piece.start + piece.length]
    assert source is not None
    try:
        data = _read_file(source, piece.start, piece.length + (piece.length == piece.content.size))
    except OSError as error:
        raise _unreadable(piece.content, error.strerror or str(error)) from error
    if len(data) != piece.length:
        raise _unreadable(piece.content, "its size changed while it was read")
    return data


def _read_file(path: Path, start: int, size: int) -> bytes:
    """Return up to `size` bytes of a file; most files are small, and a buffered stream costs more than their bytes."""
    stream = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(stream, size, start)
        while 0 < len(data) < size:
            more = os.pread(stream, size - len(data), start + len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(stream)


def _unreadable(content: Content, why: str) -> AppError | FileChanged | PackageDamaged:
    unpackaged = AppError if content.path.startswith("app/") else FileChanged
    kind = PackageDamaged if content.package_path is not None else unpackaged
    return kind(f"cannot be packed: {why}", os.fsencode(str(content.source)))


def check_source(content: Content) -> None:
    """Raise, as `pack` does, for a file that is not what is known of it."""
    try:
        _examine_large(replace(content, placeholder=None))
    except (OSError, ValueError) as error:
        raise _unreadable(content, str(error)) from error


def _examine_large(content: Content) -> str | None:
    if not isinstance(content.source, Path):
        return _examine(content, content.source or b"")
    with content.source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _examine(content, data)


def _examine(content: Content, data: bytes | mmap.mmap) -> str | None:
    """Return the edits of a file, after refusing one of conda's cache that was edited there, as through a link."""
    if content.sha256 is not None and hashlib.sha256(data).hexdigest() != content.sha256:
        if content.package_path is None:
            raise _unreadable(content, "it changed while it was read")
        raise PackageDamaged("differs from what its package recorded", os.fsencode(str(content.source)))
    if content.edits is not None or content.placeholder is None or content.file_mode is None:
        return content.edits
    edits = find_edits(data, content.placeholder, content.file_mode)
    # conda checks the #! line of a text with a placeholder even where that does not occur
    return edits if edits or (content.file_mode == "text" and data[:2] == b"#!") else None
