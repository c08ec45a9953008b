"""Ask macOS for the type and the options of the file system of a path."""

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

FLAGS, TYPE, TYPE_SIZE = 64, 72, 16  # offsets of f_flags and f_fstypename, and the size of the latter
OPTIONS = {1: b"ro", 4: b"noexec", 8: b"nosuid"}  # MNT_RDONLY, MNT_NOEXEC, MNT_NOSUID


def file_system_of_macos(path):
    # type: (bytes) -> Tuple[bytes, List[bytes]]
    """Return type and options for a path, or for the nearest directory above that exists (statfs(2))."""
    try:
        import ctypes

        library = ctypes.CDLL(None)
        function = getattr(library, "statfs$INODE64", None) or library.statfs
    except (ImportError, AttributeError, EnvironmentError):
        return b"", []
    state = ctypes.create_string_buffer(4096)
    while function(path, state) != 0:
        if path in (b"", b"/"):
            return b"", []
        path = os.path.dirname(path)
    return parse_statfs(state.raw)


def parse_statfs(state):
    # type: (bytes) -> Tuple[bytes, List[bytes]]
    """Return type and options from a `struct statfs` of macOS with inodes of 64 bits (sys/mount.h): 2168 bytes."""
    (flags,) = struct.unpack_from("=I", state, FLAGS)
    options = [name for bit, name in sorted(OPTIONS.items()) if flags & bit]
    return state[TYPE : TYPE + TYPE_SIZE].partition(b"\0")[0], options
