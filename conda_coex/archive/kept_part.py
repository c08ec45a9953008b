"""Carry the kept part of an archive over into another one: files, links, and the frames as they are."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import partial
from itertools import compress, count, repeat, starmap
from operator import itemgetter
from typing import TYPE_CHECKING

from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.archive import unreadable
from coex_bootstrap.format.index import File
from coex_bootstrap.format.relocation import NOTHING, TEXT, kind_of, parse, parse_slots
from coex_bootstrap.format.relocation_write import write_slots

from ..root.content import SECOND, Content, Link, relocation_of
from ..root.source import InMemory
from .new_file import copy_range
from .sizes import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.format.index import Files, Frame
    from coex_bootstrap.format.relocation import Source

    from ..root.layout import Layout
    from .frame_reader import Whole
    from .payload import Payload

    Copied: TypeAlias = Sequence[tuple[list[Frame], Whole]]

AT_ONCE = 1 << 24  # bytes of frames to copy, before these are read back
KEPT = "kept"  # the owner of files and frames of the old archive


def keep(old: Archive, layout: Layout, *, app_stays: bool) -> dict[str, int]:
    """Put the kept files and links into the layout; return the row of each file's path."""
    files = old.index.files
    paths = os.fsdecode(b"\0".join(paths_of(files))).split("\0") if files.names else []
    times = [second * SECOND + more for second, more in zip(files.seconds, files.nanoseconds, strict=True)]
    columns = zip(paths, files.modes, times, repeat(None), files.sizes)
    items: dict[str, Content | Link] = dict(zip(paths, starmap(Content, columns), strict=True))
    rows = dict(zip(paths, count()))
    for link in old.index.links:
        items[os.fsdecode(link.path)] = Link(os.fsdecode(link.path), os.fsdecode(link.target))
    for directory in old.index.directories:
        if app_stays or not directory.path.startswith(b"app/"):
            layout.directories.add(os.fsdecode(directory.path))
        layout.modes[os.fsdecode(directory.path)] = directory.mode
    if not app_stays:
        for path in [path for path in items if path.startswith("app/")]:
            del items[path]
            rows.pop(path, None)
    layout.place_whole(items)
    return rows


def paths_of(files: Files) -> list[bytes]:
    """Return the paths of all files, in the order of their rows."""
    above = [path + b"/" for path in files.paths]
    return [above[directory] + name for directory, name in zip(files.directories, files.names, strict=True)]


def give_sources(old: Archive, layout: Layout, kept_rows: dict[str, int], paths: Iterable[str]) -> None:
    """Read the content of kept files that entry points need: it shows their interpreters and functions.

    Only the beginning of a file that spans frames is read.
    """
    for path in set(paths) & kept_rows.keys():
        row, entry = old.index.files[kept_rows[path]], layout.entries.get(path)
        if isinstance(entry, Content) and entry.source is None:
            data = _decoded(old, row.frame) if row.size else b""
            is_placed = kind_of(row.relocation) == TEXT
            place = parse(row.relocation, old.index.placeholders).placeholder if is_placed else None
            source = InMemory(data[row.offset :][: row.size])
            relocation = relocation_of(place, "text") if place else None
            layout.entries[path] = replace(entry, source=source, relocation=relocation)


def _decoded(old: Archive, number: int) -> bytes:
    return decode(checked_frame(old, number), old.index.frames[number].content)


def checked_frame(old: Archive, number: int) -> bytes:
    """Return the bytes of a frame, compared with its sha256 in the index."""
    data: bytes = old.frame(number)
    if hashlib.sha256(data).hexdigest().encode() != old.index.frames[number].sha256:
        raise ArchiveDamaged("a frame of it was altered", old.path)
    return data


def begin(old: Archive, payload: Payload) -> Copied:
    """Start to copy the frames of packages at the beginning of the old archive, which every new one has."""
    numbers = [number for number, frame in enumerate(old.index.package_frames) if number == frame]
    return _copy_frames(old, numbers, 0, payload)


def copy(old: Archive, layout: Layout, kept_rows: dict[str, int], payload: Payload, begun: Copied) -> None:
    """Copy the frames of kept files byte for byte, and make their rows again.

    They are compared with their sha256 when the new archive is read back.
    """
    payload.placeholders = [placeholder.decode() for placeholder in old.index.placeholders]
    files = old.index.files
    entries = ((n, layout.entries.get(path)) for path, n in kept_rows.items())
    kept = [(n, each) for n, each in entries if isinstance(each, Content) and (each.source is None or is_kept(each))]
    row_numbers = [n for n, _ in kept]
    sizes, firsts = _picked(row_numbers, files.sizes, files.frames)
    frame_numbers = {*old.index.package_frames, *compress(firsts, sizes)}
    for n in {*files.large}.intersection(row_numbers):
        frame_numbers.update(old.index.frames_of(n))
    for n in files.hashed.intersection(row_numbers):
        frame_numbers.update(_sources(old, files.relocations[n]))
    numbers = sorted(frame_numbers)
    done = sum(len(frames) for frames, _ in begun)
    end = sum(frame.size for frames, _ in begun for frame in frames)
    payload.frame_checks += [(new, partial(checked_frame, old, number)) for new, number in enumerate(numbers)]
    for copied, whole in (*begun, *_copy_frames(old, numbers[done:], end, payload)):
        payload.reader.take(copied, whole)
        for frame in copied:
            payload.count(KEPT, frame)
    frames = {number: new for new, number in enumerate(numbers)}
    payload.package_frames += [frames[number] for number in old.index.package_frames if number in frames]
    new_rows = {n: new for new, n in enumerate(row_numbers)} if files.hashed else {}
    paths, relocations = paths_of(files), dict(files.relocations)
    for n in files.hashed.intersection(row_numbers):
        slots = parse_slots(relocations[n])
        relocations[n] = write_slots((_renumbered(source, new_rows, frames), offset) for source, offset in slots)
    offsets, kept_paths = _picked(row_numbers, files.offsets, paths)
    columns = (
        [entry.mode for _, entry in kept], [entry.mtime_ns for _, entry in kept], map(frames.get, firsts, repeat(0)),
        offsets, sizes, map(relocations.get, row_numbers, repeat(NOTHING)), kept_paths,
    )  # fmt: skip
    payload.rows += map(partial(tuple.__new__, File), zip(*columns, strict=True))  # File itself takes longer


def _picked(numbers: Sequence[int], *columns: Sequence[Any]) -> list[Sequence[Any]]:  # type: ignore[explicit-any]
    """Return some rows of columns, without a loop of Python."""
    if len(numbers) > 1:
        return [itemgetter(*numbers)(column) for column in columns]
    return [[column[number] for number in numbers] for column in columns]


def _copy_frames(old: Archive, numbers: Sequence[int], end: int, payload: Payload) -> Copied:
    """Start to copy frames of the old archive to the `end` of the payload: those that follow each other as one."""
    copied: list[tuple[list[Frame], Whole]] = []
    frames: list[Frame] = []
    start, stop = 0, -1  # of the bytes of `frames` in the old payload
    for number in numbers:
        frame = old.index.frames[number]
        if frames and (frame.offset != stop or stop - start > AT_ONCE):
            copied.append((frames, _copy_bytes(old, start, stop, frames, payload)))
            frames = []
        start = start if frames else frame.offset
        stop = frame.offset + frame.size
        frames.append(frame._replace(offset=end))
        end += frame.size
    return [*copied, (frames, _copy_bytes(old, start, stop, frames, payload))] if frames else copied


def _copy_bytes(old: Archive, start: int, stop: int, frames: Sequence[Frame], payload: Payload) -> Whole:
    source, first = old.stream.fileno(), old.manifest.prelude + start
    copying = partial(copy_range, source, first, stop - start, unread=partial(unreadable, path=old.path))
    return payload.reader.copy(frames, copying)


def _sources(old: Archive, relocation: bytes) -> Iterator[int]:
    """Yield the frames of contents that are not files, whose sha256 a record holds."""
    for source, _ in parse_slots(relocation):
        if not isinstance(source, int):
            number, start, size, _ = source
            while size > 0:
                yield number
                size, number, start = size - (old.index.frames[number].content - start), number + 1, 0


def _renumbered(source: Source, rows: dict[int, int], frames: dict[int, int]) -> Source:
    """Return the source of a hash in a record, with the new numbers of rows and frames."""
    if isinstance(source, int):
        return rows[source]
    number, start, size, relocation = source
    return frames[number] if size else 0, start, size, relocation


def is_kept(entry: Content) -> bool:
    """Return whether a file is taken from the old archive: it has no source of its own, or was read from there."""
    return entry.source is None or isinstance(entry.source, InMemory)
