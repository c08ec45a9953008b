"""A directory by its descriptor: what is written into it goes there, wherever it was moved, and never into another."""

import errno
import fcntl
import os

from .shell import write_file

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
            write_file(name, content, here, {"src_dir_fd": self.descriptor, "dst_dir_fd": self.descriptor})
            return
        try:
            back = os.open(b".", os.O_RDONLY)
        except EnvironmentError:  # there is no way back from elsewhere
            self._write_elsewhere(name, content)
            return
        try:
            os.fchdir(self.descriptor)
            write_file(name, content)
        finally:
            os.fchdir(back)
            os.close(back)

    def _write_elsewhere(self, name, content):
        # type: (bytes, bytes) -> None
        """Write in a process of its own, so that this one keeps its working directory."""
        child = os.fork()
        if not child:
            status = 1
            try:
                os.fchdir(self.descriptor)
                write_file(name, content)
                status = 0
            except EnvironmentError as error:
                status = error.errno or 1
            finally:
                os._exit(status)
        status = os.waitpid(child, 0)[1]
        if status:
            number = os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EINTR
            raise OSError(number, os.strerror(number), name)

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
