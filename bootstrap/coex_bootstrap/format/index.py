"""The index: what an archive unpacks to, in columns, so that no Python loops over the files to read it.

The member `index` is the line `coex-index 1`, then every column of COLUMNS, in that order: a line `NAME LENGTH`
and LENGTH bytes. A column of kind `text` holds items that each end with NUL; of the others, little-endian
integers as struct(3) names them. Rows of a kind have one item in each of its columns:

    placeholder                       a build-time prefix, numbered from 0
    frame      offset size content    where it lies in the payload, and the size of what it decodes to
               sha256                 of its bytes, in hexadecimal
    package    frame                  rows of frames with files that a package brought: other archives may have them too
    directory  path mode              parents first; the first are `app` and `prefix`
    file       directory name         its directory's row, and its name there
               mode seconds nanoseconds
               frame offset size      where its content lies; rows are in the order of their frames
    large      file                   rows of files that own whole consecutive frames, from `frame` on; files that are
                                      equal, in relocation too, may own the same ones
    relocated  file relocation        rows of files that differ from place to place: see `relocation`
    link       path target            symbolic links, created after all files
"""

import struct
from bisect import bisect_left
from collections import namedtuple

from ..base.errors import ArchiveDamaged, FormatUnknown
from .index_check import (
    check_directories,
    check_hashes,
    check_names,
    check_packaged,
    check_placeholders,
    check_places,
    close_to_others,
)
from .manifest import FORMAT_VERSION
from .relocation import HASHES, NOTHING, parse, rows_of_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Sequence, Tuple

    from .relocation import Relocation

HEAD = b"coex-index "
TEXT = "text"
COLUMNS = (
    ("placeholder", TEXT),
    ("frame_offset", "Q"), ("frame_size", "I"), ("frame_content", "I"), ("frame_sha256", TEXT),
    ("package_frame", "I"),
    ("directory_path", TEXT), ("directory_mode", "I"),
    ("file_directory", "I"), ("file_name", TEXT), ("file_mode", "I"), ("file_seconds", "q"), ("file_nanoseconds", "I"),
    ("file_frame", "I"), ("file_offset", "I"), ("file_size", "Q"),
    ("large_file", "I"),
    ("relocated_file", "I"), ("relocated_relocation", TEXT),
    ("link_path", TEXT), ("link_target", TEXT),
)

Frame = namedtuple("Frame", "offset size content sha256")
Directory = namedtuple("Directory", "mode path")
File = namedtuple("File", "mode mtime frame offset size relocation path")
Link = namedtuple("Link", "path target")


class Files(object):
    """The files of an index by column; a row of it is a File, whose mtime is `seconds[.nanoseconds]`."""

    def __init__(self, columns, directories):
        # type: (Dict[str, Any], List[Directory]) -> None
        self.paths = [directory.path for directory in directories]
        self.directories, self.names = columns["file_directory"], columns["file_name"]
        self.modes = columns["file_mode"]
        self.seconds, self.nanoseconds = columns["file_seconds"], columns["file_nanoseconds"]
        self.frames, self.offsets, self.sizes = columns["file_frame"], columns["file_offset"], columns["file_size"]
        self.large = columns["large_file"]
        self.relocations = dict(zip(columns["relocated_file"], columns["relocated_relocation"]))
        self.relocated = frozenset(self.relocations)
        self.hashed = rows_of_kind(self.relocations, HASHES)

    def __len__(self):
        # type: () -> int
        return len(self.names)

    def __getitem__(self, row):
        # type: (int) -> File
        fraction = self.nanoseconds[row]
        mtime = "%d.%09d" % (self.seconds[row], fraction) if fraction else "%d" % self.seconds[row]
        return File(
            self.modes[row], mtime.encode("ascii"), self.frames[row], self.offsets[row], self.sizes[row],
            self.relocations.get(row, NOTHING), self.path(row),
        )

    def __iter__(self):
        # type: () -> Iterator[File]
        return (self[row] for row in range(len(self)))

    def path(self, row):
        # type: (int) -> bytes
        return bytes(self.paths[self.directories[row]] + b"/" + self.names[row])

    def rows_of(self, frame):
        # type: (int) -> Tuple[int, int]
        """Return the first row whose content begins in a frame, and the one after the last."""
        return bisect_left(self.frames, frame), bisect_left(self.frames, frame + 1)


class Index(object):
    """Placeholders, frames, directories, files, links; files are a list of File while an index is made."""

    def __init__(self):
        # type: () -> None
        self.placeholders = []  # type: List[bytes]
        self.frames = []  # type: List[Frame]
        self.packaged = []  # type: Sequence[int]
        self.directories = []  # type: List[Directory]
        self.files = []  # type: Any # Files of what was read, List[File] of what is made
        self.links = []  # type: List[Link]

    def relocation(self, row):
        # type: (int) -> Relocation
        """Return how a file of what was read is relocated; raises ArchiveDamaged."""
        return parse(self.files.relocations[row], self.placeholders)

    def frames_of(self, row):
        # type: (int) -> Sequence[int]
        """Return the frames that hold a file of what was read; none hold an empty one."""
        files = self.files
        first = last = files.frames[row]
        left = files.offsets[row] + files.sizes[row] if files.sizes[row] else 0
        while left > 0:
            left -= self.frames[last].content
            last += 1
        return range(first, last)

    def dumps(self):
        # type: () -> bytes
        columns = self._columns()
        pieces = [HEAD + str(FORMAT_VERSION).encode("ascii") + b"\n"]
        for name, kind in COLUMNS:
            values = columns[name]
            if kind == TEXT:
                data = b"".join(value + b"\0" for value in values)
            else:
                data = struct.pack("<%d%s" % (len(values), kind), *values)
            pieces += [("%s %d\n" % (name, len(data))).encode("ascii"), data]
        return b"".join(pieces)

    def _columns(self):
        # type: () -> Dict[str, Sequence[Any]]
        files, rows = list(self.files), dict((d.path, row) for row, d in enumerate(self.directories))
        frames, last = [], 0
        for f in files:  # where an empty file lies says nothing, but rows are in the order of their frames
            last = f.frame if f.size else last
            frames.append(last)
        places = [f.path.rpartition(b"/") for f in files]
        times = [f.mtime.partition(b".") for f in files]
        relocated = [row for row, f in enumerate(files) if f.relocation != NOTHING]
        return {
            "placeholder": self.placeholders,
            "frame_offset": [f.offset for f in self.frames], "frame_size": [f.size for f in self.frames],
            "frame_content": [f.content for f in self.frames], "frame_sha256": [f.sha256 for f in self.frames],
            "package_frame": self.packaged,
            "directory_path": [d.path for d in self.directories], "directory_mode": [d.mode for d in self.directories],
            "file_directory": [rows[place[0]] for place in places], "file_name": [place[2] for place in places],
            "file_mode": [f.mode for f in files], "file_seconds": [int(time[0]) for time in times],
            "file_nanoseconds": [int(time[2] or b"0") for time in times],
            "file_frame": frames, "file_offset": [f.offset for f in files], "file_size": [f.size for f in files],
            "large_file": [row for row, f in enumerate(files) if f.size and self._is_large(f)],
            "relocated_file": relocated, "relocated_relocation": [files[row].relocation for row in relocated],
            "link_path": [link.path for link in self.links], "link_target": [link.target for link in self.links],
        }

    def _is_large(self, entry):
        # type: (File) -> bool
        return bool(entry.offset + entry.size > self.frames[entry.frame].content)


def load_index(data):
    # type: (bytes) -> Index
    """Read an index and check all of it: it may come from anyone.

    Raises ArchiveDamaged where a row cannot be, and FormatUnknown for another version.
    """
    columns = _read_columns(data)
    index = Index()
    index.placeholders = columns["placeholder"]
    names = ("frame_offset", "frame_size", "frame_content", "frame_sha256")
    index.frames = [Frame(*row) for row in _rows(columns, names)]
    index.directories = [Directory(*row) for row in _rows(columns, ("directory_mode", "directory_path"))]
    index.packaged = columns["package_frame"]
    index.links = [Link(*row) for row in _rows(columns, ("link_path", "link_target"))]
    _check_lengths(columns, [name for name, _ in COLUMNS if name.startswith("file_")])
    _check_lengths(columns, ["relocated_file", "relocated_relocation"])
    files = Files(columns, index.directories)
    index.files = files
    check_placeholders(index)
    check_directories(index)
    check_names(index, files)
    check_places(index.frames, files)
    check_packaged(index.packaged, len(index.frames))
    check_hashes(index.frames, files)
    close_to_others(index, files)
    return index


def _read_columns(data):
    # type: (bytes) -> Dict[str, Any]
    end = data.find(b"\n")
    if not data.startswith(HEAD) or end < 0:
        raise ArchiveDamaged("its index has no beginning")
    if data[:end] != HEAD + str(FORMAT_VERSION).encode("ascii"):
        raise FormatUnknown(data[len(HEAD) : end].decode("ascii", "replace"))
    columns = {}  # type: Dict[str, Any]
    for name, kind in COLUMNS:
        start = end + 1
        end = data.find(b"\n", start)
        title, _, length = data[start:end].partition(b" ")
        if end < 0 or title != name.encode("ascii") or not length.isdigit() or len(length) > 20:
            raise ArchiveDamaged("its index has no column %s" % name)
        start, end = end + 1, end + int(length)
        columns[name] = _read_column(data[start : end + 1], int(length), kind)
    if end + 1 != len(data):
        raise ArchiveDamaged("its index goes on after its end")
    return columns


def _read_column(data, length, kind):
    # type: (bytes, int, str) -> Sequence[Any]
    if len(data) != length:
        raise ArchiveDamaged("its index ends too early")
    if kind == TEXT:
        items = data.split(b"\0")
        if items.pop():
            raise ArchiveDamaged("its index has a text without an end")
        return items
    size = struct.calcsize("<" + kind)
    if length % size:
        raise ArchiveDamaged("its index has half a number")
    return struct.unpack("<%d%s" % (length // size, kind), data)


def _check_lengths(columns, names):
    # type: (Dict[str, Any], Sequence[str]) -> None
    if len(set(len(columns[name]) for name in names)) != 1:
        raise ArchiveDamaged("its index has rows that are not whole")


def _rows(columns, names):
    # type: (Dict[str, Any], Sequence[str]) -> Iterator[Tuple[Any, ...]]
    _check_lengths(columns, names)
    return zip(*[columns[name] for name in names])  # type: ignore[return-value,unused-ignore]
