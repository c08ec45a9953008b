"""Find the types of the file systems that paths are on, and recognise those of servers and those that start no program."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Tuple

MOUNTS = "/proc/self/mountinfo"
# Every file that is opened there costs a message to another process, usually on another host.
OF_SERVERS = frozenset((
    b"9p", b"acfs", b"afpfs", b"afs", b"autofs", b"beegfs", b"ceph", b"cifs", b"coda", b"ftp", b"fuse", b"gfs2", b"gpfs",
    b"kafs", b"lustre", b"macfuse", b"ncpfs", b"nfs", b"nfs3", b"nfs4", b"ocfs2", b"orangefs", b"osxfuse", b"panfs", b"pvfs2",
    b"smb2", b"smb3", b"smbfs", b"virtiofs", b"vboxsf", b"webdav", b"wekafs",
))
# Programs that have the files of this host's disks.
LOCAL_PROGRAMS = frozenset((
    b"fuse.bindfs", b"fuse.ext4", b"fuse.fuse-overlayfs", b"fuse.fuse2fs", b"fuse.mergerfs", b"fuse.ntfs-3g",
))
NOEXEC = 8  # ST_NOEXEC of statvfs(3)


def file_system(path):
    # type: (bytes) -> Tuple[bytes, List[bytes]]
    """Return type and options of the file system of a path, which need not exist; empty if they are unknown."""
    return file_systems([path])[0]


def file_systems(paths):
    # type: (Iterable[bytes]) -> List[Tuple[bytes, List[bytes]]]
    """Return type and options of the file system of each path."""
    real = [os.path.realpath(path) for path in paths]  # before the list is read: automounters mount a place when it is looked at
    if sys.platform == "darwin":
        from .statfs import file_system_of_macos

        return [file_system_of_macos(path) for path in real]
    mounts = _mounts()
    return [_mount_of(path, mounts) for path in real]


def is_of_server(kind):
    # type: (bytes) -> bool
    """Return whether a type is one of a server, or of a program that may have its files from one (FUSE)."""
    return kind in OF_SERVERS or kind.startswith(b"fuse.") and kind not in LOCAL_PROGRAMS


def is_noexec(path):
    # type: (bytes) -> bool
    """Return whether no program can be started from a directory; Python shows that flag of statvfs(3) on Linux only."""
    if sys.platform == "darwin":
        return b"noexec" in file_system(path)[1]
    return sys.platform.startswith("linux") and bool(os.statvfs(path).f_flag & NOEXEC)


def _mounts():
    # type: () -> List[Tuple[bytes, bytes, List[bytes]]]
    """Return (place, type, options) of all mounts (proc_pid_mountinfo(5)), the latest last; empty if /proc is missing."""
    try:
        with open(MOUNTS, "rb") as stream:
            lines = stream.read().splitlines()
    except EnvironmentError:
        return []
    mounts = []
    for line in lines:
        before, _, after = line.partition(b" - ")
        words = after.split(b" ")
        place = _unescaped(before.split(b" ")[4])
        mounts.append((place.rstrip(b"/") + b"/", words[0], words[-1].split(b",")))
    return mounts


def _unescaped(place):
    # type: (bytes) -> bytes
    """Return a path of that list, in which blanks and backslashes are numbers of three octal digits."""
    if b"\\" not in place:
        return place
    import re

    return re.sub(br"\\([0-7]{3})", lambda match: bytes(bytearray([int(match.group(1), 8)])), place)


def _mount_of(path, mounts):
    # type: (bytes, List[Tuple[bytes, bytes, List[bytes]]]) -> Tuple[bytes, List[bytes]]
    best = (b"", b"", [])  # type: Tuple[bytes, bytes, List[bytes]]
    for mount in mounts:
        if len(mount[0]) >= len(best[0]) and (path + b"/").startswith(mount[0]):
            best = mount
    return best[1:]
