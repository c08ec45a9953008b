"""The index: a list of everything that an archive unpacks to. It has columns, so that it is read without a loop.

The member `index` is the line `coex-index 1`, then every column of COLUMNS, in that order: a line `NAME LENGTH`
and LENGTH bytes. A column of kind `text` has items that each end with NUL; the others have little-endian integers,
of the kinds of struct(3). The columns of one kind of row have one item for each row:

    placeholder                       a prefix of the builder, numbered from 0
    frame      offset size content    its place in the payload, and the size of its decoded content
               sha256                 of its compressed bytes, in hexadecimal
    package    frame                  rows of frames with files that a package brought: other archives may have them too
    directory  path mode              parents first; the first are `app` and `prefix`
    file       directory name         the row of its directory, and its name there
               mode seconds nanoseconds
               frame offset size      the place of its content; rows are in the order of their frames
    large      file                   rows of files that own whole consecutive frames, from `frame` on; equal files, with
                                      equal relocations, may own the same frames
    relocated  file relocation        rows of files that differ from place to place: see `relocation`
    link       path target            symbolic links, created after all files
"""

from bisect import bisect_left

from ..base.errors import ArchiveDamaged
from ..base.row_type import row_type
from .relocation import HASHES, NOTHING, parse, rows_of_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

    from .relocation import Relocation

    Frame = NamedTuple("Frame", [("offset", int), ("size", int), ("content", int), ("sha256", bytes)])
    Directory = NamedTuple("Directory", [("mode", int), ("path", bytes)])
    File = NamedTuple("File", [
        ("mode", int), ("mtime_ns", int), ("frame", int), ("offset", int), ("size", int), ("relocation", bytes), ("path", bytes),
    ])
    Link = NamedTuple("Link", [("path", bytes), ("target", bytes)])
else:
    Frame = row_type("Frame", "offset size content sha256")
    Directory = row_type("Directory", "mode path")
    File = row_type("File", "mode mtime_ns frame offset size relocation path")
    Link = row_type("Link", "path target")

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
SECOND = 1000000000  # nanoseconds


class Columns(object):
    """The columns of an index by name: `texts`, also as they are in the index (`raw`), and `numbers` of all other kinds."""

    def __init__(self):
        # type: () -> None
        self.texts = {}  # type: Dict[str, List[bytes]]
        self.raw = {}  # type: Dict[str, bytes]
        self.numbers = {}  # type: Dict[str, Sequence[int]]

    def check_lengths(self, kind):
        # type: (str) -> None
        """Raise ArchiveDamaged if the columns of one kind of row differ in length."""
        lengths = set(len(values) for name, values in self.texts.items() if name.startswith(kind))
        lengths.update(len(values) for name, values in self.numbers.items() if name.startswith(kind))
        if len(lengths) != 1:
            raise ArchiveDamaged("its index has rows that are not whole")


class Files(object):
    """The files of an index by column; as a sequence it has a File for each row."""

    def __init__(self, columns, directories):
        # type: (Columns, List[Directory]) -> None
        numbers, texts = columns.numbers, columns.texts
        self.paths = [directory.path for directory in directories]
        self.directories, self.names = numbers["file_directory"], texts["file_name"]
        self.raw_names = columns.raw["file_name"]
        self.modes = numbers["file_mode"]
        self.seconds, self.nanoseconds = numbers["file_seconds"], numbers["file_nanoseconds"]
        self.frames, self.offsets, self.sizes = numbers["file_frame"], numbers["file_offset"], numbers["file_size"]
        self.large = numbers["large_file"]
        self.relocations = dict(zip(numbers["relocated_file"], texts["relocated_relocation"]))
        self.relocated = frozenset(self.relocations)
        self.hashed = rows_of_kind(self.relocations, HASHES)

    def __len__(self):
        # type: () -> int
        return len(self.names)

    def __getitem__(self, row):
        # type: (int) -> File
        return File(
            self.modes[row], self.seconds[row] * SECOND + self.nanoseconds[row],
            self.frames[row], self.offsets[row], self.sizes[row], self.relocations.get(row, NOTHING), self.path(row),
        )

    def __iter__(self):
        # type: () -> Iterator[File]
        return (self[row] for row in range(len(self)))

    def path(self, row):
        # type: (int) -> bytes
        """Return the path of a file in the root."""
        return self.paths[self.directories[row]] + b"/" + self.names[row]

    def rows_of(self, frame):
        # type: (int) -> Tuple[int, int]
        """Return the first row whose content begins in a frame, and the one after the last."""
        return bisect_left(self.frames, frame), bisect_left(self.frames, frame + 1)

    def plain_rows(self, frame):
        # type: (int) -> Sequence[int]
        """Return the rows of the files that begin in a frame and are the same everywhere."""
        first, last = self.rows_of(frame)
        rows = range(first, last)
        return rows if self.relocated.isdisjoint(rows) else [row for row in rows if row not in self.relocated]


class Index(object):
    """An index that was read and checked."""

    def __init__(self, columns):
        # type: (Columns) -> None
        """Take the columns; raises ArchiveDamaged if those of one kind of row differ in length."""
        for kind in ("frame_", "directory_", "file_", "relocated_", "link_"):
            columns.check_lengths(kind)
        numbers, texts = columns.numbers, columns.texts
        rows = zip(numbers["frame_offset"], numbers["frame_size"], numbers["frame_content"], texts["frame_sha256"])
        self.placeholders = texts["placeholder"]
        self.frames = [Frame(*row) for row in rows]
        self.package_frames = numbers["package_frame"]
        self.directories = [Directory(*row) for row in zip(numbers["directory_mode"], texts["directory_path"])]
        self.links = [Link(*row) for row in zip(texts["link_path"], texts["link_target"])]
        self.files = Files(columns, self.directories)

    def relocation(self, row):
        # type: (int) -> Relocation
        """Return the relocation of a file that has one; raises ArchiveDamaged."""
        return parse(self.files.relocations[row], self.placeholders)

    def frames_of(self, row):
        # type: (int) -> Sequence[int]
        """Return the frames that contain a file; an empty file is in none."""
        files = self.files
        first = last = files.frames[row]
        left = files.offsets[row] + files.sizes[row] if files.sizes[row] else 0
        while left > 0:
            left -= self.frames[last].content
            last += 1
        return range(first, last)
