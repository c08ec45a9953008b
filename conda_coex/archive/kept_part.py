"""Carry the kept part of an archive over into another one: files, links, and the frames as they are."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.relocation import HASHES, TEXT, kind_of, parse, parse_slots, write_slots

from ..root.content import SECOND, Content, Link, relocation_of
from ..root.source import InMemory
from .sizes import decode

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.format.relocation import Source

    from ..root.layout import Layout
    from .payload import Payload

KEPT = "kept"  # the owner of files and frames of the old archive


def keep(old: Archive, layout: Layout, *, app_stays: bool) -> dict[str, int]:
    """Put the kept files and links into the layout; return the row of each file's path."""
    rows, files = {}, old.index.files
    items: list[Content | Link] = []
    for number, row in enumerate(files):
        if app_stays or not row.path.startswith(b"app/"):
            path = os.fsdecode(row.path)
            rows[path] = number
            time = files.seconds[number] * SECOND + files.nanoseconds[number]
            items.append(Content(path, row.mode, time, None, row.size))
    for link in old.index.links:
        if app_stays or not link.path.startswith(b"app/"):
            items.append(Link(os.fsdecode(link.path), os.fsdecode(link.target)))
    for directory in old.index.directories:
        if app_stays or not directory.path.startswith(b"app/"):
            layout.directories.add(os.fsdecode(directory.path))
        layout.modes[os.fsdecode(directory.path)] = directory.mode
    layout.place(KEPT, items)
    return rows


def give_sources(old: Archive, layout: Layout, paths: Container[str]) -> None:
    """Read the content of kept files that entry points need: it shows their interpreters and functions.

    Only the beginning of a file that spans frames is read.
    """
    for row in old.index.files:
        path = os.fsdecode(row.path)
        entry = layout.entries.get(path)
        if path in paths and isinstance(entry, Content) and entry.source is None:
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
    rows = list(old.index.files)
    row_numbers = [n for path, n in kept_rows.items() if is_kept(layout.entries.get(path))]
    frame_numbers = {*old.index.package_frames, *(number for n in row_numbers for number in old.index.frames_of(n))}
    frame_numbers.update(number for n in row_numbers for number in _sources(old, rows[n].relocation))
    numbers = sorted(frame_numbers)
    for number in numbers:
        frame = old.index.frames[number]._replace(offset=payload.size)
        payload.append(KEPT, old.frame(number), frame)
        payload.frame_checks.append((len(payload.frames) - 1, partial(checked_frame, old, number)))
    frames = {number: new for new, number in enumerate(numbers)}
    payload.package_frames += [frames[number] for number in old.index.package_frames if number in frames]
    new_rows = {n: new for new, n in enumerate(row_numbers)}
    for n in row_numbers:
        row = rows[n]
        entry = layout.entries[os.fsdecode(row.path)]
        assert isinstance(entry, Content)
        relocation = row.relocation
        if kind_of(relocation) == HASHES:
            slots = parse_slots(relocation)
            relocation = write_slots((_renumbered(source, new_rows, frames), offset) for source, offset in slots)
        payload.rows.append(row._replace(frame=frames.get(row.frame, 0), mode=entry.mode, relocation=relocation))


def _sources(old: Archive, relocation: bytes) -> Iterator[int]:
    """Yield the frames of contents that are not files, whose sha256 a record holds."""
    for source, _ in parse_slots(relocation) if kind_of(relocation) == HASHES else ():
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


def is_kept(entry: Content | Link | None) -> bool:
    """Return whether a file is taken from the old archive: it has no source of its own, or was read from there."""
    return isinstance(entry, Content) and (entry.source is None or isinstance(entry.source, InMemory))
