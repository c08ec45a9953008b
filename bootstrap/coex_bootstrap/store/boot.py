"""Record in a root the boot of the host that made it. A start does not sync, and power may fail before all is on the disk.

A root of the present boot is whole, because the system has it in memory. A root of an earlier boot is checked once,
unless it is known to be on the disk: it was synced, it was checked, or it was used some time after it was made, when
the system had written all of it. The time of the file `kept` is the time from which on it is known. File systems of
servers, layers and memory lose nothing that this host wrote, or all of it: roots on them are not checked.
"""

import os
import time

from ..base.compat import path_bytes
from ..base.shell import fill, quote
from .file_system import file_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

BOOT = "/proc/sys/kernel/random/boot_id"
# Files of a root.
START = b"/start"  # written last: a root that has it is ready
USED = b"/used"  # its time is that of the last start
ON_DISK = b"/kept"
FLUSHED = 15 * 60  # seconds after which the system has written its memory to the disk: 30 by default
LOCAL = (b"bcachefs", b"btrfs", b"exfat", b"ext2", b"ext3", b"ext4", b"f2fs", b"jfs", b"reiserfs", b"vfat", b"xfs", b"zfs")
UNORDERED = (b"exfat", b"ext2", b"jfs", b"vfat")  # a file may have its size before its content
# $_coex_kept is set if the root was checked a moment ago, and the result could not be written.
LINE = b"""\
[ -n "${_coex_kept-}" ] || [ %(start)s -nt %(kept)s ] || [ %(used)s -nt %(kept)s ] || [ ! -w %(root)s ] \\
  || { [ -r %(boot)s ] && read -r _coex_boot <%(boot)s && %(is_this)s; } || return 0
"""


def boot_line(root, write):
    # type: (bytes, Callable[[bytes, bytes], None]) -> bytes
    """Return the line by which `start` returns if the root may not be on the disk; empty if it is not needed.

    `write(path, content)` writes the file `kept` of the root.
    """
    boot = this_boot()
    if not boot or file_system(root)[0] not in LOCAL:
        return b""
    write(root + ON_DISK, b"")
    _set_time(root, time.time() + FLUSHED)
    names = {b"kept": ON_DISK, b"root": b"", b"start": START, b"used": USED}
    fields = dict((name, quote(root + path)) for name, path in names.items())
    fields.update({b"boot": path_bytes(BOOT), b"is_this": _is_boot(boot)})
    return fill(LINE, fields)


def in_doubt(root):
    # type: (bytes) -> bool
    """Return the result of that line: whether a root of another boot may not be on the disk."""
    try:
        with open(root + START, "rb") as stream:
            text = stream.read()
    except EnvironmentError:
        return False
    has_line, made_now = b"read -r _coex_boot <" in text, _is_boot(this_boot()) in text
    if not has_line or made_now or not os.access(root, os.W_OK):
        return False
    kept_time = _time_of(root + ON_DISK)
    return not (_time_of(root + START) > kept_time or _time_of(root + USED) > kept_time)


def _is_boot(boot):
    # type: (bytes) -> bytes
    """Return the test by which `start` compares the boot of the host."""
    return b'[ "$_coex_boot" = ' + boot + b" ]"


def this_boot():
    # type: () -> bytes
    """Return the id of this boot of the host (random(4)); empty if the system has none."""
    try:
        with open(BOOT, "rb") as stream:
            return stream.read().strip()
    except EnvironmentError:
        return b""


def keep(root):
    # type: (bytes) -> None
    """Write a root to the disk and mark it as written, if this system can."""
    if sync(root):
        mark_kept(root)
        sync(root)  # the mark, which must not be there before


def sync(path):
    # type: (bytes) -> bool
    """Write the file system of a path to its disk; return whether that worked. Raises OSError if the path is missing."""
    stream = os.open(path, os.O_RDONLY)
    try:
        import ctypes

        return bool(ctypes.CDLL(None).syncfs(stream) == 0)
    except (ImportError, AttributeError, EnvironmentError):
        return False
    finally:
        os.close(stream)


def mark_kept(root):
    # type: (bytes) -> None
    """Mark a root as written to the disk."""
    if os.path.lexists(root + ON_DISK):
        _set_time(root, 1)


def _set_time(root, seconds):
    # type: (bytes, float) -> None
    try:
        os.utime(root + ON_DISK, (seconds, seconds))
    except EnvironmentError:  # the next start looks again
        pass


def _time_of(path):
    # type: (bytes) -> float
    try:
        return os.lstat(path).st_mtime
    except EnvironmentError:
        return 0.0
