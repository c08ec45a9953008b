"""Clone a file: a new file that shares the blocks of another one until either is written.

Linux does it by a request, FICLONE (ioctl_ficlone(2)), macOS by a function, fclonefileat (clonefile(2), since 10.12).
"""

import errno
import fcntl
import os
import sys

from ..base import compat

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import List, Optional

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
REQUEST = 0x40049409  # FICLONE of linux/fs.h
HERE, NO_OWNER = -2, 2  # AT_FDCWD of fcntl.h and CLONE_NOOWNERCOPY of sys/clonefile.h, on macOS
# Errors of a system or a file system that cannot clone. macOS has two numbers where Linux has EOPNOTSUPP.
UNABLE = (
    errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.EOPNOTSUPP), errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EXDEV,
    errno.EPERM,
)
LIBRARY = []  # type: List[Optional[ctypes.CDLL]] # the C library, after the first clone on macOS


def clone(stream, target, mode, seconds, nanoseconds):
    # type: (int, bytes, int, int, int) -> None
    """Make a clone of an open file, with this mode and time, or nothing; raises EnvironmentError."""
    if sys.platform == "darwin":
        _clone_by_function(stream, target)
    else:
        _clone_by_request(stream, target)
    try:
        compat.set_times(target, None, seconds, nanoseconds)
        os.chmod(target, mode)
    except EnvironmentError:
        os.unlink(target)
        raise


def _clone_by_request(stream, target):
    # type: (int, bytes) -> None
    new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600)
    try:
        fcntl.ioctl(new, REQUEST, stream)
    except EnvironmentError:
        os.unlink(target)
        raise
    finally:
        os.close(new)


def _clone_by_function(stream, target):
    # type: (int, bytes) -> None
    """Clone content and extended attributes, not the owner; an existing target is an error."""
    if not LIBRARY:
        LIBRARY.append(load_library())
    library = LIBRARY[0]
    if library is None:
        raise EnvironmentError(errno.ENOSYS, os.strerror(errno.ENOSYS), target)
    import ctypes

    if library.fclonefileat(stream, HERE, target, NO_OWNER) != 0:
        number = ctypes.get_errno()
        raise EnvironmentError(number, os.strerror(number), target)


def load_library():
    # type: () -> Optional[ctypes.CDLL]
    """Return the C library of this process; None if it has no clones, or Python cannot call it."""
    try:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        library.fclonefileat  # noqa: B018 # an attribute that is looked up
    except (ImportError, AttributeError, EnvironmentError):
        return None
    return library
