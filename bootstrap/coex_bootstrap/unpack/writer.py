"""Write what the index lists into a work directory, relocated for the place it will have.

Files are made exclusively in directories that this process made, links last: nothing is written through a link.
"""

import errno
import hashlib
import os
import stat

from ..base import compat, workers
from ..base.errors import ArchiveDamaged
from ..base.pipes import nothing
from ..format.relocation import invalid_relocation
from ..store.refused import refusal
from .codesign import load_signer
from .large_file import fill, relocate_file
from .relocate import apply, hash_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Container, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

    from ..format.archive import Archive
    from .zstd import Decoder

    Link = Callable[[bytes], Container[int]]

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW


def unpack(archive, work, root, decoder, beat=nothing, prefix=None, link=None):
    # type: (Archive, bytes, bytes, Decoder, Callable[[], None], Optional[bytes], Optional[Link]) -> None
    """Write every directory, file and link of `archive` into `work`, for a root that will stand at `root`.

    `beat` is called every few seconds at least; `prefix` is where the environment will stand, if elsewhere.
    `link` may link or clone plain files from other roots, and returns the frames whose plain files are done.
    Raises ArchiveDamaged, StoreUnusable (no room, no right) or HostUnfit (the path is too long).
    """
    index = archive.index
    umask = os.umask(0)  # modes are those of the index
    try:
        for directory in index.directories:
            make_directory(work + b"/" + directory.path)
        writer = Writer(archive, work, root, decoder, link(work) if link else ())
        writer.prefix = prefix or writer.prefix
        writer.prepare()
        for hashes in workers.share(len(writer.units), writer.write_units, beat):
            writer.hashes.update(hashes)
        writer.finish(beat)
        for symlink in index.links:
            os.symlink(symlink.target, work + b"/" + symlink.path)
        for directory in reversed(index.directories):
            if directory.mode != 0o755:
                os.chmod(work + b"/" + directory.path, directory.mode)
        archive.check_unchanged()
    except EnvironmentError as error:
        raise refusal(index, work, error)
    finally:
        os.umask(umask)


def make_directory(path):
    # type: (bytes) -> None
    """Make a directory, or share one of another name that the file system takes for this one."""
    try:
        os.mkdir(path, 0o755)
    except EnvironmentError as error:
        if error.errno != errno.EEXIST or not stat.S_ISDIR(os.lstat(path).st_mode):
            raise


class Writer(object):
    """Writes files frame by frame; `hashes` collects the sha256 of relocated files by row.

    A unit of its work is a frame, or all frames of large files that are relocated: the process that wrote the last of these
    relocates them while others go on. Such units come first, the largest before all, so that no process waits at the end.
    Of the frames that are `linked`, the plain files are there already.
    """

    def __init__(self, archive, work, root, decoder, linked):
        # type: (Archive, bytes, bytes, Decoder, Container[int]) -> None
        self.archive, self.work, self.decoder, self.linked = archive, work, decoder, linked
        self.files = archive.index.files
        self.prefix = root + b"/prefix"
        self.signer = load_signer(archive.manifest.platform)
        self.hashes = {}  # type: Dict[int, bytes]
        self.parts = {}  # type: Dict[int, List[Tuple[int, int]]] # frame: rows of the large files that own it, and where it goes
        self.large = set(row for row in self.files.large if row in self.files.relocations or self.files.frames[row] not in linked)
        self.later = self.files.hashed
        self.units = []  # type: List[Sequence[int]]

    def prepare(self):
        # type: () -> None
        """Make the files that several processes will write into, and the units."""
        together, taken = [], set()  # type: List[Sequence[int]], Set[int]
        for row in sorted(self.large, key=lambda row: -self.files.sizes[row]):
            os.close(os.open(self._path(row), EXCLUSIVE, 0o600))
            frames, done = self.archive.index.frames_of(row), 0
            for frame in frames:
                self.parts.setdefault(frame, []).append((row, done))
                done += self.archive.index.frames[frame].content
            if row in self.files.relocations and row not in self.later and frames[0] not in taken:
                together.append(frames)
                taken.update(frames)
        relocated = set(frame for row in self.files.relocations for frame in self.archive.index.frames_of(row))
        frames = [n for n in range(len(self.archive.index.frames)) if n not in self.linked or n in relocated]
        self.units = together + [(frame,) for frame in frames if frame not in taken]

    def write_units(self, numbers):
        # type: (Iterable[int]) -> Dict[int, bytes]
        """Decode the frames of the units of these numbers, write what lies in them, return the hashes known now."""
        self.archive.reopen()
        try:
            for number in numbers:
                for frame in self.units[number]:
                    self._write_frame(frame)
                for row, _ in self.parts.get(self.units[number][0], ()):
                    if row in self.files.relocations and row not in self.later:
                        self.hashes[row] = self._relocate_file(row)
        except EnvironmentError as error:
            raise refusal(self.archive.index, self.work, error)
        return self.hashes

    def _write_frame(self, number):
        # type: (int) -> None
        """Write one frame; the loop over its plain files takes most of the time of a first start."""
        files, start = self.files, self.work + b"/"
        content = memoryview(self._content(number))
        for row, done in self.parts.get(number, ()):
            self._write_part(row, done, content)
        first, last = files.rows_of(number)
        paths, relocations = files.paths, files.relocations
        directories, names, modes = files.directories, files.names, files.modes
        seconds, nanoseconds, offsets, sizes = files.seconds, files.nanoseconds, files.offsets, files.sizes
        for row in range(first, last):
            if row in relocations or row in self.large:
                self._write_special(row, content)
                continue
            if number in self.linked:
                continue
            path = start + paths[directories[row]] + b"/" + names[row]
            stream = os.open(path, EXCLUSIVE, modes[row])
            try:
                offset = offsets[row]
                write_all(stream, content[offset : offset + sizes[row]])
                compat.set_times(path, stream, seconds[row], nanoseconds[row])
                if modes[row] & 0o7000:  # a write takes these away
                    os.fchmod(stream, modes[row])
            finally:
                os.close(stream)

    def _content(self, number):
        # type: (int) -> Union[bytes, memoryview]
        try:
            return self.decoder(self.archive.frame(number), self.archive.index.frames[number].content)
        except ArchiveDamaged as error:
            self.archive.check_unchanged()
            raise ArchiveDamaged(error.what, self.archive.path)

    def _copy(self, number):
        # type: (int) -> bytes
        return memoryview(self._content(number)).tobytes()  # which the next frame does not overwrite

    def _path(self, row):
        # type: (int) -> bytes
        path = self.files.path(row)  # type: bytes
        return self.work + b"/" + path

    def _write_special(self, row, content):
        # type: (int, memoryview) -> None
        """Write a file that is relocated; a large one is, and one with hashes, when all others are there.

        A relocated file keeps the time of its writing, as in conda, so that no stale .pyc fits it.
        """
        if row in self.large or row in self.later:
            return
        data = content[self.files.offsets[row] :][: self.files.sizes[row]].tobytes()
        data = apply(self.archive.index.relocation(row), data, self.prefix, self.signer, self.files.path(row))
        self.hashes[row] = hashlib.sha256(data).hexdigest().encode("ascii")
        self._write_file(row, data)

    def _relocate_file(self, row):
        # type: (int) -> bytes
        relocation = self.archive.index.relocation(row)
        return relocate_file(self._path(row), relocation, self.prefix, self.signer, self.files.path(row))

    def _write_file(self, row, data):
        # type: (int, bytes) -> None
        stream = os.open(self._path(row), EXCLUSIVE, self.files.modes[row])
        try:
            write_all(stream, data)
            os.fchmod(stream, self.files.modes[row])
        finally:
            os.close(stream)

    def _write_part(self, row, done, content):
        # type: (int, int, memoryview) -> None
        stream = os.open(self._path(row), os.O_WRONLY | NO_FOLLOW)
        try:
            os.lseek(stream, done, os.SEEK_SET)
            write_all(stream, content)
        finally:
            os.close(stream)

    def finish(self, beat):
        # type: (Callable[[], None]) -> None
        """Complete the files that span frames, then write the files that hold hashes of others."""
        for row in sorted(self.large):
            path = self._path(row)
            if row in self.later:
                fill(path, self._slots(row))
            if row not in self.files.relocations or row in self.later:
                compat.set_times(path, None, self.files.seconds[row], self.files.nanoseconds[row])
            os.chmod(path, self.files.modes[row])
        number, content = -1, memoryview(b"")
        for row in sorted(self.later - self.large):
            if self.files.frames[row] != number:
                number = self.files.frames[row]
                content = memoryview(self._copy(number))
            self._write_hashes(row, content)

    def _write_hashes(self, row, content):
        # type: (int, memoryview) -> None
        data = bytearray(content[self.files.offsets[row] :][: self.files.sizes[row]].tobytes())
        for offset, known in self._slots(row):
            data[offset : offset + len(known)] = known
        self._write_file(row, bytes(data))
        compat.set_times(self._path(row), None, self.files.seconds[row], self.files.nanoseconds[row])

    def _slots(self, row):
        # type: (int) -> Iterator[Tuple[int, bytes]]
        """Yield offset and sha256 for each hash that a file holds."""
        for source, offset in self.archive.index.relocation(row).slots:
            if isinstance(source, int):
                known = self.hashes.get(source)
            else:
                known = hash_content(source, self._copy, self.archive.index.placeholders, self.prefix, self.signer)
            if known is None or offset + len(known) > self.files.sizes[row]:
                raise invalid_relocation()
            yield offset, known


def write_all(stream, content):
    # type: (int, Union[bytes, memoryview]) -> None
    """Write all of a content to a file descriptor."""
    written = os.write(stream, content)
    while written < len(content):
        written += os.write(stream, content[written:])
