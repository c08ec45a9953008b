"""Link files that other roots of the store hold already: files of packages that are the same at every place.

Every root has a list, `frames`: a mark for each frame of packages in its archive, the sha256 of the frame's own sha256
and of path, mode, time and place of the files in it that are not relocated. A root with the same mark holds the same
files at the same paths; a user who could write a wrong list into it could write its files as well. They are cloned if
the file system can do that (see `clone`). Elsewhere they are hard links, as conda makes them from its package
cache. A file is not taken if its size, mode or time shows that it was changed.
"""

import hashlib
import os
import stat
import struct
import sys

from ..base import compat, workers
from ..store.trust import is_of_user_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable, Iterator, List, Sequence, Set, Tuple, TypeVar

    Item = TypeVar("Item")

    from ..format.archive import Archive
    from ..format.index import Files, Index

FRAME_LIST = b"frames"
MARK_SIZE = 32  # bytes
MOST = 1 << 19  # marks of a list that is read
COPY = b"COEX_COPY"  # the variable with which every file is written

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
PRECISION = 2e-6  # seconds: the precision of times in 2.7
RECENTLY = 24 * 60 * 60  # seconds


class Neighbours(object):
    """The ready roots beside the one at `path`, and which frames of its archive they hold.

    If post-link scripts will run, files are only cloned: a script may write into a file.
    """

    def __init__(self, archive, path, environ):
        # type: (Archive, bytes, Dict[bytes, bytes]) -> None
        self.index, self.files = archive.index, archive.index.files
        self.marks = dict(make_marks(archive.index))
        self.holders = {}  # type: Dict[bytes, List[bytes]]
        self.may_name = not archive.manifest.post_link
        self.may_clone = sys.platform == "darwin" or sys.platform.startswith("linux")
        marks = set(self.marks.values()) if environ.get(COPY, b"") in (b"", b"0") else set()
        for root in _ready_roots(path) if marks else ():
            for mark in marks & _read_list(root):
                self.holders.setdefault(mark, []).append(root)
        self.held = [frame for frame in sorted(self.marks) if self.marks[frame] in self.holders]

    def list(self):
        # type: () -> bytes
        """Return the list of the new root."""
        return b"".join(self.marks[frame] for frame in sorted(self.marks))

    def saved(self):
        # type: () -> Tuple[int, int]
        """Return (files, bytes) that need no room of their own, if all can be linked."""
        rows = [row for frame in self.held for row in plain_rows(self.files, frame)]
        return len(rows), sum(self.files.sizes[row] for row in rows)

    def link(self, work, beat):
        # type: (bytes, Callable[[], None]) -> Set[int]
        """Link into `work`, whose directories are there; return the frames that are done.

        In a frame with relocated files, these have still to be written. If a frame cannot be linked, none of its files
        is.
        """
        if not self.held:
            return set()

        def link_frames(numbers):
            # type: (Iterable[int]) -> List[int]
            return [self.held[number] for number in numbers if self._link_frame(self.held[number], work)]

        linked = set(frame for part in workers.share(len(self.held), link_frames, beat) for frame in part)
        for row in self.files.large:
            if self.files.frames[row] in linked and row not in self.files.relocated:
                linked.update(self.index.frames_of(row))
        return linked

    def _link_frame(self, frame, work):
        # type: (int, bytes) -> bool
        rows = plain_rows(self.files, frame)
        return any(self._link_rows(rows, root, work) for root in self.holders[self.marks[frame]])

    def _link_rows(self, rows, root, work):
        # type: (Sequence[int], bytes, bytes) -> bool
        """Link all files of these rows, or leave none; a neighbour may be cleaned meanwhile."""
        paths = []
        try:
            for row in rows:
                path = b"/" + self.files.path(row)
                paths.append(work + path)  # before: a server may make a link, and lose its answer
                if not self._link_file(row, root + path, work + path):
                    break
            else:
                return True
        except EnvironmentError:
            pass  # writing the files meets the same error, and reports it
        for path in paths:
            _remove_if_there(path)
        return False

    def _link_file(self, row, source, target):
        # type: (int, bytes, bytes) -> bool
        if self.may_clone:
            from .clone import UNABLE  # only a start that finds a neighbour needs it

            try:
                return self._clone(row, source, target)
            except EnvironmentError as error:
                if error.errno not in UNABLE:
                    raise
                self.may_clone = False
        state = os.lstat(source)
        if not self.may_name or not self._is_as_written(row, state):
            return False
        os.link(source, target)
        if state.st_atime < compat.NOW - RECENTLY:  # or a cleaner of temporary files would remove it
            compat.set_times(target, None, self.files.seconds[row], self.files.nanoseconds[row])
        return True

    def _clone(self, row, source, target):
        # type: (int, bytes, bytes) -> bool
        from .clone import clone

        files, stream = self.files, os.open(source, os.O_RDONLY | NO_FOLLOW)
        try:
            if not self._is_as_written(row, os.fstat(stream)):
                return False
            clone(stream, target, files.modes[row], files.seconds[row], files.nanoseconds[row])
        finally:
            os.close(stream)
        return True

    def _is_as_written(self, row, state):
        # type: (int, os.stat_result) -> bool
        """Return whether a file is as unpacking left it; some file systems keep only whole seconds of a time."""
        files = self.files
        time = files.seconds[row] + files.nanoseconds[row] / 1e9
        return (
            stat.S_ISREG(state.st_mode) and stat.S_IMODE(state.st_mode) == files.modes[row]
            and state.st_size == files.sizes[row] and state.st_uid == os.geteuid()
            and (abs(state.st_mtime - time) < PRECISION or state.st_mtime == files.seconds[row])
        )


def make_marks(index):
    # type: (Index) -> Iterator[Tuple[int, bytes]]
    """Yield (frame, mark) of each frame of packages in which a file begins that is not relocated."""
    files = index.files
    large = dict((files.frames[row], row) for row in files.large)
    for frame in index.package_frames:
        rows = plain_rows(files, frame)
        if not rows:
            continue
        frames = index.frames_of(large[frame]) if frame in large else (frame,)
        words = [index.frames[number].sha256 for number in frames]
        words += map(files.paths.__getitem__, _at(files.directories, rows))
        words += _at(files.names, rows)
        numbers = []  # type: List[int]
        for column in (files.modes, files.seconds, files.nanoseconds, files.offsets, files.sizes):
            numbers += _at(column, rows)
        yield frame, hashlib.sha256(b"\0".join(words) + struct.pack("<%dq" % len(numbers), *numbers)).digest()


def plain_rows(files, frame):
    # type: (Files, int) -> Sequence[int]
    """Return the rows of the files that begin in a frame and are the same everywhere."""
    first, last = files.rows_of(frame)
    rows = range(first, last)
    return rows if files.relocated.isdisjoint(rows) else [row for row in rows if row not in files.relocated]


def _at(column, rows):
    # type: (Sequence[Item], Sequence[int]) -> Sequence[Item]
    """Return the items of a column in these rows; mostly they are next to each other."""
    first, last = rows[0], rows[-1] + 1
    return column[first:last] if last - first == len(rows) else [column[row] for row in rows]


def _ready_roots(path):
    # type: (bytes) -> Iterator[bytes]
    """Yield the directories of this user beside a path that are ready and have a list."""
    store, own_name = os.path.split(path)
    for name in sorted(os.listdir(store)):
        root = store + b"/" + name
        if b"." in name or name == own_name:
            continue
        try:
            state = os.lstat(root)
            if is_of_user_alone(state) and os.path.lexists(root + b"/start"):
                yield root
        except EnvironmentError:
            continue


def _remove_if_there(path):
    # type: (bytes) -> None
    """Remove a file; raises StoreUnusable if it stays, because then no other one can be written there."""
    try:
        if os.path.lexists(path):
            os.unlink(path)
    except EnvironmentError as error:
        if os.path.lexists(path):
            from ..store.refused import unusable

            raise unusable(error, path)


def _read_list(root):
    # type: (bytes) -> Set[bytes]
    try:
        with open(root + b"/" + FRAME_LIST, "rb") as stream:
            data = stream.read(MARK_SIZE * MOST)
    except EnvironmentError:
        return set()
    return set(data[start : start + MARK_SIZE] for start in range(0, len(data), MARK_SIZE))
