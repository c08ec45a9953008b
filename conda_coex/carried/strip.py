"""Remove from an ELF file everything that is not loaded: symbols, debug information, the table of sections."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ..prefix.elf import MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 0xFFFF  # segments; the count is elsewhere if there are as many


def stripped(data: bytes) -> bytes:
    """Return a program or library with the bytes of its headers and segments, and zeros between these.

    A loader reads nothing else (System V ABI, chapter 5). A file without segments is returned as it is.
    """
    if data[:4] != MAGIC or not {data[4:5], data[5:6]} <= {b"\1", b"\2"}:
        return data
    try:
        spans = sorted(_spans(data))
    except struct.error:
        return data
    if len(spans) < 3 or max(end for _, end in spans) > len(data):
        return data
    content = bytearray(max(end for _, end in spans))
    for start, end in spans:
        content[start:end] = data[start:end]
    order, wide = _shape(data)
    struct.pack_into(order + ("Q" if wide else "I"), content, 40 if wide else 32, 0)  # e_shoff
    struct.pack_into(order + "HH", content, 60 if wide else 48, 0, 0)  # e_shnum, e_shstrndx
    return bytes(content)


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the header, of the table of segments, and of each segment in the file."""
    order, wide = _shape(data)
    header = struct.unpack_from(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), data, 16)
    table, size, row, count = header[4], header[7], header[8], header[9]
    if count == MOST:
        return
    yield 0, size
    yield table, table + row * count
    for number in range(count):
        fields = struct.unpack_from(order + ("IIQQQQQQ" if wide else "IIIIIIII"), data, table + number * row)
        offset, length = (fields[2], fields[5]) if wide else (fields[1], fields[4])
        if length:
            yield offset, offset + length


def _shape(data: bytes) -> tuple[str, bool]:
    return "<" if data[5] == 1 else ">", data[4] == 2
