"""Write files under another name and rename them, also into an open directory that was moved meanwhile."""

import errno
import os
import stat
from binascii import hexlify

from ..base.compat import close_on_exec

TAKING = ("open", "rename", "unlink", "rmdir", "stat", "chmod")  # functions of os that may take a descriptor
KNOWS_DESCRIPTORS = (
    all(getattr(os, name) in getattr(os, "supports_dir_fd", ()) for name in TAKING)
    and os.listdir in getattr(os, "supports_fd", ())
)
# Errors of a rename if another directory has the name.
NAME_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)
# Errors after which the same step may succeed: a server begins again, or another process removes files.
PASSING = (errno.EIO, errno.ENOENT, errno.ESTALE, errno.ETIMEDOUT)
NOWHERE = {}  # type: Dict[str, int]
EXCLUSIVE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Union

    At = Dict[str, int]


def open_directory(path, at=NOWHERE):
    # type: (Union[str, bytes], At) -> int
    """Return a descriptor of a directory, which no program that is started gets; a link to one is refused."""
    descriptor = os.open(path, DIRECTORY, **at)  # type: ignore[arg-type,unused-ignore]
    close_on_exec(descriptor)
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
    """Call a function that uses `at`. If this Python has to leave the working directory for that, come back to it."""
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


def ask_server(path):
    # type: (bytes) -> None
    """Open a directory: other hosts make and remove files, too.

    A client of NFS believes for up to a minute that a file is missing which it looked up before. It asks again when
    its directory is opened (nfs(5), close-to-open).
    """
    try:
        os.close(os.open(path, DIRECTORY))
    except EnvironmentError:  # it is missing, or a link
        pass


def move(old, new):
    # type: (bytes, bytes) -> None
    """Rename a file or directory; raises EnvironmentError. If it fails, look: a server may have done it, and lost its answer."""
    state = os.lstat(old)
    try:
        os.rename(old, new)
    except EnvironmentError:
        if not is_same(new, state):
            raise


def is_same(path, state, at=NOWHERE):
    # type: (bytes, os.stat_result, At) -> bool
    """Return whether a state is of the file or directory that is at a path now."""
    try:
        there = os.lstat(path, **at)  # type: ignore[arg-type,unused-ignore]
    except EnvironmentError:
        return False
    return (there.st_dev, there.st_ino) == (state.st_dev, state.st_ino)


class Replacement(object):
    """A file or link that is made under the name `new`, and renamed to `path`: it is there whole, or not at all.

    `new` is in the directory of `path`; `at` and `between` name open directories for functions of os. A `with` block
    that fails leaves nothing behind. Nothing is written through a link, or into a file that somebody else has made.
    """

    def __init__(self, path, new, at=NOWHERE, between=NOWHERE):
        # type: (bytes, bytes, At, At) -> None
        self.path, self.new = path, new
        self._at, self._between = at, between
        self._is_made = False
        self._state = None  # type: Optional[os.stat_result]

    def __enter__(self):
        # type: () -> Replacement
        return self

    def open(self):
        # type: () -> int
        """Make the file, readable by this user alone, and return its descriptor; raises EnvironmentError."""
        try:
            descriptor = self._create()
        except EnvironmentError as error:
            if error.errno != errno.EEXIST:
                raise
            os.unlink(self.new, **self._at)  # type: ignore[arg-type,unused-ignore] # left by a process that was killed
            descriptor = self._create()
        self._is_made = True
        self._state = os.fstat(descriptor)
        return descriptor

    def _create(self):
        # type: () -> int
        return os.open(self.new, EXCLUSIVE, 0o600, **self._at)  # type: ignore[arg-type,unused-ignore]

    def link_to(self, target):
        # type: (bytes) -> None
        """Make a symbolic link instead of a file; raises EnvironmentError."""
        os.symlink(target, self.new)
        self._is_made = True

    def place(self):
        # type: () -> None
        """Rename the new file or link to `path`, as `move`; raises EnvironmentError."""
        try:
            os.rename(self.new, self.path, **self._between)  # type: ignore[arg-type,unused-ignore]
        except EnvironmentError:
            if self._state is None or not is_same(self.path, self._state, self._at):
                raise
        self._is_made = False

    def __exit__(self, *raised):
        # type: (*object) -> None
        if self._is_made:
            try:
                os.unlink(self.new, **self._at)  # type: ignore[arg-type,unused-ignore]
            except EnvironmentError:  # the first error says more
                pass


def beside(path):
    # type: (bytes) -> bytes
    """Return an unused path in the same directory, short even if the given one is long."""
    return os.path.dirname(path) + b"/.coex-" + hexlify(os.urandom(8))


def make_new(path, mode):
    # type: (bytes, int) -> None
    """Make a directory of a name that no other process uses: if it is there, a server made it, and lost its answer."""
    try:
        os.mkdir(path, mode)
    except EnvironmentError as error:
        if error.errno != errno.EEXIST or not stat.S_ISDIR(os.lstat(path).st_mode):
            raise


def write_file(path, content, new=None, at=NOWHERE, between=NOWHERE):
    # type: (bytes, bytes, Optional[bytes], At, At) -> None
    """Write a file as `Replacement`, readable by all; `new` is PATH.new by default, which the next write replaces.

    Its mode does not depend on the caller's umask: others may share it, and nobody else may write it.
    """
    with Replacement(path, new or path + b".new", at, between) as replacement:
        descriptor = replacement.open()
        try:
            written = 0
            while written < len(content):
                written += os.write(descriptor, content[written:])
            os.fchmod(descriptor, 0o644)
        finally:
            os.close(descriptor)
        replacement.place()


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
            write_file(os.path.basename(path), content, at=here, between=both)

        within(self.descriptor, write)

    def is_at(self, path):
        # type: (bytes) -> bool
        """Return whether this directory is the one that is at `path` now."""
        try:
            state = os.fstat(self.descriptor)
        except EnvironmentError:
            return False
        return is_same(path, state)

    def close(self):
        # type: () -> None
        """Close the descriptor."""
        os.close(self.descriptor)
