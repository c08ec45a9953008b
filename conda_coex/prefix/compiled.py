"""Decide which paths of the prefix a host can replace in a compiled file, and list the files where it cannot.

No byte of such a file moves: the new path, with NULs after it, takes the room of the old one. That needs enough room,
and nothing in the file may refer to the middle of the path. Paths of source files, which messages show, are not needed.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import in_binary

from ..archive.placeholders import find_edits
from ..root.content import Content
from ..root.source import Patched, PatchedData, sha256_of
from . import elf
from .elf_references import references
from .live_file import opened
from .mentions import is_object, is_path, offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..root.content import Link
    from ..root.source import Buffer, Searched

ROOMY = 100  # bytes: longer than a prefix in the usual stores
SHORTEST = len("/c/0123456789abcdef01234567/prefix")  # bytes of the shortest possible prefix in a store
LONGEST = 4096  # bytes of a path
# The rest of the path of a source file, as compilers write it.
SOURCE = re.compile(
    rb"[^\0\n:;,\"'<>|]*\.(?:[chCHSs]|cc|cpp|cxx|c\+\+|hh|hpp|hxx|h\+\+|inl|ipp|tcc|tpp|cuh?|[fF](?:\d\d|or|pp)?|go|rs"
    rb"|pyx|pxd|pxi|mm?|asm|swift|zig|d|hs|ml)(?![\w./-])"
)
CRATE = re.compile(rb"/\.?cargo[\w.-]*/registry/src/[\w./+-]*?\.rs")  # other strings may follow without a NUL
OWN_LENGTHS = (b"\xff Go buildinf:", b"rustc version ")  # marks of languages whose strings do not end with a NUL
WORD = re.compile(rb"[\x48\x49][\xb8-\xbf]")  # an instruction of x86-64 with a constant of 8 bytes
PROGRAM = re.compile(r"\.(so|dylib|node)(\.|\Z)")  # names of compiled files that may not be executable
CHUNKS = (8, 16, 32)  # bytes that one instruction moves


@dataclass
class UnreplacedPaths:
    """Files in which the builder's path remains, with the reason: paths relative to the prefix."""

    fixed: dict[str, int] = field(default_factory=dict)  # places that cannot be changed, and their number
    pieces: list[str] = field(default_factory=list)  # the path consists of constants of a program
    sources: list[str] = field(default_factory=list)  # paths of sources, without room for another path


def limit_edits(
    items: Iterable[Content | Link], names: Sequence[str], unreplaced: UnreplacedPaths
) -> list[Content | Link]:
    """Return the items; compiled files that are not a package's own have only edits that a host can make.

    The others are recorded in `unreplaced`. `names` are paths by which files name the prefix.
    """
    return [_limit_item(item, names, unreplaced) if isinstance(item, Content) else item for item in items]


def _limit_item(item: Content, names: Sequence[str], unreplaced: UnreplacedPaths) -> Content:
    if item.package_path is not None or item.source is None or item.file_mode == "text" or item.python is not None:
        return item
    if item.file_mode is None and not (item.mode & 0o111 or PROGRAM.search(item.path)):
        return item
    with opened(item.source) as data:
        if is_object(data):
            whole = data[:] if isinstance(data, PatchedData) else data
            return limit_object(item, whole, names, unreplaced)
    is_data = item.file_mode == "binary" and item.placeholder is not None and item.placeholder in names
    if is_data and len(os.fsencode(item.placeholder or "")) < SHORTEST:
        unreplaced.fixed[item.path.removeprefix("prefix/")] = 1  # a data file sets no limit to the root's path
        return replace(item, relocation=None)
    return item


def limit_object(item: Content, data: Buffer, names: Sequence[str], unreplaced: UnreplacedPaths) -> Content:
    """Return a compiled file, whose bytes are `data`, with the edits that a host can make."""
    path = item.path.removeprefix("prefix/")
    sections = elf.read_sections(data)
    if any(in_pieces(data, sections, name) for name in names):
        unreplaced.pieces.append(path)
    prefix = item.placeholder
    if prefix is None or prefix not in names:  # there is none, or it is the placeholder of a package
        return item
    is_short = len(prefix.encode()) < ROOMY
    searched: Searched = data
    if is_short and sections and item.source is not None:
        directory = posixpath.dirname(item.path)
        changed = Patched(item.source, tuple(elf.relative_search_paths(data, sections, prefix, directory)))
        if changed.spans:
            searched = changed.over(data)
            item = replace(item, source=changed, sha256=sha256_of(searched))
    accept = _Chooser(data, searched, sections, prefix, is_short=is_short)
    edits = find_edits(searched, prefix, "paths", accept)
    if accept.fixed:
        unreplaced.fixed[path] = accept.fixed
    if accept.read and path not in unreplaced.pieces:
        unreplaced.pieces.append(path)
    if accept.sources:
        unreplaced.sources.append(path)
    return replace(item, relocation=in_binary(prefix, edits) if edits else None)


class _Chooser:
    """Decide for each path in a compiled file whether a host replaces it, and count those that it cannot replace."""

    def __init__(
        self, data: Buffer, searched: Searched, sections: list[elf.Section], prefix: str, *, is_short: bool
    ) -> None:
        """Take the content of a file, and `searched`, in which some search paths may be others."""
        self.fixed = self.read = self.sources = 0
        self.sections, self.is_short = sections, is_short
        self.is_input = data[:2] == b"!<" or (bool(sections) and elf.linked_for(data)[0] == elf.OBJECT)
        self.is_linked = bool(sections) and elf.linked_for(data)[0] in (elf.EXECUTABLE, elf.SHARED)
        self.side_by_side = self.is_linked and any(data.find(mark) >= 0 for mark in OWN_LENGTHS)
        places = offsets(find_edits(searched, prefix, "paths")) if self.is_linked else []
        self.names = set().union(*(elf.names_in(data, sections, each) for each in sections)) if places else set()
        addresses = {place: address for place in places if (address := self._address(place)) is not None}
        size = 4 * len(prefix)
        around = {address + step for address in addresses.values() for step in range(size)}
        self.taken, self.loaded = references(data, sections, around) if around else (set(), set())

    def _address(self, offset: int) -> int | None:
        section = elf.holding(self.sections, offset)
        return section.address + offset - section.offset if section and section.flags & elf.ALLOC else None

    def __call__(self, data: Searched, start: int, end: int, encoding: str) -> bool:
        is_whole = is_path(data, start, end, encoding)
        if not self.is_linked:  # the linker reads objects and archives of them: no program starts from these
            self.sources += is_whole and self.is_short and self.is_input
            return is_whole and not (self.is_short and self.is_input)
        section = elf.holding(self.sections, start)
        if section is None:  # data after a program, such as an archive, may have a checksum
            self.fixed += is_whole
            return False
        if not section.flags & elf.ALLOC:
            return is_whole and not self.is_short
        address = section.address + start - section.offset
        if not is_whole and not self._begins(data, start, end, address, encoding):
            return False
        if section.flags & elf.CODE or not self.loaded.isdisjoint(range(address, address + end - start)):
            self.read += 1
            return False
        inside = not self.names.isdisjoint(range(start + 1, end))
        if inside or not self.taken.isdisjoint(range(address + 1, address + end - start)):
            self.fixed += 1
            return False
        return not (self.is_short and self._is_source(data, end, encoding))

    def _begins(self, data: Searched, start: int, end: int, address: int, encoding: str) -> bool:
        """Return whether a string begins here that follows a string without a NUL."""
        if address not in self.taken:
            return False
        ends = is_path(b"\0" + data[start : end + 8], 1, 1 + end - start, encoding)
        if ends and self.side_by_side:
            return True
        self.fixed += ends or self.side_by_side
        return False

    def _is_source(self, data: Searched, end: int, encoding: str) -> bool:
        rest = data[end : end + LONGEST] if encoding == "utf-8" else b""
        is_source = (CRATE if self.side_by_side else SOURCE).match(rest) is not None
        self.sources += is_source
        return is_source


def in_pieces(data: Buffer, sections: list[elf.Section], prefix: str) -> bool:
    """Return whether a program builds a path from constants in its instructions."""
    name = prefix.encode()
    if not sections or elf.linked_for(data)[0] not in (elf.EXECUTABLE, elf.SHARED):
        return False
    return any(_has_chunks(data, sections, name, size) for size in CHUNKS if size <= len(name))


def _has_chunks(data: Buffer, sections: list[elf.Section], name: bytes, size: int) -> bool:
    """Return whether each chunk of a path is a constant; the last chunks, which may overlap, are not searched."""
    read: list[set[int]] = []
    sure = max(min(2 * CHUNKS[0], len(name)), len(name) - 3 * CHUNKS[0])
    for start in range(0, sure - size + 1, size) or [0]:
        in_code, addresses = _constants(data, sections, name[start : start + size])
        if not in_code and not addresses:
            return False
        if not in_code:
            read.append(addresses)
    if not read or elf.linked_for(data)[1] != elf.X86_64:
        return True
    _, loaded = references(data, sections, set().union(*read))
    return all(not loaded.isdisjoint(addresses) for addresses in read)


def _constants(data: Buffer, sections: list[elf.Section], chunk: bytes) -> tuple[bool, set[int]]:
    """Return whether an instruction contains a chunk, and the addresses of the chunk in data sections."""
    addresses = set()
    for section in sections:
        if section.kind in (0, elf.NOBITS) or not section.flags & elf.ALLOC:
            continue
        stop = section.offset + section.size
        place = data.find(chunk, section.offset, stop)
        while place >= 0:
            if not section.flags & elf.CODE:
                addresses.add(section.address + place - section.offset)
            elif len(chunk) > 8 or elf.linked_for(data)[1] != elf.X86_64 or WORD.match(data[place - 2 : place]):
                return True, addresses
            place = data.find(chunk, place + 1, stop)
    return False, addresses
