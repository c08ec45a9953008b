"""Refuse an index whose files could be outside a root, appear twice, or lie outside the frames."""

from ..base.errors import ArchiveDamaged
from .manifest import APP, FRAME_LIMIT, PREFIX
from .relocation import HASHES, invalid_relocation, kind_of, parse_slots

PACKED_LIMIT = FRAME_LIMIT + (FRAME_LIMIT >> 7)  # bytes: more than zstd needs for content that it cannot compress
SHA256 = 64  # bytes in hexadecimal
OTHERS_WRITE = 0o022  # in a mode
LATEST = 1 << 40  # seconds from 1970, before or after: a time that every system accepts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Set, Tuple

    from .index import Files, Index


def check_directories(index):
    # type: (Index) -> None
    """Raise ArchiveDamaged for a directory outside the root, before its parent, or twice."""
    known = set()
    for mode, path in index.directories:
        parent, _, name = path.rpartition(b"/")
        if name in (b"", b".", b"..") or (parent not in known and path not in (PREFIX, APP)):
            raise ArchiveDamaged("its index names a path outside its root")
        if path in known:
            raise ArchiveDamaged("its index names a path twice")
        if mode > 0o7777:
            raise ArchiveDamaged("its index has an impossible directory")
        known.add(path)


def check_placeholders(index):
    # type: (Index) -> None
    """Raise ArchiveDamaged for a placeholder that is empty or not UTF-8."""
    try:
        if all(placeholder.decode("utf-8") for placeholder in index.placeholders):
            return
    except UnicodeError:
        pass
    raise ArchiveDamaged("its index has an impossible placeholder")


def check_names(index):
    # type: (Index) -> None
    """Raise ArchiveDamaged for a name that leaves its directory, a path that appears twice, and a link without a target."""
    files, rows = index.files, dict((directory.path, row) for row, directory in enumerate(index.directories))
    parents, names = [], []  # type: List[int], List[bytes] # of links
    for link in index.links:
        parent, _, name = link.path.rpartition(b"/")
        parents.append(rows.get(parent, len(rows)))
        names.append(name)
        if not link.target:
            raise ArchiveDamaged("its index has a link without a target")
    text = b"\0" + files.raw_names + b"".join([name + b"\0" for name in names])
    if b"/" in text or b"\0\0" in text or b"\0.\0" in text or b"\0..\0" in text:
        raise ArchiveDamaged("its index names a path outside its root")
    if any(column and max(column) >= len(rows) for column in (files.directories, parents)):
        raise ArchiveDamaged("its index names a path outside its root")
    entries = list(zip(files.directories, files.names)) + list(zip(parents, names))
    for directory in index.directories:
        parent, _, name = directory.path.rpartition(b"/")
        if parent:
            entries.append((rows[parent], name))
    if len(set(entries)) != len(entries):
        raise ArchiveDamaged("its index names a path twice")


def check_places(index):
    # type: (Index) -> None
    """Raise ArchiveDamaged for a file whose content is outside the frames, and a frame that is too large for a reader."""
    frames, files = index.frames, index.files
    contents = [frame.content for frame in frames]
    if contents and (max(contents) > FRAME_LIMIT or max(frame.size for frame in frames) > PACKED_LIMIT):
        raise ArchiveDamaged("its index has an impossible frame")
    count = len(files)
    if count and (
        max(files.modes) > 0o7777 or max(files.nanoseconds) >= 1000000000
        or max(map(abs, set(files.seconds))) > LATEST
    ):
        raise ArchiveDamaged("its index has an impossible file")
    if any(row >= count for row in files.large) or any(row >= count for row in files.relocations):
        raise ArchiveDamaged("its index names a file that it does not have")
    numbers = list(files.frames)
    if numbers != sorted(numbers) or (count and numbers[-1] >= len(frames)):
        raise ArchiveDamaged("its index has a file that is not in its frames")
    large = set(files.large)
    check_large(contents, files, large)
    for number, content in enumerate(contents):
        first, last = files.rows_of(number)
        ends = [offset + size for offset, size in zip(files.offsets[first:last], files.sizes[first:last])]
        is_beyond = ends and max(ends) > content
        if is_beyond and any(end > content and row not in large for row, end in enumerate(ends, first)):
            raise ArchiveDamaged("its index has a file that is not in its frames")


def check_large(contents, files, large):
    # type: (List[int], Files, Set[int]) -> None
    """Raise ArchiveDamaged for a large file that does not fill its frames, and for two different ones in one place.

    `contents` are the sizes of the decoded frames, `large` the rows of large files.
    """
    next_frame, last_place = 0, None  # type: int, Optional[Tuple[int, int, Optional[bytes]]]
    for row in sorted(large):
        first, total, after = files.frames[row], 0, files.frames[row]
        place = (first, files.sizes[row], files.relocations.get(row))
        if place == last_place and not files.offsets[row]:
            continue  # equal files share their frames
        if first < next_frame:
            raise ArchiveDamaged("its index has two files in one place")
        while total < files.sizes[row] and after < len(contents):
            total, after = total + contents[after], after + 1
        if files.offsets[row] or total != files.sizes[row]:
            raise ArchiveDamaged("its index has a file that is not in its frames")
        next_frame, last_place = after, place


def check_package_frames(index):
    # type: (Index) -> None
    """Raise ArchiveDamaged for frames of packages that do not exist, or appear twice."""
    numbers = list(index.package_frames)
    if numbers != sorted(set(numbers)) or (numbers and numbers[-1] >= len(index.frames)):
        raise ArchiveDamaged("its index names a frame that it does not have")


def check_hashes(index):
    # type: (Index) -> None
    """Raise ArchiveDamaged for a hash of a file that is not relocated or does not exist, or a hash beyond the end of its file.

    A content that is not a file is hashed once for each slot: their total is at most twice the content of the frames.
    """
    frames, files = index.frames, index.files
    starts = [0]
    for frame in frames:
        starts.append(starts[-1] + frame.content)
    left = 2 * starts[-1]
    for row in files.hashed:
        for source, offset in parse_slots(files.relocations[row]):
            if isinstance(source, int):
                is_valid = source in files.relocated and source not in files.hashed
            else:
                number, start, size, text = source
                left -= size
                is_valid = number < len(frames) and kind_of(text) != HASHES and left >= 0
                is_valid = is_valid and start <= frames[number].content and starts[number] + start + size <= starts[-1]
            if not is_valid or offset + SHA256 > files.sizes[row]:
                raise invalid_relocation()


def check_sizes(index, payload, unpacked):
    # type: (Index, int, Dict[str, int]) -> None
    """Raise ArchiveDamaged if frames overlap or lie outside the payload, or if files take more than the manifest says.

    `payload` is its size in bytes, `unpacked` the manifest's {files, bytes}.
    """
    end = 0
    for frame in index.frames:
        if frame.offset < end or frame.offset + frame.size > payload:
            raise ArchiveDamaged("its index names a frame outside the payload, or one in another")
        end = frame.offset + frame.size
    if len(index.files) != unpacked["files"] or sum(index.files.sizes) > unpacked["bytes"]:
        raise ArchiveDamaged("its files take more than it says")


def remove_write_permissions(index):
    # type: (Index) -> None
    """Change the modes of an index: group and others may not write into an environment, as with conda's usual umask.

    Every reader, a start as well as `verify`, gets these modes; setuid and setgid stay, as conda leaves them.
    """
    files = index.files
    if any(mode & OTHERS_WRITE for mode in set(files.modes)):
        files.modes = tuple(mode & ~OTHERS_WRITE for mode in files.modes)
    index.directories = [d._replace(mode=d.mode & ~OTHERS_WRITE) if d.mode & OTHERS_WRITE else d for d in index.directories]
