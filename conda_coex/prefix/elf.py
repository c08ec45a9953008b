"""Read the sections of an ELF file, and make its search paths for libraries relative to its directory.

A compiler of the environment writes an absolute RUNPATH (System V ABI, chapters 4 and 5).
"""

from __future__ import annotations

import os
import posixpath
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..root.source import Span

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ..root.source import Searched

MAGIC = b"\x7fELF"
WIDE, LITTLE = b"\2", b"\1"  # the byte of the class that has 64 bits, and of the order of bytes
DYNAMIC, NOBITS, SYMBOLS = 6, 8, 11  # types of sections
VERSIONS = (0x6FFFFFFD, 0x6FFFFFFE)  # defined and needed
ALLOC, CODE = 2, 4  # flags: the section is loaded, has instructions
OBJECT, EXECUTABLE, SHARED = 1, 2, 3  # types of files
X86_64 = 62
RPATH, RUNPATH = 15, 29  # tags of the dynamic section
NEEDED = 1
NAMES = (NEEDED, 14, RPATH, RUNPATH)  # tags whose value is a string; 14 is SONAME


@dataclass(frozen=True)
class Section:
    """A section header: `offset` and `size` in the file, `address` when it is loaded, `link` to another section."""

    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


def read_sections(data: Searched) -> list[Section]:
    """Return the sections of an ELF file; none if it is another or a truncated file."""
    if data[:4] != MAGIC or not {data[4:5], data[5:6]} <= {b"\1", b"\2"}:
        return []
    order, wide = "<" if data[5:6] == LITTLE else ">", data[4:5] == WIDE
    row = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
    try:
        shape = struct.Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
        header = shape.unpack(data[16 : 16 + shape.size])
        start, size, count = header[5], header[10], header[11]
        rows = [row.unpack(data[at : at + row.size]) for at in range(start, start + size * count, size or 1)]
    except struct.error:
        return []
    sections = [Section(*each[1:7]) for each in rows]
    whole = all(each.kind == NOBITS or each.offset + each.size <= len(data) for each in sections)
    return sections if whole else []


def linked_for(data: Searched) -> tuple[int, int]:
    """Return type and machine of an ELF file."""
    kind, machine = struct.unpack("<HH" if data[5:6] == LITTLE else ">HH", data[16:20])
    return kind, machine


def holding(sections: list[Section], offset: int) -> Section | None:
    """Return the section that contains an offset of the file, None if there is none."""
    inside = (each for each in sections if each.kind not in (0, NOBITS))
    return next((each for each in inside if each.offset <= offset < each.offset + each.size), None)


def relative_search_paths(data: Searched, sections: list[Section], prefix: str, directory: str) -> Iterator[Span]:
    """Yield the changes to search paths of the prefix so that they begin with `$ORIGIN`, if these are not longer.

    `directory` is that of the file, relative to the root.
    """
    for start, end in sorted(set(_search_paths(data, sections))):
        old = os.fsdecode(data[start:end])
        new = ":".join(dict.fromkeys(_relative(entry, prefix, directory) for entry in old.split(":")))
        if new != old and len(os.fsencode(new)) <= end - start:
            yield Span(start, end, os.fsencode(new).ljust(end - start, b"\0"))


def needed(data: Searched, sections: list[Section]) -> list[str]:
    """Return the names of the libraries that the file needs."""
    return list(_texts(data, sections, (NEEDED,)))


def search_paths(data: Searched, sections: list[Section]) -> list[str]:
    """Return the directories that the file names, in which a loader looks for its libraries."""
    return [entry for text in _texts(data, sections, (RPATH, RUNPATH)) for entry in text.split(":")]


def _texts(data: Searched, sections: list[Section], tags: Container[int]) -> Iterator[str]:
    """Yield the texts of the dynamic section with these tags."""
    for section in sections:
        if section.kind == DYNAMIC and section.link < len(sections):
            strings = sections[section.link]
            table = data[strings.offset : strings.offset + strings.size]
            for tag, value in _rows(data, section, _dynamic(data)):
                if tag in tags:
                    yield os.fsdecode(table[value : table.find(b"\0", value)])


def _dynamic(data: Searched) -> struct.Struct:
    return struct.Struct(("<" if data[5:6] == LITTLE else ">") + ("qQ" if data[4:5] == WIDE else "iI"))


def names_in(data: Searched, sections: list[Section], strings: Section) -> set[int]:
    """Return the offsets of names in a section of strings that symbols, versions and dynamic tags refer to."""
    order, wide = "<" if data[5:6] == LITTLE else ">", data[4:5] == WIDE
    word = struct.Struct(order + "I")  # any word of a section of versions may be the offset of a name
    shapes = {SYMBOLS: struct.Struct(order + ("I20x" if wide else "I12x")), **dict.fromkeys(VERSIONS, word)}
    named: set[int] = set()
    for section in sections:
        if section.link < len(sections) and sections[section.link] is strings:
            if section.kind in shapes:
                named.update(number for (number,) in _rows(data, section, shapes[section.kind]))
            elif section.kind == DYNAMIC:
                rows = _rows(data, section, _dynamic(data))
                named.update(value for tag, value in rows if tag in NAMES)
    return {strings.offset + number for number in named}


def _search_paths(data: Searched, sections: list[Section]) -> list[tuple[int, int]]:
    """Return start and end of the search paths for libraries in the file.

    A path is left out if its end is also another name: linkers store such strings once.
    """
    paths = []
    for section in sections:
        if section.kind != DYNAMIC or section.link >= len(sections):
            continue
        strings = sections[section.link]
        named = names_in(data, sections, strings)
        for tag, value in _rows(data, section, _dynamic(data)):
            start = strings.offset + value
            end = data.find(b"\0", start)
            if tag not in (RPATH, RUNPATH) or not start <= end < strings.offset + strings.size:
                continue
            if named.isdisjoint(range(start + 1, end)):
                paths.append((start, end))
    return paths


def _rows(data: Searched, section: Section, row: struct.Struct) -> Iterator[tuple[int, ...]]:
    return row.iter_unpack(data[section.offset : section.offset + section.size // row.size * row.size])


def _relative(entry: str, prefix: str, directory: str) -> str:
    if not (entry + "/").startswith(prefix + "/"):
        return entry
    inside = posixpath.relpath(f"prefix{entry[len(prefix) :]}", directory)
    return "$ORIGIN" if inside == "." else f"$ORIGIN/{inside}"
