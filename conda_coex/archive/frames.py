"""Cut files into frames and compress them, with the places in them where relocation will write."""

from __future__ import annotations

import hashlib
import posixpath
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import zstandard
from coex_bootstrap.format.manifest import FRAME_LIMIT, FRAME_SIZE

from ..errors import AppError, FileChanged, PackageDamaged
from ..root.source import OnDisk, Staged, sha256_of
from .placeholders import find_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coex_bootstrap.format.relocation import Edits

    from ..root.content import Content
    from ..root.source import Searched

SAMPLE = 1 << 16
HARDLY = 0.97  # of its size is left: a longer search is not worth the time
_thread = threading.local()

DENSE = 16  # the level from which zstd gains from larger frames: 4 % at 19
# By level: zstd takes a table of 2 ** 21, which a processor's caches hold in part. 10 % less time, 0.3 % more bytes.
HASH_LOGS = {9: 20}


@dataclass(frozen=True)
class Piece:
    """A part of one file's content in a frame; a file larger than a frame has several, each in one of its own."""

    content: Content
    start: int
    length: int


class Place(NamedTuple):
    """The place of a file in the frames of its group, and the EDITS of its placeholder; None: nothing to relocate.

    `mtime_ns` is the time of the file when it was read: one with another time may have been changed since.
    """

    frame: int
    offset: int
    size: int
    edits: Edits | None
    mtime_ns: int


@dataclass(frozen=True)
class Packed:
    """One compressed frame: `edits` are those of the files that begin in it, by origin."""

    data: bytes
    content: int
    sha256: str
    pieces: Sequence[Piece]
    edits: dict[str, Edits | None]


def ordered(contents: Iterable[Content]) -> list[Content]:
    """Order files so that alike ones are near: by directory, `__pycache__` with its parent, then by suffix.

    Relocated files come last, in frames of their own: roots can share the files of the other frames.
    """
    return sorted(contents, key=_key)


def _key(content: Content) -> tuple[bool, str, str, str]:
    directory, name = posixpath.split(content.name_in_group)
    return content.is_relocated, directory.removesuffix("/__pycache__"), posixpath.splitext(name)[1], name


def frame_size(level: int) -> int:
    """Return the bytes of content in a frame: at high levels, frames are as large as a host takes."""
    return FRAME_LIMIT if level >= DENSE else FRAME_SIZE


def recipe(level: int) -> str:
    """Return the settings that frames of a level depend on, and the zstd that compresses, as text."""
    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    return f"{frame_size(level)} {level} {HASH_LOGS.get(level, '')} {version}"


def cut(contents: Iterable[Content], limit: int) -> Iterator[list[Piece]]:
    """Yield the pieces of each frame: up to `limit` bytes of whole files, or a part of one that is larger."""
    pieces: list[Piece] = []
    size = 0
    for content in contents:
        if content.size > limit:
            for start in range(0, content.size, limit):
                yield [Piece(content, start, min(limit, content.size - start))]
            continue
        if pieces and (size + content.size > limit or pieces[0].content.is_relocated != content.is_relocated):
            yield pieces
            pieces, size = [], 0
        pieces.append(Piece(content, 0, content.size))
        size += content.size
    if pieces:
        yield pieces


def pack(pieces: Sequence[Piece], level: int) -> Packed:
    """Read, verify and compress the pieces of one frame, in any thread.

    Raises PackageDamaged if a file differs from the record of its package, AppError for a file of the app, FileChanged
    for one of a live prefix.
    """
    edits: dict[str, Edits | None] = {}
    parts = []
    for piece in pieces:
        data = _read(piece)
        if piece.length == piece.content.size:
            edits[piece.content.name_in_group] = _examine(piece.content, data)
        elif not piece.start:
            edits[piece.content.name_in_group] = _examine_large(piece.content)
        parts.append(data)
    joined = b"".join(parts)
    level = effort(joined, level)
    frame = _compressor(level).compress(joined)
    return Packed(frame, len(joined), hashlib.sha256(frame).hexdigest(), pieces, edits)


def effort(data: bytes, level: int) -> int:
    """Return the level for a frame: the lowest if samples of it hardly get smaller, such as images and archives.

    zstd stores such blocks as they are at any level, and only searches longer at a high one.
    """
    third = max(len(data) - SAMPLE, 0) // 2
    samples = b"".join(data[start : start + SAMPLE] for start in (0, third, 2 * third)[: 1 + 2 * (third > SAMPLE)])
    tried = _compressor(1).compress(samples) if len(data) >= SAMPLE and level > 1 else b""
    return 1 if len(tried) > HARDLY * len(samples) > 0 else level


def _compressor(level: int) -> zstandard.ZstdCompressor:
    """Return this thread's compressor of a level: its tables, some 40 MiB, are made once and not for each frame."""
    compressors: dict[int, zstandard.ZstdCompressor] = _thread.__dict__.setdefault("compressors", {})
    if level not in compressors:
        parameters = zstandard.ZstdCompressionParameters(
            compression_level=level, hash_log=HASH_LOGS.get(level, 0), write_checksum=True, write_content_size=True
        )
        compressors[level] = zstandard.ZstdCompressor(compression_params=parameters)
    return compressors[level]


def _read(piece: Piece) -> bytes:
    source = piece.content.source
    assert source is not None
    try:
        data = source.part(piece.start, piece.length + (piece.length == piece.content.size))
    except OSError as error:
        raise _unreadable(piece.content, error.strerror or str(error)) from error
    if len(data) != piece.length:
        raise _unreadable(piece.content, "its size changed while it was read")
    return data


def _unreadable(content: Content, why: str) -> AppError | FileChanged | PackageDamaged:
    unpackaged = AppError if content.path.startswith("app/") else FileChanged
    kind = PackageDamaged if content.package_path is not None and isinstance(content.source, OnDisk) else unpackaged
    return kind(f"cannot be packed: {why}", content.source.name if content.source else None)


def check_source(content: Content) -> None:
    """Raise, as `pack` does, if a file differs from its recorded size or sha256."""
    try:
        _examine_large(replace(content, relocation=None))
    except (OSError, ValueError) as error:
        raise _unreadable(content, str(error)) from error


def _examine_large(content: Content) -> Edits | None:
    assert content.source is not None
    with content.source.searched() as data:
        return _examine(content, data)


def _examine(content: Content, data: Searched) -> Edits | None:
    """Return the edits of a file, after refusing one of conda's cache that was edited there, as through a link."""
    if content.sha256 is not None and not isinstance(content.source, Staged) and sha256_of(data) != content.sha256:
        if content.package_path is None or not isinstance(content.source, OnDisk):
            raise _unreadable(content, "it changed while it was read")
        raise PackageDamaged("differs from the record of its package", content.source.name)
    if content.placeholder is None or content.file_mode is None or content.edits is not None:
        return content.edits
    edits = find_edits(data, content.placeholder, content.file_mode)
    # conda checks the #! line of a text with a placeholder even if the placeholder does not occur in it
    return edits if edits or (content.file_mode == "text" and data[:2] == b"#!") else None
