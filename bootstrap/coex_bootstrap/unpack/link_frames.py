"""Take the plain files of frames out of other roots: all files of a frame, or none.

They are cloned if the file system can do that (see `clone`). Elsewhere they are hard links, as conda makes them from its
package cache. A file is not taken if its size, mode or time shows that it was changed.
"""

import os
import stat
import sys

from ..base import compat, workers
from .clone import UNABLE, clone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, List, Sequence, Set

    from .neighbours import Neighbours

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
PRECISION = 2e-6  # seconds: the precision of times in 2.7
RECENTLY = 24 * 60 * 60  # seconds


class FrameLinker(object):
    """Links the frames that neighbours hold into `work`, whose directories are there."""

    def __init__(self, neighbours, work):
        # type: (Neighbours, bytes) -> None
        self.neighbours, self.work = neighbours, work
        self.index, self.files = neighbours.index, neighbours.files
        self.may_clone = sys.platform == "darwin" or sys.platform.startswith("linux")

    def link(self, beat):
        # type: (Callable[[], None]) -> Set[int]
        """Link all frames that can be linked, and return them: of these, only relocated files have still to be written.

        Raises StoreUnusable.
        """
        held = self.neighbours.held

        def link_some(numbers):
            # type: (Iterable[int]) -> List[int]
            return [held[number] for number in numbers if self._link_frame(held[number])]

        linked = set(frame for part in workers.share(len(held), link_some, beat) for frame in part)
        for row in self.files.large:
            if self.files.frames[row] in linked and row not in self.files.relocated:
                linked.update(self.index.frames_of(row))
        return linked

    def _link_frame(self, frame):
        # type: (int) -> bool
        rows = self.files.plain_rows(frame)
        return any(self._link_rows(rows, root) for root in self.neighbours.holders[self.neighbours.marks[frame]])

    def _link_rows(self, rows, root):
        # type: (Sequence[int], bytes) -> bool
        """Link all files of these rows, or leave none; a neighbour may be cleaned meanwhile."""
        paths = []
        try:
            for row in rows:
                path = b"/" + self.files.path(row)
                paths.append(self.work + path)  # before: a server may make a link, and lose its answer
                if not self._link_file(row, root + path, self.work + path):
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
            try:
                return self._clone(row, source, target)
            except EnvironmentError as error:
                if error.errno not in UNABLE:
                    raise
                self.may_clone = False
        state = os.lstat(source)
        if not self.neighbours.may_name or not self._is_as_written(row, state):
            return False
        os.link(source, target)
        if state.st_atime < compat.NOW - RECENTLY:  # or a cleaner of temporary files would remove it
            compat.set_times(target, None, self.files.seconds[row], self.files.nanoseconds[row])
        return True

    def _clone(self, row, source, target):
        # type: (int, bytes, bytes) -> bool
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
