"""Refuse an index whose files could stand outside a root, stand twice, or lie where no frame is."""

import operator

from ..base.errors import ArchiveDamaged
from .manifest import APP, FRAME_LIMIT, PREFIX
from .relocation import HASHES, kind_of, misplaced, parse_slots

PACKED_LIMIT = FRAME_LIMIT + (FRAME_LIMIT >> 7)  # bytes: more than zstd makes of what it cannot compress
SHA256 = 64  # bytes in hexadecimal
OTHERS_WRITE = 0o022  # in a mode
LATEST = 1 << 40  # seconds from 1970, before or after: what every system takes for a time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Sequence, Set, Tuple

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


def check_placeholders(index):
    # type: (Index) -> None
    """Refuse a placeholder that could not be a path of a builder."""
    try:
        if all(placeholder.decode("utf-8") for placeholder in index.placeholders):
            return
    except UnicodeError:
        pass
    raise ArchiveDamaged("its index has a placeholder that cannot be")


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
    if contents and (max(contents) > FRAME_LIMIT or max(frame.size for frame in frames) > PACKED_LIMIT):
        raise ArchiveDamaged("its index has a frame that cannot be")
    count = len(files)
    if count and (
        max(files.modes) > 0o7777 or max(files.nanoseconds) >= 1000000000
        or max(max(files.seconds), -min(files.seconds)) > LATEST
    ):
        raise ArchiveDamaged("its index has a file that cannot be")
    if any(row >= count for row in files.large) or any(row >= count for row in files.relocations):
        raise ArchiveDamaged("its index names a file that it does not have")
    if list(files.frames) != sorted(files.frames) or (count and files.frames[-1] >= len(frames)):
        raise ArchiveDamaged("its index has a file that is not in its frames")
    large = set(files.large)
    check_large(contents, files, large)
    for number, content in enumerate(contents):
        first, last = files.rows_of(number)
        ends = map(operator.add, files.offsets[first:last], files.sizes[first:last])
        if any(end > content and row not in large for row, end in enumerate(ends, first)):
            raise ArchiveDamaged("its index has a file that is not in its frames")


def check_large(contents, files, large):
    # type: (List[int], Files, Set[int]) -> None
    """Refuse a large file that is not the whole of its frames, and two in one place that are not the same content."""
    free, there = 0, None  # type: int, Optional[Tuple[int, int, Optional[bytes]]]
    for row in sorted(large):
        first, total, after = files.frames[row], 0, files.frames[row]
        place = (first, files.sizes[row], files.relocations.get(row))
        if place == there and not files.offsets[row]:
            continue  # walked through already
        if first < free:
            raise ArchiveDamaged("its index has two files in one place")
        while total < files.sizes[row] and after < len(contents):
            total, after = total + contents[after], after + 1
        if files.offsets[row] or total != files.sizes[row]:
            raise ArchiveDamaged("its index has a file that is not in its frames")
        free, there = after, place


def check_packaged(packaged, frames):
    # type: (Sequence[int], int) -> None
    """Refuse frames of packages that are none, or that are named twice."""
    if list(packaged) != sorted(set(packaged)) or (packaged and packaged[-1] >= frames):
        raise ArchiveDamaged("its index names a frame that it does not have")


def check_hashes(frames, files):
    # type: (List[Frame], Files) -> None
    """Refuse a file that is to hold the hash of what is not there, or is not relocated, or hold it behind its end.

    Contents that are not files are there to be hashed once: all together they are no more than the frames hold.
    """
    starts = [0]
    for frame in frames:
        starts.append(starts[-1] + frame.content)
    left = 2 * starts[-1]
    for row in files.hashed:
        for source, offset in parse_slots(files.relocations[row]):
            if isinstance(source, int):
                known = source in files.relocated and source not in files.hashed
            else:
                number, start, size, words = source
                known = number < len(frames) and kind_of(words) != HASHES
                left -= size
                known = known and start <= frames[number].content and starts[number] + start + size <= starts[-1] and left >= 0
            if not known or offset + SHA256 > files.sizes[row]:
                raise misplaced()


def check_sizes(index, payload, unpacked):
    # type: (Index, int, Dict[str, int]) -> None
    """Refuse frames that overlap or lie outside the payload, and files that take more than is said of them."""
    end = 0
    for frame in index.frames:
        if frame.offset < end or frame.offset + frame.size > payload:
            raise ArchiveDamaged("its index names a frame outside the payload, or one in another")
        end = frame.offset + frame.size
    if len(index.files) != unpacked["files"] or sum(index.files.sizes) > unpacked["bytes"]:
        raise ArchiveDamaged("its files take more than it says")


def close_to_others(index, files):
    # type: (Index, Files) -> None
    """Take away what would let others write into an environment, as builders and conda's usual umask do.

    All who read an index, a start as `verify`, see the same modes; setuid and setgid stay, as conda leaves them.
    """
    if any(mode & OTHERS_WRITE for mode in set(files.modes)):
        files.modes = tuple(mode & ~OTHERS_WRITE for mode in files.modes)
    index.directories = [d._replace(mode=d.mode & ~OTHERS_WRITE) if d.mode & OTHERS_WRITE else d for d in index.directories]
