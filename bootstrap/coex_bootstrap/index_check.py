"""Refuse an index whose files could stand outside a root, stand twice, or lie where no frame is."""

import operator

from .errors import ArchiveDamaged
from .format import APP, FRAME_LIMIT, PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

    from .index import Files, Frame, Index


def check_directories(index):
    # type: (Index) -> None
    """Refuse a directory outside the root, before its parent, or twice."""
    known = set()
    for mode, path in index.directories:
        parent, _, name = path.rpartition(b"/")
        if name in (b"", b".", b"..") or (parent not in known and path not in (PREFIX, APP)):
            raise ArchiveDamaged("its index names a path outside its root")
        if path in known:
            raise ArchiveDamaged("its index names a path twice")
        if mode > 0o7777:
            raise ArchiveDamaged("its index has a directory that cannot be")
        known.add(path)


def check_names(index, files):
    # type: (Index, Files) -> None
    """Refuse a name that leaves its directory, a path that stands twice, and a link without a target."""
    paths = dict((directory.path, row) for row, directory in enumerate(index.directories))
    entries = list(zip(files.directories, files.names))
    for link in index.links:
        parent, _, name = link.path.rpartition(b"/")
        entries.append((paths.get(parent, len(paths)), name))
        if not link.target:
            raise ArchiveDamaged("its index has a link without a target")
    names = b"\0" + b"\0".join([name for _, name in entries]) + b"\0" if entries else b""
    if b"/" in names or b"\0\0" in names or b"\0.\0" in names or b"\0..\0" in names:
        raise ArchiveDamaged("its index names a path outside its root")
    if entries and max(entries)[0] >= len(paths):
        raise ArchiveDamaged("its index names a path outside its root")
    for directory in index.directories:
        parent, _, name = directory.path.rpartition(b"/")
        if parent:
            entries.append((paths[parent], name))
    if len(set(entries)) != len(entries):
        raise ArchiveDamaged("its index names a path twice")


def check_places(frames, files):
    # type: (List[Frame], Files) -> None
    """Refuse a file whose content is not where the frames are, and a frame larger than a reader allocates."""
    contents = [frame.content for frame in frames]
    if contents and max(contents) > FRAME_LIMIT:
        raise ArchiveDamaged("its index has a frame that cannot be")
    count = len(files)
    if count and max(files.modes) > 0o7777:
        raise ArchiveDamaged("its index has a file that cannot be")
    if any(row >= count for row in files.large) or any(row >= count for row in files.relocations):
        raise ArchiveDamaged("its index names a file that it does not have")
    if list(files.frames) != sorted(files.frames) or (count and files.frames[-1] >= len(frames)):
        raise ArchiveDamaged("its index has a file that is not in its frames")
    large = set(files.large)
    for row in large:
        if files.offsets[row] or sum_to(contents, files.frames[row], files.sizes[row]) != files.sizes[row]:
            raise ArchiveDamaged("its index has a file that is not in its frames")
    for number, content in enumerate(contents):
        first, last = files.rows_of(number)
        ends = map(operator.add, files.offsets[first:last], files.sizes[first:last])
        if any(end > content and row not in large for row, end in enumerate(ends, first)):
            raise ArchiveDamaged("its index has a file that is not in its frames")


def sum_to(sizes, first, wanted):
    # type: (List[int], int, int) -> int
    """Return the size of the consecutive frames from `first` on that reach `wanted` bytes, or of all there are."""
    total = 0
    for size in sizes[first:]:
        if total >= wanted:
            break
        total += size
    return total
