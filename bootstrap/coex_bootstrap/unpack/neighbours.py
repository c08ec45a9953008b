"""Find the frames that other roots of the store hold already: their files are the same at every place.

Every root has a list, `frames`: a mark for each frame of packages in its archive, the sha256 of the frame's own sha256
and of path, mode, time and place of the files in it that are not relocated. A root with the same mark holds the same
files at the same paths; a user who could write a wrong list into it could write its files as well. `link_frames` takes
the files.
"""

import os
import struct

from ..base.compat import sha256
from ..store.boot import START
from ..store.trust import is_of_user_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Sequence, Set, Tuple, TypeVar

    Item = TypeVar("Item")

    from ..format.archive import Archive
    from ..format.index import Index

FRAME_LIST = b"frames"
MARK_SIZE = 32  # bytes
MOST = 1 << 19  # marks of a list that is read
COPY = b"COEX_COPY"  # the variable with which every file is written


class Neighbours(object):
    """The ready roots beside the one at `path`, and which frames of its archive they hold.

    Files may get a second name (`may_name`), unless post-link scripts will run: a script may write into a file.
    """

    def __init__(self, archive, path, environ):
        # type: (Archive, bytes, Dict[bytes, bytes]) -> None
        self.index, self.files = archive.index, archive.index.files
        self.marks = dict(make_marks(archive.index))
        self.holders = {}  # type: Dict[bytes, List[bytes]]
        self.may_name = not archive.manifest.post_link
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
        rows = [row for frame in self.held for row in self.files.plain_rows(frame)]
        return len(rows), sum(self.files.sizes[row] for row in rows)


def make_marks(index):
    # type: (Index) -> Iterator[Tuple[int, bytes]]
    """Yield (frame, mark) of each frame of packages in which a file begins that is not relocated."""
    files = index.files
    large = dict((files.frames[row], row) for row in files.large)
    for frame in index.package_frames:
        rows = files.plain_rows(frame)
        if not rows:
            continue
        frames = index.frames_of(large[frame]) if frame in large else (frame,)
        words = [index.frames[number].sha256 for number in frames]
        words += map(files.paths.__getitem__, _at(files.directories, rows))
        words += _at(files.names, rows)
        numbers = []  # type: List[int]
        for column in (files.modes, files.seconds, files.nanoseconds, files.offsets, files.sizes):
            numbers += _at(column, rows)
        yield frame, sha256(b"\0".join(words) + struct.pack("<%dq" % len(numbers), *numbers)).digest()


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
            if is_of_user_alone(state) and os.path.lexists(root + START):
                yield root
        except EnvironmentError:
            continue


def _read_list(root):
    # type: (bytes) -> Set[bytes]
    try:
        with open(root + b"/" + FRAME_LIST, "rb") as stream:
            data = stream.read(MARK_SIZE * MOST)
    except EnvironmentError:
        return set()
    return set(data[start : start + MARK_SIZE] for start in range(0, len(data), MARK_SIZE))
