"""Check a root of an earlier boot once: power may have failed before all of it was on the disk.

A journal writes names before contents: after a power failure such files are too short, mostly empty. On a file system
without an order of writes, sizes prove nothing. The sizes of files that scripts made are unknown. In both cases the
root is made again.
"""

import os
import stat

from ..format.relocation import parse
from ..store.boot import START, UNORDERED, in_doubt, mark_kept
from ..store.file_system import file_system
from ..unpack.relocate import size_at
from .finish import Finish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional

    from ..format.archive import Archive


def is_lost(archive, root):
    # type: (Archive, bytes) -> bool
    """Return whether a root has to be made again, and remove its `start` then; otherwise it is not checked again."""
    if not in_doubt(root):
        return False
    try:
        if is_whole(archive, root):
            mark_kept(root)
            return False
    except EnvironmentError:  # another process removes it, or a server fails
        pass
    try:
        os.unlink(root + START)
    except EnvironmentError:  # another process found that, too
        pass
    return True


def is_whole(archive, root):
    # type: (Archive, bytes) -> bool
    """Return whether all files of a root have the sizes that they were written with."""
    manifest, files = archive.manifest, archive.index.files
    kind, options = file_system(root)
    if kind in UNORDERED or b"data=writeback" in options or manifest.post_link or manifest.compile:
        return False
    placeholders, prefix = archive.index.placeholders, root + b"/prefix"
    for row in range(len(files)):
        size, written_size = _size(root + b"/" + files.path(row)), files.sizes[row]  # type: int, Optional[int]
        if row in files.relocations:
            written_size = size_at(parse(files.relocations[row], placeholders), files.sizes[row], prefix)
        if size <= 0 and written_size != 0 or written_size is not None and size != written_size:
            return False
    for link in archive.index.links:
        if not os.path.lexists(root + b"/" + link.path):
            return False
    return _has_activation(archive, root)


def _has_activation(archive, root):
    # type: (Archive, bytes) -> bool
    written = {}  # type: Dict[bytes, bytes]
    path = Finish(archive.manifest, root, {}).write_activation(root, written.__setitem__)
    return _size(path) == len(written[path])


def _size(path):
    # type: (bytes) -> int
    """Return the size of a file, -1 if it is not a regular file."""
    try:
        state = os.lstat(path)
    except EnvironmentError:
        return -1
    return state.st_size if stat.S_ISREG(state.st_mode) else -1
