"""Free an ELF file from the path of its prefix, where that would leave no room for a longer one.

What a compiler of the environment links finds its libraries by an absolute RUNPATH, and debugging information names
the headers. The first can be relative to the file, the second is not loaded (System V ABI, chapters 4 and 5).
"""

from __future__ import annotations

import os
import posixpath
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .live_file import digest
from .occurrences import is_path
from .placeholders import find_edits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .placeholders import Buffer
    from .plan import Content

MAGIC = b"\x7fELF"
DYNAMIC, NOBITS, SYMBOLS = 6, 8, 11  # types of sections
VERSIONS = (0x6FFFFFFD, 0x6FFFFFFE)  # defined and needed
ALLOC = 2  # flag of a section that is loaded
RPATH, RUNPATH = 15, 29  # tags of the dynamic section
NAMES = (1, 14, RPATH, RUNPATH)  # those with a string: NEEDED and SONAME too


@dataclass(frozen=True)
class Section:
    kind: int
    flags: int
    offset: int
    size: int
    link: int


def free(content: Content, data: bytes) -> Content:
    """Return a binary of a live prefix, of which `data` are the bytes, with no more edits than it needs.

    Its RUNPATH begins with `$ORIGIN` where that is not longer; places that are not loaded stay as they are.
    """
    prefix = content.placeholder
    sections = read_sections(data)
    if prefix is None or not sections:
        return content
    freed = _with_origin(data, sections, prefix, posixpath.dirname(content.path))
    unloaded = [
        range(each.offset, each.offset + each.size)
        for each in sections
        if each.kind not in (0, NOBITS) and not each.flags & ALLOC
    ]

    def is_loaded_path(data: Buffer, start: int, end: int, encoding: str) -> bool:
        return is_path(data, start, end, encoding) and not any(start in each for each in unloaded)

    edits = find_edits(freed, prefix, "binary", is_loaded_path)
    if freed != data:
        content = replace(content, source=freed, sha256=digest(freed))
    return replace(content, edits=edits) if edits else replace(content, edits=None, placeholder=None, file_mode=None)


def is_elf(path: Path) -> bool:
    """Return whether a file says that it is one."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def read_sections(data: bytes) -> list[Section]:
    """Return the sections of an ELF file; none where it is no such file, or not a whole one."""
    if data[:4] != MAGIC or not {data[4:5], data[5:6]} <= {b"\1", b"\2"}:
        return []
    order, wide = "<" if data[5] == 1 else ">", data[4] == 2
    row = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
    try:
        header = struct.unpack_from(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), data, 16)
        start, size, count = header[5], header[10], header[11]
        rows = [row.unpack_from(data, start + number * size) for number in range(count)]
    except struct.error:
        return []
    sections = [Section(kind, flags, offset, size, link) for _, kind, flags, _, offset, size, link, *_ in rows]
    whole = all(each.kind == NOBITS or each.offset + each.size <= len(data) for each in sections)
    return sections if whole else []


def _with_origin(data: bytes, sections: list[Section], prefix: str, directory: str) -> bytes:
    for start, end in _search_paths(data, sections):
        old = os.fsdecode(data[start:end])
        new = ":".join(dict.fromkeys(_relative(entry, prefix, directory) for entry in old.split(":")))
        if new != old and len(os.fsencode(new)) <= end - start:
            data = data[:start] + os.fsencode(new).ljust(end - start, b"\0") + data[end:]
    return data


def _search_paths(data: bytes, sections: list[Section]) -> list[tuple[int, int]]:
    """Return where in the file the strings are by which the loader searches for libraries.

    One whose end is a name of something else, too, is left out: linkers store such a name once.
    """
    order, wide = "<" if data[5] == 1 else ">", data[4] == 2
    entry = struct.Struct(order + ("qQ" if wide else "iI"))
    word = struct.Struct(order + "I")  # any of a section of versions may be a name's place
    shapes = {SYMBOLS: struct.Struct(order + ("I20x" if wide else "I12x")), **dict.fromkeys(VERSIONS, word)}
    found = []
    for section in sections:
        if section.kind != DYNAMIC or section.link >= len(sections):
            continue
        strings = sections[section.link]
        rows = list(_rows(data, section, entry))
        named = {value for tag, value in rows if tag in NAMES}
        for other in sections:
            if other.link == section.link and other.kind in shapes:
                named.update(number for (number,) in _rows(data, other, shapes[other.kind]))
        for tag, value in rows:
            start = strings.offset + value
            end = data.find(b"\0", start)
            if tag not in (RPATH, RUNPATH) or not start <= end < strings.offset + strings.size:
                continue
            if named.isdisjoint(range(value + 1, value + end - start)):
                found.append((start, end))
    return found


def _rows(data: bytes, section: Section, row: struct.Struct) -> Iterator[tuple[int, ...]]:
    return row.iter_unpack(data[section.offset : section.offset + section.size // row.size * row.size])


def _relative(entry: str, prefix: str, directory: str) -> str:
    if not (entry + "/").startswith(prefix + "/"):
        return entry
    inside = posixpath.relpath(f"prefix{entry[len(prefix) :]}", directory)
    return "$ORIGIN" if inside == "." else f"$ORIGIN/{inside}"
