"""A directory that is made for good: beside its place and renamed, or inside an existing, empty directory.

The existing directory stays the same directory: it may be a mount point, or this user may not write to the directory
above it. Both ways begin with a work directory, which is named after the process that made it. While that contains the
file `unfinished`, the directories named in the file are not whole: the next process that makes them starts again.
"""

import os
from binascii import hexlify

from .directory import at, move, open_directory, within, write_file
from .identity import gone, this_host, this_process
from .removal import empty, remove
from .trust import is_of_user_alone, is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Iterator, List

MARK = b".coex-"
UNFINISHED = b"/unfinished"
MADE, FILLED = b" made", b" filled"
OF_FILE_SYSTEM = (b"lost+found",)  # names in a new file system
LAST = b"conda-meta"  # conda recognises an environment by it


class Destination(object):
    """The place at `path` where a directory will be."""

    def __init__(self, path):
        # type: (bytes) -> None
        self.path = path
        self.is_there = os.path.isdir(path)
        self.works = []  # type: List[bytes]
        self._identity = b""
        self.begun = False

    def is_free(self):
        # type: () -> bool
        """Return whether nothing is there, or an empty directory."""
        if os.path.islink(self.path) or not self.is_there:
            return not os.path.lexists(self.path)
        return not names_in(self.path)

    def space(self):
        # type: () -> bytes
        """Return a directory of the file system in which the directory is made."""
        return self.path if self.is_there else os.path.dirname(self.path)

    def new_work(self):
        # type: () -> bytes
        """Return a new unique path in that file system, which names this process: leftovers of dead ones are recognised."""
        work = _start(self.path, self.is_there) + this_process() + b"-" + hexlify(os.urandom(8))
        self.works.append(work)
        return work

    def place(self, source):
        # type: (bytes) -> None
        """Move a finished directory to its place; call `mark_unfinished` first. Raises EnvironmentError."""
        self.begun = True
        if not self.is_there:
            move(source, self.path)
            return
        for name in sorted(os.listdir(source), key=lambda name: (name == LAST, name)):
            move(source + b"/" + name, self.path + b"/" + name)

    def identity(self, source):
        # type: (bytes) -> bytes
        """Return the device, inode and kind of the directory, which will be at its path; `source` will be placed there."""
        place, how = (self.path, FILLED) if self.is_there else (source, MADE)
        self._identity = _identity(os.stat(place)) + how
        return self._identity

    def withdraw(self):
        # type: () -> None
        """Remove a directory that was placed."""
        if self.begun:
            _clear(self.path, [self._identity], self.works)

    def remove_works(self):
        # type: () -> None
        """Remove the work directories of this process."""
        for work in self.works:
            remove(work)


def mark_unfinished(work, identities):
    # type: (bytes, Iterable[bytes]) -> None
    """Write the identities of unfinished directories into a work directory."""
    write_file(work + UNFINISHED, b"\n".join(identities))


def remove_unfinished(paths):
    # type: (List[bytes]) -> None
    """Remove the unfinished directories at these paths, and the work directories, of killed processes."""
    for work in [work for path in paths for work in _left_behind(path)]:
        begun = _begun(work)
        for path in paths:
            _clear(path, begun, [work])
        remove(work)


def _begun(left):
    # type: (bytes) -> List[bytes]
    """Return the unfinished directories that a work directory of this user names. It is open, so that no other one is read."""
    pieces = []  # type: List[bytes]
    try:
        work = open_directory(left)
    except EnvironmentError:
        return pieces
    try:
        if is_of_user_alone(os.fstat(work)):
            within(work, lambda: pieces.append(_read(UNFINISHED[1:], at(work))))
    except EnvironmentError:  # its process had not begun to place anything
        pass
    finally:
        os.close(work)
    return b"".join(pieces).split(b"\n")


def _read(name, here):
    # type: (bytes, Dict[str, int]) -> bytes
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(name, flags, **here), "rb") as stream:  # type: ignore[arg-type,unused-ignore]
        return stream.read()


def names_in(directory):
    # type: (bytes) -> List[bytes]
    """Return the sorted names in a directory, without those that a new file system has."""
    return sorted(set(os.listdir(directory)) - set(OF_FILE_SYSTEM))


def _start(path, is_there):
    # type: (bytes, bool) -> bytes
    """Return how the paths of work directories begin."""
    above, name = os.path.split(path)
    return path + b"/" + MARK if is_there else above + b"/." + name + MARK


def _left_behind(path):
    # type: (bytes) -> Iterator[bytes]
    """Yield the work directories of killed processes of this user. Another user's could name any directory for removal."""
    for is_there in (False, True):
        directory, start = os.path.split(_start(path, is_there))
        for entry in sorted(os.listdir(directory)) if os.access(directory, os.R_OK | os.X_OK) else ():
            work = directory + b"/" + entry
            if entry.startswith(start) and is_own(work) and gone(entry[len(start) :], this_host()):
                yield work


def _clear(path, begun, but):
    # type: (bytes, List[bytes], List[bytes]) -> None
    """Remove a directory that is one of `begun`, or this user's files in one that existed before.

    It is held open: another directory that somebody puts in its place meanwhile stays.
    """
    try:
        descriptor = open_directory(path)
    except EnvironmentError:
        return
    try:
        state = os.fstat(descriptor)
        identity = _identity(state)
        is_made = identity + MADE in begun and state.st_uid == os.geteuid()
        if is_made or identity + FILLED in begun:
            names = [os.path.basename(work) for work in but if os.path.dirname(work) == path]
            empty(descriptor, names if is_made else names + list(OF_FILE_SYSTEM))
    finally:
        os.close(descriptor)
    if is_made:
        try:
            os.rmdir(path)
        except EnvironmentError:
            pass


def _identity(state):
    # type: (os.stat_result) -> bytes
    return ("%d %d" % (state.st_dev, state.st_ino)).encode("ascii")
