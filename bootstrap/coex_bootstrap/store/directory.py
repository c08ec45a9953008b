"""A directory by its descriptor: what is written into it goes there, wherever it was moved, and never into another."""

import errno
import fcntl
import os

from ..base.shell import NOWHERE, write_file

TAKING = ("open", "rename", "unlink", "rmdir", "stat", "chmod")  # functions of os that may take a descriptor
KNOWS_DESCRIPTORS = (
    all(getattr(os, name) in getattr(os, "supports_dir_fd", ()) for name in TAKING)
    and os.listdir in getattr(os, "supports_fd", ())
)
DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict

    At = Dict[str, int]


def open_directory(path, at=NOWHERE):
    # type: (bytes, At) -> int
    """Return a descriptor of a directory, which no program that is started gets; a link to one is refused."""
    descriptor = os.open(path, DIRECTORY, **at)  # type: ignore[arg-type,unused-ignore]
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
    fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
    return descriptor


def at(descriptor):
    # type: (int) -> At
    """Return the words by which functions of os, called `within`, take names as those in a directory."""
    if KNOWS_DESCRIPTORS:
        return {"dir_fd": descriptor}
    os.fchdir(descriptor)
    return NOWHERE


def within(descriptor, work):
    # type: (int, Callable[[], None]) -> None
    """Call what uses `at`, and come back to the working directory if this Python has to leave it for that."""
    if KNOWS_DESCRIPTORS:
        work()
        return
    try:
        back = os.open(b".", os.O_RDONLY)
    except EnvironmentError:  # there is no way back from elsewhere
        _work_elsewhere(work)
        return
    try:
        work()
    finally:
        os.fchdir(back)
        os.close(back)


def _work_elsewhere(work):
    # type: (Callable[[], None]) -> None
    """Call it in a process of its own, so that this one keeps its working directory."""
    child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        except EnvironmentError as error:
            status = error.errno or 1
        finally:
            os._exit(status)
    status = os.waitpid(child, 0)[1]
    if status:
        number = os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EINTR
        raise OSError(number, os.strerror(number))


class Directory(object):
    """A directory that this process made, open until `close`."""

    def __init__(self, path):
        # type: (bytes) -> None
        self.descriptor = open_directory(path)

    def write(self, path, content):
        # type: (bytes, bytes) -> None
        """Write the file of this name, readable by all, so that it is there whole or not at all."""

        def write():
            # type: () -> None
            here = at(self.descriptor)
            both = {"src_dir_fd": self.descriptor, "dst_dir_fd": self.descriptor} if here else NOWHERE
            write_file(os.path.basename(path), content, here, both)

        within(self.descriptor, write)

    def is_at(self, path):
        # type: (bytes) -> bool
        """Return whether this directory is the one that is at `path` now."""
        try:
            there, this = os.lstat(path), os.fstat(self.descriptor)
        except EnvironmentError:
            return False
        return (there.st_dev, there.st_ino) == (this.st_dev, this.st_ino)

    def close(self):
        # type: () -> None
        os.close(self.descriptor)
