"""A second opinion on signatures of Mach-O files: macholib and LIEF find them, and this module compares their hashes.

This code shares nothing with the bootstrap and its unit tests. The structures are those of xnu's
`cs_blobs.h`.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, NamedTuple

import lief
from macholib import mach_o
from macholib.MachO import MachO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODE_DIRECTORIES = (0, *range(0x1000, 0x1005))  # slots: the CodeDirectory and its alternates
ALGORITHMS = {1: "sha1", 2: "sha256", 3: "sha256", 4: "sha384"}
MAGIC = {"signature": 0xFADE0CC0, "directory": 0xFADE0C02}


class Slice(NamedTuple):
    """One Mach-O of a file, and where its signature is; `at` is an offset in the slice, -1 if it is not signed."""

    processor: int
    start: int
    end: int
    at: int
    size: int
    linkedit_end: int


def slices(path: Path) -> list[Slice]:
    """Return the slices of a file as macholib reads them; LIEF has to find the same."""
    found = []
    for header in MachO(str(path)).headers:
        at, size, linkedit_end = -1, 0, 0
        for command, fields, _ in header.commands:
            if command.cmd == mach_o.LC_CODE_SIGNATURE:
                assert at < 0, f"{path}: it has two signatures"
                at, size = fields.dataoff, fields.datasize
            elif command.cmd == mach_o.LC_SEGMENT_64 and fields.segname.rstrip(b"\0") == b"__LINKEDIT":
                linkedit_end = fields.fileoff + fields.filesize
        processor = header.header.cputype & 0xFFFFFFFF
        found.append(Slice(processor, header.offset, header.offset + header.size, at, size, linkedit_end))
    assert _seen_by_lief(path) == [(each.processor, each.start, each.at, each.size) for each in found]
    return found


def _seen_by_lief(path: Path) -> list[tuple[int, int, int, int]]:
    binaries = lief.MachO.parse(str(path))
    assert binaries is not None, f"{path}: LIEF cannot read it"
    rows = []
    for each in binaries:
        command = each.code_signature
        place = (command.data_offset, command.data_size) if command is not None else (-1, 0)
        rows.append((int(each.header.cpu_type), each.fat_offset, *place))
    return rows


def problems(path: Path) -> list[str]:
    """Return the faults of the signatures of a file; a slice without a signature has none."""
    data = path.read_bytes()
    found = []
    for each in slices(path):
        if each.at < 0:
            continue
        if each.at + each.size != each.linkedit_end:
            found.append("the signature is not at the end of __LINKEDIT")
        found += _problems_of(data[each.start : each.end], each.at, each.size)
    return found


def signed(path: Path) -> list[int]:
    """Return the processors whose slices are signed."""
    return [each.processor for each in slices(path) if each.at >= 0]


def _problems_of(data: bytes, at: int, size: int) -> Iterator[str]:
    """Yield the faults of the signature of one slice."""
    magic, length, count = struct.unpack_from(">3I", data, at)
    assert magic == MAGIC["signature"]
    assert length <= size
    blobs = {}
    for number in range(count):
        slot, offset = struct.unpack_from(">2I", data, at + 12 + 8 * number)
        (blob_size,) = struct.unpack_from(">I", data, at + offset + 4)
        blobs[slot] = data[at + offset : at + offset + blob_size]
    directories = [blobs[slot] for slot in CODE_DIRECTORIES if slot in blobs]
    assert directories
    for directory in directories:
        yield from _problems_of_directory(directory, data, at, blobs)


def _problems_of_directory(directory: bytes, data: bytes, at: int, blobs: dict[int, bytes]) -> Iterator[str]:
    """Compare the hashes of pages and of the other blobs with those in a CodeDirectory."""
    fields = struct.unpack_from(">IIIIIIIIIBBBBI", directory)
    magic, _, version, _, hashes, _, specials, pages, limit, size, kind, _, page_bits, _ = fields
    assert magic == MAGIC["directory"]
    if version >= 0x20300:
        limit = struct.unpack_from(">Q", directory, 56)[0] or limit
    name, page = ALGORITHMS[kind], 1 << page_bits
    if limit != at:
        yield f"{name}: {limit} bytes of code are signed, {at} lie before the signature"
    if pages != -(-limit // page):
        yield f"{name}: {pages} pages of {page} bytes are signed"
    for number in range(pages):
        piece = data[number * page : min((number + 1) * page, limit)]
        if hashlib.new(name, piece).digest()[:size] != directory[hashes + number * size :][:size]:
            yield f"{name}: page {number} differs"
    for slot in range(1, specials + 1):
        written = directory[hashes - slot * size :][:size]
        if slot in blobs and hashlib.new(name, blobs[slot]).digest()[:size] != written:
            yield f"{name}: blob {slot} differs"
        if slot not in blobs and slot in (2, 5, 7) and written != bytes(size):
            yield f"{name}: blob {slot} is missing"
