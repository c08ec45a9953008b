"""Decide which paths of the prefix in a compiled file a host replaces, and name the files where one has to stay.

No byte of such a file moves: a path becomes one of the same length. It needs as much room as the host's, and nothing
may lead into it. The paths of the sources, which messages name, need not be right.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from coex_bootstrap.format.relocation import in_binary

from ..archive.placeholders import find_edits
from ..root.content import Content
from ..root.source import InMemory, OnDisk, Rewritten, sha256_of
from . import elf
from .elf_references import references
from .files import opened
from .mentions import is_object, is_path, offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..root.content import Link
    from ..root.source import Buffer

ROOMY = 100  # bytes of a prefix that the usual places to unpack do not reach
SHORTEST = len("/c/0123456789abcdef01234567/prefix")  # of the prefix in a store that can be
LONGEST = 4096  # bytes of a path
# The rest of a path that is the file of a source, as compilers name it.
SOURCE = re.compile(
    rb"[^\0\n:;,\"'<>|]*\.(?:[chCHSs]|cc|cpp|cxx|c\+\+|hh|hpp|hxx|h\+\+|inl|ipp|tcc|tpp|cuh?|[fF](?:\d\d|or|pp)?|go|rs"
    rb"|pyx|pxd|pxi|mm?|asm|swift|zig|d|hs|ml)(?![\w./-])"
)
CRATE = re.compile(rb"/\.?cargo[\w.-]*/registry/src/[\w./+-]*?\.rs")  # side by side with other strings
OWN_LENGTHS = (b"\xff Go buildinf:", b"rustc version ")  # in files whose strings stand side by side without a NUL
WORD = re.compile(rb"[\x48\x49][\xb8-\xbf]")  # an instruction of x86-64 with a constant of 8 bytes
PROGRAM = re.compile(r"\.(so|dylib|node)(\.|\Z)")  # what may be one without a mode that says so
CHUNKS = (8, 16, 32)  # bytes that one instruction moves


@dataclass
class Kept:
    """Files that go on naming the builder's path, by how they do: paths relative to the prefix."""

    fixed: dict[str, int] = field(default_factory=dict)  # where the place cannot be changed
    pieces: list[str] = field(default_factory=list)  # as constants of a program
    sources: list[str] = field(default_factory=list)  # as sources, with no room for another path


def settle(items: Iterable[Content | Link], names: Sequence[str], kept: Kept) -> list[Content | Link]:
    """Return the items; the edits of a compiled file that is no package's own are those that a host can make."""
    return [_settle(item, names, kept) if isinstance(item, Content) else item for item in items]


def _settle(item: Content, names: Sequence[str], kept: Kept) -> Content:
    if item.package_path is not None or item.source is None or item.file_mode == "text" or item.python is not None:
        return item
    if item.file_mode is None and not (item.mode & 0o111 or PROGRAM.search(item.path)):
        return item
    with opened(item.source) as data:
        if is_object(data):
            return decide(item, data, names, kept)
    is_data = item.file_mode == "binary" and item.placeholder is not None and item.placeholder in names
    if is_data and len(os.fsencode(item.placeholder or "")) < SHORTEST:
        kept.fixed[item.path.removeprefix("prefix/")] = 1  # data need not keep the archive from starting
        return replace(item, relocation=None)
    return item


def decide(item: Content, data: Buffer, names: Sequence[str], kept: Kept) -> Content:
    """Return a compiled file, of which `data` are the bytes, with no more edits than can be made."""
    path = item.path.removeprefix("prefix/")
    sections = elf.read_sections(data)
    if any(in_pieces(data, sections, name) for name in names):
        kept.pieces.append(path)
    prefix = item.placeholder
    if prefix is None or prefix not in names:  # none, or a placeholder of a package
        return item
    is_short = len(prefix.encode()) < ROOMY
    if is_short and sections:
        free = partial(_freed, prefix=prefix, directory=posixpath.dirname(item.path))
        freed = free(data[:])
        if freed != data[:]:
            source = Rewritten(item.source.path, free) if isinstance(item.source, OnDisk) else InMemory(freed)
            item, data = replace(item, source=source, sha256=sha256_of(freed)), freed
    accept = _Chooser(data, sections, prefix, is_short=is_short)
    edits = find_edits(data, prefix, "paths", accept)
    if accept.fixed:
        kept.fixed[path] = accept.fixed
    if accept.read and path not in kept.pieces:
        kept.pieces.append(path)
    if accept.sources:
        kept.sources.append(path)
    return replace(item, relocation=in_binary(prefix, edits) if edits else None)


def _freed(data: bytes, prefix: str, directory: str) -> bytes:
    """Return a program that finds its libraries from where it is, if it named the prefix."""
    return elf.with_origin(data, elf.read_sections(data), prefix, directory)


class _Chooser:
    """Says of each path in a compiled file whether a host replaces it, and counts those that it cannot."""

    def __init__(self, data: Buffer, sections: list[elf.Section], prefix: str, *, is_short: bool) -> None:
        self.fixed = self.read = self.sources = 0
        self.sections, self.is_short = sections, is_short
        self.is_input = data[:2] == b"!<" or (bool(sections) and elf.linked_for(data)[0] == elf.OBJECT)
        self.is_linked = bool(sections) and elf.linked_for(data)[0] in (elf.EXECUTABLE, elf.SHARED)
        self.side_by_side = self.is_linked and any(data.find(mark) >= 0 for mark in OWN_LENGTHS)
        places = offsets(find_edits(data, prefix, "paths")) if self.is_linked else []
        self.names = set().union(*(elf.names_in(data, sections, each) for each in sections)) if places else set()
        addresses = {place: address for place in places if (address := self._address(place)) is not None}
        size = 4 * len(prefix)
        wanted = {address + step for address in addresses.values() for step in range(size)}
        self.taken, self.loaded = references(data, sections, wanted) if wanted else (set(), set())

    def _address(self, offset: int) -> int | None:
        section = elf.holding(self.sections, offset)
        return section.address + offset - section.offset if section and section.flags & elf.ALLOC else None

    def __call__(self, data: Buffer, start: int, end: int, encoding: str) -> bool:
        is_whole = is_path(data, start, end, encoding)
        if not self.is_linked:  # objects and archives of them are for the linker, which starts nothing
            self.sources += is_whole and self.is_short and self.is_input
            return is_whole and not (self.is_short and self.is_input)
        section = elf.holding(self.sections, start)
        if section is None:  # what was put behind a program, as an archive, may have a sum
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

    def _begins(self, data: Buffer, start: int, end: int, address: int, encoding: str) -> bool:
        """Return whether a string begins here, after one without an end."""
        if address not in self.taken:
            return False
        ends = is_path(b"\0" + data[start : end + 8], 1, 1 + end - start, encoding)
        if ends and self.side_by_side:
            return True
        self.fixed += ends or self.side_by_side
        return False

    def _is_source(self, data: Buffer, end: int, encoding: str) -> bool:
        rest = data[end : end + LONGEST] if encoding == "utf-8" else b""
        found = (CRATE if self.side_by_side else SOURCE).match(rest) is not None
        self.sources += found
        return found


def in_pieces(data: Buffer, sections: list[elf.Section], prefix: str) -> bool:
    """Return whether a program has a path as constants that its instructions put together."""
    name = prefix.encode()
    if not sections or elf.linked_for(data)[0] not in (elf.EXECUTABLE, elf.SHARED):
        return False
    return any(_has_chunks(data, sections, name, size) for size in CHUNKS if size <= len(name))


def _has_chunks(data: Buffer, sections: list[elf.Section], name: bytes, size: int) -> bool:
    """Return whether each chunk is a constant; the last ones, which may overlap, are not looked for."""
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
    """Return whether a chunk stands in an instruction, and at which addresses it stands where data is."""
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
