"""Weigh roots: the bytes on the disk that they take, share, and free."""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Tuple


class Linked(object):
    """A file that has several names: `size` in bytes, `here` names in a root, and the names that are `left` elsewhere."""

    def __init__(self, state):
        # type: (os.stat_result) -> None
        self.size, self.here, self.left = state.st_blocks * 512, 0, state.st_nlink


class Weighed(object):
    """A root and the room of its files on the disk in bytes, `size`; other roots share the part `shared` by hard links.

    `own` is the part of files with one name, `linked` has the others by device and inode. `files` is how many files and
    directories it has.
    """

    def __init__(self, path):
        # type: (bytes) -> None
        self.own, self.files, self.linked = 0, 0, {}  # type: int, int, Dict[Tuple[int, int], Linked]
        for directory, _, names in os.walk(path):
            for name in names + [b"."]:
                try:
                    self._add(os.lstat(directory + b"/" + name))
                except EnvironmentError:
                    continue
        self.size = self.own + sum(each.size for each in self.linked.values())
        self.shared = sum(each.size for each in self.linked.values() if each.left)

    def _add(self, state):
        # type: (os.stat_result) -> None
        self.files += 1
        if state.st_nlink == 1 or stat.S_ISDIR(state.st_mode):
            self.own += state.st_blocks * 512
            return
        each = self.linked.setdefault((state.st_dev, state.st_ino), Linked(state))
        each.here, each.left = each.here + 1, each.left - 1


def total_size(roots):
    # type: (Iterable[Weighed]) -> int
    """Return the bytes that roots take together: shared files count once."""
    total, linked = 0, {}  # type: int, Dict[Tuple[int, int], int]
    for root in roots:
        total += root.own
        linked.update((key, each.size) for key, each in root.linked.items())
    return total + sum(linked.values())


class Freed(object):
    """Adds up the bytes that a removal of roots frees: a shared file is gone with its last name."""

    def __init__(self):
        # type: () -> None
        self.size = 0
        self._names = {}  # type: Dict[Tuple[int, int], int] # that are left

    def add(self, root):
        # type: (Weighed) -> None
        """Add a root that is removed."""
        self.size += root.own
        for key, each in root.linked.items():
            left = self._names.get(key, each.here + each.left) - each.here
            self._names[key] = left
            if not left:
                self.size += each.size


def freed_by(roots):
    # type: (Iterable[Weighed]) -> int
    """Return the bytes that the removal of all these roots frees."""
    freed = Freed()
    for root in roots:
        freed.add(root)
    return freed.size
