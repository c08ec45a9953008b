"""Write what the index lists into a work directory, relocated for the place it will have.

Files are made exclusively in directories that this process made, links last: nothing is written through a link.
"""

import errno
import hashlib
import os
import subprocess
import sys

from . import compat, workers
from .errors import ArchiveDamaged, StoreUnusable
from .relocate import Relocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Dict, Iterable, List, Tuple, Union

    from .archive import Archive
    from .format import File
    from .zstd import Decoder

    Task = Tuple[int, File, int]  # row, file, offset in the file of this frame's part

CODESIGN_BATCH = 500
EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def unpack(archive, work, root, decoder):
    # type: (Archive, bytes, bytes, Decoder) -> None
    """Write every directory, file and link of `archive` into `work`, for a root that will stand at `root`.

    Raises ArchiveDamaged, StoreUnusable (no room, no right) or HostUnfit (the path is too long).
    """
    index = archive.index
    umask = os.umask(0)  # modes are those of the index
    try:
        for directory in index.directories:
            os.mkdir(work + b"/" + directory.path, 0o755)
        writer = Writer(archive, work, root, decoder)
        for hashes in workers.share(len(index.frames), writer.write_frames):
            writer.hashes.update(hashes)
        writer.finish()
        for link in index.links:
            os.symlink(link.target, work + b"/" + link.path)
        for directory in reversed(index.directories):
            if directory.mode != 0o755:
                os.chmod(work + b"/" + directory.path, directory.mode)
    except EnvironmentError as error:
        raise unusable(error, work)
    finally:
        os.umask(umask)


class Writer(object):
    """Writes files frame by frame; `hashes` collects the sha256 of relocated files by row."""

    def __init__(self, archive, work, root, decoder):
        # type: (Archive, bytes, bytes, Decoder) -> None
        self.archive, self.work, self.decoder = archive, work, decoder
        self.prefix = root + b"/prefix"
        self.hashes = {}  # type: Dict[int, bytes]
        self.tasks = [[] for _ in archive.index.frames]  # type: List[List[Task]]
        self.large = []  # type: List[Tuple[int, File]]
        self.deferred = []  # type: List[Tuple[int, File]]
        self.signed = []  # type: List[bytes]
        for row, entry in enumerate(archive.index.files):
            self._place(row, entry)

    def _place(self, row, entry):
        # type: (int, File) -> None
        """Say which frame, or which frames, write a file; an empty one is written here."""
        if entry.relocation.startswith(b"b") and self.archive.manifest.platform == "osx-arm64":
            self.signed.append(entry.path)
        if entry.relocation.startswith(b"h"):
            self.deferred.append((row, entry))
            return
        if not entry.size:
            self._write(row, entry, b"")
            return
        frames = self.archive.index.frames
        number, done = entry.frame, 0
        if entry.offset + entry.size > frames[number].content:
            self.large.append((row, entry))
            os.close(os.open(self.work + b"/" + entry.path, EXCLUSIVE, 0o600))
        while done < entry.size:
            self.tasks[number].append((row, entry, done))
            done += frames[number].content
            number += 1

    def write_frames(self, numbers):
        # type: (Iterable[int]) -> Dict[int, bytes]
        """Decode the frames of these numbers, write what lies in them, return the hashes known now."""
        self.archive.reopen()
        try:
            for number in numbers:
                if self.tasks[number]:
                    content = memoryview(self._content(number))
                    for row, entry, done in self.tasks[number]:
                        self._write_part(row, entry, done, content)
        except EnvironmentError as error:
            raise unusable(error, self.work)
        return self.hashes

    def _content(self, number):
        # type: (int) -> Union[bytes, memoryview]
        try:
            return self.decoder(self.archive.frame(number), self.archive.index.frames[number].content)
        except ArchiveDamaged as error:
            raise ArchiveDamaged(error.what, self.archive.path)

    def _write_part(self, row, entry, done, content):
        # type: (int, File, int, memoryview) -> None
        if entry.offset + entry.size <= len(content):
            self._write(row, entry, content[entry.offset : entry.offset + entry.size])
            return
        stream = os.open(self.work + b"/" + entry.path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            os.lseek(stream, done, os.SEEK_SET)
            _write_all(stream, content)
        finally:
            os.close(stream)

    def _write(self, row, entry, content):
        # type: (int, File, Union[bytes, memoryview]) -> None
        relocated = entry.relocation != b"-"
        if relocated:
            if isinstance(content, memoryview):
                content = content.tobytes()
            content = Relocation(entry.relocation, self.archive.index.placeholders).apply(content, self.prefix)
            self.hashes[row] = hashlib.sha256(content).hexdigest().encode("ascii")
        path = self.work + b"/" + entry.path
        stream = os.open(path, EXCLUSIVE, entry.mode)
        try:
            _write_all(stream, content)
        finally:
            os.close(stream)
        self._seal(path, entry)

    def _seal(self, path, entry):
        # type: (bytes, File) -> None
        """Set mode and time; a relocated file keeps the time of its writing, so that no stale .pyc fits it."""
        if entry.mode & 0o7000:
            os.chmod(path, entry.mode)
        if entry.relocation == b"-":
            compat.set_times(path, *compat.split_times(entry.mtime))

    def finish(self):
        # type: () -> None
        """Relocate the files that span frames, then write the files that hold hashes of others."""
        for row, entry in self.large:
            self._finish_large(row, entry)
        for row, entry in self.deferred:
            start, stop = entry.offset, entry.offset + entry.size
            content = bytearray(memoryview(self._content(entry.frame))[start:stop].tobytes())
            for slot in entry.relocation[2:].split(b","):
                other, _, offset = slot.partition(b"@")
                known = self.hashes[int(other)]
                content[int(offset) : int(offset) + len(known)] = known
            plain = entry._replace(relocation=b"-")
            self._write(row, plain, bytes(content))
        signed = [self.work + b"/" + path for path in self.signed]
        for start in range(0, len(signed) if sys.platform == "darwin" else 0, CODESIGN_BATCH):
            _codesign(signed[start : start + CODESIGN_BATCH])

    def _finish_large(self, row, entry):
        # type: (int, File) -> None
        path = self.work + b"/" + entry.path
        if entry.relocation != b"-":
            relocation = Relocation(entry.relocation, self.archive.index.placeholders)
            with open(path, "r+b") as stream:
                if relocation.kind == b"b":
                    _patch(stream, relocation, self.prefix)
                else:
                    content = relocation.apply(stream.read(), self.prefix)
                    stream.seek(0)
                    stream.write(content)
                    stream.truncate()
                self.hashes[row] = _sha256(stream)
        os.chmod(path, entry.mode)
        self._seal(path, entry)


def _patch(stream, relocation, prefix):
    # type: (BinaryIO, Relocation, bytes) -> None
    """Relocate a large binary in place: only its strings are read and written."""

    def read(first, last):
        # type: (int, int) -> bytes
        stream.seek(first)
        return stream.read(last - first)

    for start, string in list(relocation.strings(prefix, read)):
        stream.seek(start)
        stream.write(string)


def _sha256(stream):
    # type: (BinaryIO) -> bytes
    total = hashlib.sha256()
    stream.seek(0)
    for piece in iter(lambda: stream.read(1 << 20), b""):
        total.update(piece)
    return total.hexdigest().encode("ascii")


def _write_all(stream, content):
    # type: (int, Union[bytes, memoryview]) -> None
    written = os.write(stream, content)
    while written < len(content):
        written += os.write(stream, content[written:])


def unusable(error, place):
    # type: (EnvironmentError, bytes) -> StoreUnusable
    """Return what the system refused while writing below `place`, in words."""
    why = {errno.ENOSPC: "no space is left to unpack", errno.EDQUOT: "the disk quota is used up"}
    what = why.get(error.errno or 0, "cannot unpack: %s" % (error.strerror or error))
    return StoreUnusable(what, place, "name another directory in COEX_ROOT")


def _codesign(paths):
    # type: (List[bytes]) -> None
    """Sign rewritten binaries again, as conda does on osx-arm64: its output and failures are ignored."""
    with open(os.devnull, "r+b") as nothing:
        subprocess.call([b"/usr/bin/codesign", b"-s", b"-", b"-f"] + paths, stdin=nothing, stdout=nothing, stderr=nothing)
