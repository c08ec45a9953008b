"""Find references of an ELF file to the middle of a string: linkers store a string once that is the end of another."""

from __future__ import annotations

import re
import struct
import sys
from array import array
from typing import TYPE_CHECKING

from ..root.source import blocks
from .elf import CODE, EXECUTABLE, LITTLE, NOBITS, WIDE, X86_64, linked_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..root.source import Buffer
    from .elf import Section

# Instructions of x86-64 that contain an address: as the distance from the next one, or as a number of 32 bits.
DISTANCE = re.compile(rb"[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](?=(.{4}))", re.DOTALL)
TAKES = 0x8D  # lea
NUMBER = re.compile(
    rb"(?:[\xb8-\xbf\x68]|\xc7[\xc0-\xc7]|\xc7[\x40-\x43\x45-\x47].|\xc7\x44\x24.)(?=(.{4}))", re.DOTALL
)


def references(data: Buffer, sections: list[Section], addresses: set[int]) -> tuple[set[int], set[int]]:
    """Return those of the addresses that are taken, and those from which an instruction reads.

    Instructions are searched for x86-64 only; pointers in data and in the loader's tables for every machine.
    """
    taken = _words(data, addresses)
    loaded: set[int] = set()
    kind, machine = linked_for(data)
    code = (each for each in sections if each.flags & CODE and each.kind != NOBITS)
    for section in code if machine == X86_64 else ():
        for address, is_taken in _named(data, section, absolute=kind == EXECUTABLE):
            if address in addresses:
                (taken if is_taken else loaded).add(address)
    return taken, loaded


def _words(data: Buffer, addresses: set[int]) -> set[int]:
    """Return the addresses that some word of the file has as its value."""
    width = 8 if data[4:5] == WIDE else 4
    pointers: set[int] = set()
    for block in blocks(data):
        words = array("Q" if width == 8 else "I", block[: len(block) // width * width])
        if (data[5:6] == LITTLE) != (sys.byteorder == "little"):
            words.byteswap()
        pointers |= addresses.intersection(words)
    return pointers


def _named(data: Buffer, section: Section, *, absolute: bool) -> Iterator[tuple[int, bool]]:
    """Yield the addresses in instructions, and whether the instruction takes the address instead of reading there."""
    start, stop = section.offset, section.offset + section.size
    distance = struct.Struct("<i")
    for match in DISTANCE.finditer(data, start, stop):
        (step,) = distance.unpack(match[1])
        yield section.address + match.end() - start + 4 + step, data[match.start() - 1] == TAKES
    if absolute:
        for match in NUMBER.finditer(data, start, stop):
            yield int.from_bytes(match[1], "little"), True
