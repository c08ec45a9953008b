"""A directory by its descriptor: what is written into it goes there, wherever it was moved, and never into another."""

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

WHOLE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
KNOWS_DESCRIPTORS = os.open in getattr(os, "supports_dir_fd", ()) and os.rename in getattr(os, "supports_dir_fd", ())


class Directory(object):
    """A directory that this process made, open until `close`."""

    def __init__(self, path):
        # type: (bytes) -> None
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFD)
        fcntl.fcntl(self.descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)

    def write(self, path, content):
        # type: (bytes, bytes) -> None
        """Write the file of this name, readable by all, so that it is there whole or not at all."""
        name = os.path.basename(path)
        if KNOWS_DESCRIPTORS:
            here = {"dir_fd": self.descriptor}
            _write(name, content, here, {"src_dir_fd": self.descriptor, "dst_dir_fd": self.descriptor})
            return
        back = _here()
        os.fchdir(self.descriptor)
        try:
            _write(name, content, {}, {})
        finally:
            _go(back)

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


def _write(name, content, at, between):
    # type: (bytes, bytes, Dict[str, int], Dict[str, int]) -> None
    stream = os.open(name + b".new", WHOLE, 0o600, **at)  # type: ignore[arg-type,unused-ignore]
    try:
        written = 0
        while written < len(content):
            written += os.write(stream, content[written:])
        os.fchmod(stream, 0o644)  # not the caller's umask: others may share the store
    finally:
        os.close(stream)
    os.rename(name + b".new", name, **between)  # type: ignore[arg-type,unused-ignore]


def _here():
    # type: () -> object
    """Return the way back to the working directory, also where it cannot be read."""
    try:
        return os.open(b".", os.O_RDONLY)
    except EnvironmentError:
        return os.getcwd()


def _go(back):
    # type: (object) -> None
    if isinstance(back, int):
        os.fchdir(back)
        os.close(back)
    else:
        os.chdir(back)  # type: ignore[arg-type]
