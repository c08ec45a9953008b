"""Know which paths an image has, from the names in the tars of its layers, in their order."""

from __future__ import annotations

import posixpath
import tarfile
from typing import TYPE_CHECKING

from ..errors import BaseRefused
from ..root.link_target import TooManyLinks, resolve_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .compress import Readable

MOST_NAMES = 4_000_000  # an image of all of Debian's desktops has a tenth
MOST_CHARACTERS = 1 << 28  # of all names
MOST_HEADERS = 4 * MOST_NAMES  # of one tar: an entry with long names has several
MOST_HEADER = 1 << 20  # bytes of a long name, or of the extended headers of one entry
LONGEST = 4096  # characters of a path (PATH_MAX of Linux)
DIGITS = 20  # of a size
RECORDS = (b"path", b"linkpath", b"size")  # of extended headers, that say where an entry is, and its end
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
LONG_NAME, LONG_LINK, EXTENDED, GLOBAL = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, b"x", b"g"
DIRECTORY, LINK, OTHER = "directory", "link", "other"


class Tree:
    """The paths of an image, without the first slash, with the target if they are links."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[str, str]] = {"": (DIRECTORY, "")}
        self._names, self._characters = 0, 0  # of all layers

    def add(self, stream: Readable, path: bytes) -> None:
        """Add a layer, whose decompressed tar is read to its end; `path` is named in errors. Raises BaseRefused."""
        above: dict[str, tuple[str, str]] = {}
        removed, emptied = set(), set()
        for entry in entries(stream, path):
            name = posixpath.normpath("/" + entry.name).lstrip("/")
            self._count(name + entry.linkname, path)
            place, last = posixpath.split(name)
            if last == OPAQUE:
                emptied.add(place)
            elif last.startswith(WHITEOUT):
                removed.add(posixpath.join(place, last.removeprefix(WHITEOUT)))
            elif name:
                kind = DIRECTORY if entry.isdir() else LINK if entry.issym() else OTHER
                above[name] = kind, entry.linkname
        if removed or emptied:
            self._members = {
                name: fields for name, fields in self._members.items()
                if not name or not _is_gone(name, removed, emptied)
            }  # fmt: skip
        self._members.update(above)
        for name in above:  # directories that have no entry of their own
            while (name := posixpath.dirname(name)) and name not in self._members:
                self._count(name, path)
                self._members[name] = DIRECTORY, ""

    def _count(self, name: str, path: bytes) -> None:
        """Count a name; raises BaseRefused if there are too many for the memory."""
        self._names += 1
        self._characters += len(name)
        if self._names > MOST_NAMES or self._characters > MOST_CHARACTERS:
            raise BaseRefused(f"has more than {MOST_NAMES} files, or too long names", path)

    def has(self, path: str) -> bool:
        """Return whether a path leads to something, its links followed as in a root of their own."""
        return self.kind(path) is not None

    def kind(self, path: str, *, follow: bool = True) -> str | None:
        """Return DIRECTORY, LINK or OTHER for the thing at a path, None if there is none."""
        try:
            target = resolve_links(path.strip("/"), self._target, last=follow)
        except TooManyLinks:
            return None
        if target is None or target not in self._members:
            return None
        return self._members[target][0]

    def names_in(self, *directories: str) -> Iterator[str]:
        """Yield the names in directories, their links followed, and in the directories in them."""
        for directory in directories:
            try:
                target = resolve_links(directory, self._target)
            except TooManyLinks:
                continue
            if target is not None:
                yield from (each[len(target) + 1 :] for each in self._members if each.startswith(f"{target}/"))

    def _target(self, path: str) -> str | None:
        kind, target = self._members.get(path, (OTHER, ""))
        if kind != LINK:
            return None
        return "../" * path.count("/") + target.lstrip("/") if target.startswith("/") else target


def _is_gone(name: str, removed: set[str], emptied: set[str]) -> bool:
    """Return whether a path, or a directory that it is in, is removed, or is in a directory that is emptied."""
    if name in removed:
        return True
    while name:
        name = posixpath.dirname(name)
        if name in removed or name in emptied:
            return True
    return False


def entries(stream: Readable, path: bytes) -> Iterator[tarfile.TarInfo]:
    """Yield the entries of a tar that anyone may have made, in constant memory; raises BaseRefused.

    An entry is yielded when its content has been read.
    """
    more: dict[str, str] = {}
    for _ in range(MOST_HEADERS):
        block = stream.read(tarfile.BLOCKSIZE)
        entry = _entry(block, path)
        if entry is None:
            break
        if entry.type in (LONG_NAME, LONG_LINK, EXTENDED, GLOBAL):
            data = _read_header(stream, entry.size, path)
            more.update(_named(entry.type, data))
            continue
        entry.name, entry.linkname = more.get("path", entry.name), more.get("linkpath", entry.linkname)
        entry.size = _size(more.get("size", str(entry.size)), path)
        more = {}
        if max(len(entry.name), len(entry.linkname)) > LONGEST:
            raise BaseRefused("has a name that is too long", path)
        if entry.type == tarfile.GNUTYPE_SPARSE:
            _skip_sparse(stream, block)
        if entry.isreg() or entry.type not in tarfile.SUPPORTED_TYPES:
            _skip(stream, entry.size, path)
        yield entry
    else:
        raise BaseRefused(f"has more than {MOST_HEADERS} headers", path)
    while stream.read(1 << 20):
        pass


def _entry(block: bytes, path: bytes) -> tarfile.TarInfo | None:
    """Return the entry of a header, None at the end of a tar."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape") if block.strip(b"\0") else None
    except tarfile.HeaderError as error:
        raise BaseRefused(f"it is not a whole tar: {error}", path) from None


def _size(text: str, path: bytes) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise BaseRefused("it is not a whole tar: an entry has an impossible size", path)
    return int(text)


def _read_header(stream: Readable, size: int, path: bytes) -> bytes:
    if not 0 <= size <= MOST_HEADER:
        raise BaseRefused("has a name that is too long", path)
    data = stream.read(size + -size % tarfile.BLOCKSIZE)
    return data[:size]


def _skip(stream: Readable, size: int, path: bytes) -> None:
    left = size + -size % tarfile.BLOCKSIZE
    while left > 0:
        piece = stream.read(min(left, 1 << 20))
        if not piece:
            raise BaseRefused("it is not a whole tar: it ends within a file", path)
        left -= len(piece)


def _skip_sparse(stream: Readable, block: bytes) -> None:
    """Skip the blocks that go on with the list of a sparse file's pieces (tar.h of GNU)."""
    goes_on = block[482]
    while goes_on:
        block = stream.read(tarfile.BLOCKSIZE)
        goes_on = block[504] if len(block) == tarfile.BLOCKSIZE else 0


def _named(kind: bytes, data: bytes) -> Iterable[tuple[str, str]]:
    """Return the facts about the next entry in a header of its own: path, linkpath, size and others."""
    if kind in (LONG_NAME, LONG_LINK):
        name = data.split(b"\0")[0].decode("utf-8", "surrogateescape")
        return [("path" if kind == LONG_NAME else "linkpath", name)]
    return _extended(data) if kind == EXTENDED else []


def _extended(data: bytes) -> Iterable[tuple[str, str]]:
    """Return the records of a pax header (POSIX.1-2001, pax): lines of `LENGTH NAME=VALUE`."""
    at = 0
    while at < len(data):
        length, blank, _ = data[at : at + DIGITS].partition(b" ")
        if not blank or not length.isdigit() or not 0 < int(length) <= len(data) - at:
            return
        name, _, value = data[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if name in RECORDS:
            yield name.decode("ascii"), value.decode("utf-8", "surrogateescape")
        at += int(length)
