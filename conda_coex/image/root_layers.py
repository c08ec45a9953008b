"""Write the files of an archive as layers, as they are in a root that stands at one place of the image."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.manifest import APP, PREFIX
from coex_bootstrap.format.relocation import NOTHING, SCRIPT, TEXT, kind_of
from coex_bootstrap.start.activation_files import LANGUAGES, SCRIPTS, STATE, VARIABLES
from coex_bootstrap.unpack.expected_contents import ExpectedContents

from ..archive.read_back import altered_frame
from ..archive.sizes import decode
from ..errors import ImageError
from ..root.link_target import TooManyLinks, resolve_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from coex_bootstrap.format.archive import Archive

    from .layer import LayerWriter

# Directories, and a file, that decide about an activation.
READ = tuple(PREFIX + b"/" + path + b"/" for path in (SCRIPTS, VARIABLES))
OF_ENVIRONMENT = PREFIX + b"/" + STATE
OF_ANOTHER_SIZE = (TEXT, SCRIPT)  # kinds of relocations


class RootLayers:
    """The layers of an archive for a root at `root`; raises ArchiveDamaged if a frame was altered."""

    def __init__(self, archive: Archive, root: bytes) -> None:
        if altered_frame(archive) is not None:
            raise ArchiveDamaged("a frame of it was altered", archive.path)
        self.root, self.date = root, int(archive.manifest.date)
        self.index, self.files = archive.index, archive.index.files
        self.expected = ExpectedContents(archive, root + b"/" + PREFIX, decode)
        self._hashes: dict[int, bytes] = {}
        self._is_of_app = [_is_in(path, APP) for path in self.files.paths]

    def add_above(self, writer: LayerWriter) -> None:
        """Add the directories that the root is in, and its own."""
        names = self.root.strip(b"/").split(b"/")
        for end in range(1, len(names) + 1):
            writer.add_directory(b"/".join(names[:end]), 0o755, self.date)

    def add_prefix(self, writer: LayerWriter) -> None:
        """Add the environment."""
        self._add(writer, PREFIX, of_app=False)

    def add_app(self, writer: LayerWriter) -> None:
        """Add the files of the app."""
        self._add(writer, APP, of_app=True)

    def _add(self, writer: LayerWriter, top: bytes, *, of_app: bool) -> None:
        """Add directories, then files in the order of the archive, those with hashes of others last, then links."""
        for directory in sorted(self.index.directories, key=lambda each: each.path):
            if _is_in(directory.path, top):
                writer.add_directory(self._at(directory.path), directory.mode, self.date)
        rows = [row for row, number in enumerate(self.files.directories) if self._is_of_app[number] is of_app]
        hashed = [row for row in rows if row in self.files.hashed]
        for row, size, pieces in self._contents([row for row in rows if row not in self.files.hashed]):
            self._add_file(writer, row, size, pieces)
        missing = [row for row in self.expected.hashed_by(hashed) if row not in self._hashes]
        for _, _, pieces in self._contents(missing):  # of the other layer
            _size_of(pieces)
        for row, size, pieces in self._contents(hashed):
            self._add_file(writer, row, size, pieces)
        for link in sorted(self.index.links, key=lambda each: each.path):
            if _is_in(link.path, top):
                writer.add_link(self._at(link.path), link.target, self.date)

    def _add_file(self, writer: LayerWriter, row: int, size: int, pieces: Iterable[bytes]) -> None:
        """Add a file with its time, of which .pyc files know; a relocated one has another, as in an environment."""
        date = self.files.seconds[row]
        if not self.expected.keeps_time(row):
            date = self.date + (date == self.date)
        writer.add_file(self._at(self.files.path(row)), self.files.modes[row], date, size, pieces)

    def _contents(self, rows: Iterable[int]) -> Iterator[tuple[int, int, Iterator[bytes]]]:
        """Yield (row, size in the image, pieces of its content), decoding each frame of small files once."""
        number, frame = -1, b""
        for row in rows:
            size = self.files.sizes[row]
            if row in self.expected.large:
                if kind_of(self.files.relocations.get(row, NOTHING)) in OF_ANOTHER_SIZE:
                    size = _size_of(self.expected.pieces(row))
                yield row, size, self._hashing(row, self.expected.pieces(row, self._hashes))
                continue
            if size and self.files.frames[row] != number:
                number = self.files.frames[row]
                frame = self.expected.decode(number)
            content = self.expected.content(row, frame if size else b"")
            if row in self.files.hashed:
                content = self.expected.fill(row, content, self._hashes)
            yield row, len(content), self._hashing(row, [content])

    def _hashing(self, row: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces, and remember the sha256 of a relocated file."""
        if row not in self.files.relocations:
            yield from pieces
            return
        total = hashlib.sha256()
        for piece in pieces:
            total.update(piece)
            yield piece
        self._hashes[row] = total.hexdigest().encode()

    def _at(self, path: bytes) -> bytes:
        """Return the path in the image, without the first slash, of a path in the root."""
        return self.root.strip(b"/") + b"/" + path

    def has(self, path: bytes) -> bool:
        """Return whether the archive has a file or link at a path of the root."""
        directory, _, name = path.rpartition(b"/")
        rows = zip(self.files.directories, self.files.names, strict=True)
        numbers = {number for number, known in enumerate(self.files.paths) if known == directory}
        return any(link.path == path for link in self.index.links) or any(n in numbers and x == name for n, x in rows)

    @contextmanager
    def activated_by(self) -> Iterator[bytes]:
        """Yield a directory with those files of the prefix that decide about its activation, and no link."""
        all_rows = {self.files.path(row): row for row in range(len(self.files))}
        links = {os.fsdecode(link.path): os.fsdecode(link.target) for link in self.index.links}
        rows = {path: row for path, row in all_rows.items() if path.startswith(READ) or path == OF_ENVIRONMENT}
        for path in map(os.fsencode, links):
            if path.startswith(READ) or any(place.startswith(path + b"/") for place in READ) or path == OF_ENVIRONMENT:
                rows[path] = all_rows[_behind(path, links, all_rows)]
        data = dict(self.expected.contents(set(rows.values())))
        programs = {b"prefix/bin/" + program.encode() for program, _ in LANGUAGES}
        data.update((row, b"") for path, row in all_rows.items() if path in programs)
        rows.update((path, all_rows[path]) for path in programs if path in all_rows)
        with tempfile.TemporaryDirectory(prefix="coex-") as directory:
            for path, row in rows.items():
                _place(Path(directory, os.fsdecode(path)), data[row])
            for path in programs.intersection(map(os.fsencode, links)):
                _place(Path(directory, os.fsdecode(path)), b"")
            yield os.fsencode(directory) + b"/" + PREFIX


def _place(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _behind(path: bytes, links: dict[str, str], rows: dict[bytes, int]) -> bytes:
    """Return the file of the root that a link leads to; raises ImageError if it is another thing, or outside."""
    try:
        target = resolve_links(os.fsdecode(path), links.get)
    except TooManyLinks:
        target = None
    if target is None or os.fsencode(target) not in rows:
        raise ImageError("decides about the activation, and is a link to no file of the archive", path)
    return os.fsencode(target)


def _size_of(pieces: Iterable[bytes]) -> int:
    return sum(map(len, pieces))


def _is_in(path: bytes, top: bytes) -> bool:
    return (path + b"/").startswith(top + b"/")
