"""Carry the kept part of an archive over into another one: files, links, and the frames as they are."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores
from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.index import File
from coex_bootstrap.format.relocation import NOTHING, TEXT, kind_of, parse, parse_slots
from coex_bootstrap.format.relocation_write import write_slots

from ..root.content import SECOND, Content, Link, relocation_of
from ..root.source import InMemory
from .new_file import write_at
from .sizes import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.format.index import Files
    from coex_bootstrap.format.relocation import Source

    from ..root.layout import Layout
    from .payload import Payload

KEPT = "kept"  # the owner of files and frames of the old archive


def keep(old: Archive, layout: Layout, *, app_stays: bool) -> dict[str, int]:
    """Put the kept files and links into the layout; return the row of each file's path."""
    files = old.index.files
    paths = [os.fsdecode(path) for path in paths_of(files)]
    numbers: Sequence[int] = range(len(paths))
    if not app_stays:
        numbers = [number for number in numbers if not paths[number].startswith("app/")]
    items: list[Content | Link] = [
        Content(paths[n], files.modes[n], files.seconds[n] * SECOND + files.nanoseconds[n], None, files.sizes[n])
        for n in numbers
    ]
    for link in old.index.links:
        if app_stays or not link.path.startswith(b"app/"):
            items.append(Link(os.fsdecode(link.path), os.fsdecode(link.target)))
    for directory in old.index.directories:
        if app_stays or not directory.path.startswith(b"app/"):
            layout.directories.add(os.fsdecode(directory.path))
        layout.modes[os.fsdecode(directory.path)] = directory.mode
    layout.place(KEPT, items)
    return {paths[number]: number for number in numbers}


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


def copy(old: Archive, layout: Layout, kept_rows: dict[str, int], payload: Payload) -> None:
    """Copy the frames of kept files byte for byte, and make their rows again.

    They are compared with their sha256 when the new archive is read back.
    """
    payload.placeholders = [placeholder.decode() for placeholder in old.index.placeholders]
    files = old.index.files
    entries = ((n, layout.entries.get(path)) for path, n in kept_rows.items())
    kept = [(n, entry) for n, entry in entries if isinstance(entry, Content) and is_kept(entry)]
    row_numbers = [n for n, _ in kept]
    frame_numbers = {*old.index.package_frames, *(files.frames[n] for n in row_numbers if files.sizes[n])}
    for n in {*files.large}.intersection(row_numbers):
        frame_numbers.update(old.index.frames_of(n))
    for n in files.hashed.intersection(row_numbers):
        frame_numbers.update(_sources(old, files.relocations[n]))
    numbers = sorted(frame_numbers)
    with ThreadPoolExecutor(usable_cores()) as pool:
        copying = [pool.submit(_copy_frame, old, number, payload, _take(old, number, payload)) for number in numbers]
        frames = {number: new for new, number in enumerate(numbers)}
        payload.package_frames += [frames[number] for number in old.index.package_frames if number in frames]
        new_rows = {n: new for new, n in enumerate(row_numbers)} if files.hashed else {}
        paths, relocations = paths_of(files), dict(files.relocations)
        for n in files.hashed.intersection(row_numbers):
            slots = parse_slots(relocations[n])
            relocations[n] = write_slots((_renumbered(source, new_rows, frames), offset) for source, offset in slots)
        columns = (
            [entry.mode for _, entry in kept], [entry.mtime_ns for _, entry in kept],
            [frames.get(files.frames[n], 0) for n in row_numbers], [files.offsets[n] for n in row_numbers],
            [files.sizes[n] for n in row_numbers], [relocations.get(n, NOTHING) for n in row_numbers],
            [paths[n] for n in row_numbers],
        )  # fmt: skip
        payload.rows += map(partial(tuple.__new__, File), zip(*columns, strict=True))  # File itself takes longer
        for each in copying:
            each.result()


def _take(old: Archive, number: int, payload: Payload) -> int:
    """Append a frame of the old archive to the payload; return its new number."""
    payload.frame_checks.append((len(payload.frames), partial(checked_frame, old, number)))
    payload.count(KEPT, old.index.frames[number]._replace(offset=payload.size))
    return len(payload.frames) - 1


def _copy_frame(old: Archive, number: int, payload: Payload, new: int) -> None:
    """Copy the bytes of a frame of the old archive to the place of frame `new`, in any thread."""
    write_at(payload.stream.fileno(), old.frame(number), payload.start + payload.frames[new].offset)


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
