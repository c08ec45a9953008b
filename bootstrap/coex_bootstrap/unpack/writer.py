"""Write the files of an archive frame by frame, in any number of processes."""

import os

from ..base import compat
from .expected import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Container, Dict, Iterable, List, Sequence, Tuple, Union

    from .expected import Expected

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW


class Writer(object):
    """Writes files frame by frame; `hashes` collects the sha256 of relocated files by row.

    A unit of its work is a frame, or all frames of large files that are relocated. Those units come first, the largest
    before all, because others would wait for them at the end. The plain files of `linked` frames are there already.
    """

    def __init__(self, expected, work, linked):
        # type: (Expected, bytes, Container[int]) -> None
        self.expected, self.work, self.linked = expected, work, linked
        self.start, self.parent = work + b"/", os.getpid()  # before the path of a file in the root
        self.archive, self.index, self.files = expected.archive, expected.index, expected.files
        self.hashes = {}  # type: Dict[int, bytes]
        self.parts = {}  # type: Dict[int, List[Tuple[int, int]]] # of large files that any process may write: see Expected.parts
        self.large = set(row for row in self.files.large if row in self.files.relocations or self.files.frames[row] not in linked)
        self.special = self.large.union(self.files.relocations)  # rows of files that are not written as they are in a frame
        self.units = []  # type: List[Tuple[Sequence[int], List[int]]] # frames, and rows of relocated files that own them

    def prepare(self):
        # type: () -> None
        """Make the files that several processes will write into, and the units."""
        rows_by_frame = {}  # type: Dict[int, List[int]] # first frame: rows of relocated files
        for row in sorted(self.large, key=lambda row: -self.files.sizes[row]):
            if row in self.files.relocations and row not in self.files.hashed:
                rows_by_frame.setdefault(self.files.frames[row], []).append(row)
        shared_rows = self.large.difference(*rows_by_frame.values())
        for row in shared_rows:
            os.close(os.open(self._path(row), EXCLUSIVE, 0o600))
        self.parts = self.expected.parts(shared_rows)
        units = [(self.index.frames_of(rows[0]), rows) for rows in rows_by_frame.values()]
        units.sort(key=lambda unit: -self.files.sizes[unit[1][0]])
        owned_frames = set(frame for frames, _ in units for frame in frames)
        relocated = set(frame for row in self.files.relocations for frame in self.index.frames_of(row))
        other_frames = [n for n in range(len(self.index.frames)) if n not in self.linked or n in relocated]
        self.units = units + [((frame,), []) for frame in other_frames if frame not in owned_frames]

    def write_units(self, numbers):
        # type: (Iterable[int]) -> Dict[int, bytes]
        """Decode the frames of the units of these numbers, write the files in them, return the hashes that are known."""
        self.archive.reopen()
        compat.keep_memory(max([0] + [frame.size for frame in self.index.frames]))
        try:
            if os.getpid() != self.parent:  # short paths: the system looks up each directory in them for every file
                os.chdir(self.work)
                self.start = b""
            for number in numbers:
                frames, rows = self.units[number]
                if rows:
                    self._write_relocated(rows, frames)
                else:
                    self._write_frame(frames[0])
        except EnvironmentError as error:
            from ..store.refused import refusal

            raise refusal(self.index, self.work, error)
        return self.hashes

    def _write_frame(self, number):
        # type: (int) -> memoryview
        """Write one frame and return its content; a first start spends most of its time in the loop over its plain files."""
        files, special = self.files, self.special
        content = memoryview(self.expected.frame(number))
        for row, offset in self.parts.get(number, ()):
            self._write_part(row, offset, content)
        first, last = files.rows_of(number)
        columns = [column[first:last] for column in (
            files.directories, files.names, files.modes, files.seconds, files.nanoseconds, files.offsets, files.sizes,
        )]
        is_linked, at, above = number in self.linked, -1, b""
        open_file, write, set_times, close = os.open, os.write, compat.set_times, os.close
        for row, directory, name, mode, seconds, nanoseconds, offset, size in zip(range(first, last), *columns):
            if row in special:
                self._write_special(row, content)
                continue
            if is_linked:
                continue
            if directory != at:
                at, above = directory, self.start + files.paths[directory] + b"/"
            path = above + name
            stream = open_file(path, EXCLUSIVE, mode)
            try:
                written = write(stream, content[offset : offset + size]) if size else 0
                if written < size:
                    write_all(stream, content[offset + written : offset + size])
                set_times(path, stream, seconds, nanoseconds)
                if mode & 0o7000:  # a write takes these away
                    os.fchmod(stream, mode)
            finally:
                close(stream)
        return content

    def _path(self, row):
        # type: (int) -> bytes
        path = self.files.path(row)  # type: bytes
        return self.start + path

    def _write_special(self, row, content):
        # type: (int, memoryview) -> None
        """Write a small file that is relocated, or will get hashes; large files are written elsewhere."""
        if row in self.large:
            return
        data, mode = self.expected.content(row, content), self.files.modes[row]
        if row in self.files.hashed:
            mode = 0o600  # until they are filled in
        else:
            self.hashes[row] = sha256_of([data])
        stream = os.open(self._path(row), EXCLUSIVE, mode)
        try:
            write_all(stream, data)
            os.fchmod(stream, mode)
        finally:
            os.close(stream)

    def _write_part(self, row, offset, content):
        # type: (int, int, memoryview) -> None
        stream = os.open(self._path(row), os.O_WRONLY | NO_FOLLOW)
        try:
            os.lseek(stream, offset, os.SEEK_SET)
            write_all(stream, content)
        finally:
            os.close(stream)

    def _write_relocated(self, rows, frames):
        # type: (List[int], Sequence[int]) -> None
        """Write large relocated files of one content, and all else in their frames."""
        relocating, total = self.expected.relocating(rows[0]), compat.new_sha256()
        streams = [os.open(self._path(row), EXCLUSIVE, 0o600) for row in rows]
        try:
            for last in range(len(frames) + 1):
                parts = relocating.feed(self._write_frame(frames[last])) if last < len(frames) else relocating.finish()
                for part in parts:
                    total.update(part)
                    for stream in streams:
                        write_all(stream, part)
        finally:
            for stream in streams:
                os.close(stream)
        for row in rows:
            self.hashes[row] = total.hexdigest().encode("ascii")
            if self.expected.is_signed(row):
                with open(self._path(row), "r+b") as signed:
                    self.hashes[row] = self.expected.sign(row, signed)

    def finish(self, beat):
        # type: (Callable[[], None]) -> None
        """Complete the files that span frames, and those that hold hashes of others."""
        for row in sorted(self.large.union(self.files.hashed)):
            beat()
            path = self._path(row)
            if row in self.files.hashed:
                self._fill(row, path)
            if self.expected.keeps_time(row):
                compat.set_times(path, None, self.files.seconds[row], self.files.nanoseconds[row])
            os.chmod(path, self.files.modes[row])

    def _fill(self, row, path):
        # type: (int, bytes) -> None
        """Write the hashes in a file over the old bytes."""
        with open(path, "r+b") as stream:
            for offset, sha256 in self.expected.filled_in(row, self.hashes):
                stream.seek(offset)
                stream.write(sha256)


def write_all(stream, content):
    # type: (int, Union[bytes, memoryview]) -> None
    """Write all of a content to a file descriptor."""
    written = os.write(stream, content)
    while written < len(content):
        written += os.write(stream, content[written:])
