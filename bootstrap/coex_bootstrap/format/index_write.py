"""Write an index. Builders do that, and a start never does."""

import struct

from .index import COLUMNS, HEAD, SECOND, TEXT, Columns
from .manifest import FORMAT_VERSION
from .relocation import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence, Union

    from .index import Directory, File, Frame, Index, Link


class IndexDraft(object):
    """An index that is being made, of plain lists: files in the order of their frames, parents before directories."""

    def __init__(self):
        # type: () -> None
        self.placeholders = []  # type: List[bytes]
        self.frames = []  # type: List[Frame]
        self.package_frames = []  # type: Sequence[int]
        self.directories = []  # type: List[Directory]
        self.files = []  # type: List[File]
        self.links = []  # type: List[Link]


def dump_index(index):
    # type: (Union[Index, IndexDraft]) -> bytes
    """Return the member `index`."""
    columns = make_columns(index)
    pieces = [HEAD + str(FORMAT_VERSION).encode("ascii") + b"\n"]
    for name, kind in COLUMNS:
        if kind == TEXT:
            data = b"\0".join(columns.texts[name] + [b""])
        else:
            values = columns.numbers[name]
            data = struct.pack("<%d%s" % (len(values), kind), *values)
        pieces += [("%s %d\n" % (name, len(data))).encode("ascii"), data]
    return b"".join(pieces)


def make_columns(index):
    # type: (Union[Index, IndexDraft]) -> Columns
    """Return the columns of an index; the numbers of the relocated files and of the large ones come from the rows."""
    files, frames = list(index.files), index.frames
    modes, times, firsts, offsets, sizes, relocations, paths = list(zip(*files)) or [()] * 7
    rows = dict((directory.path, row) for row, directory in enumerate(index.directories))
    numbers, last = [], 0
    for first, size in zip(firsts, sizes):  # the frame of an empty file means nothing, but rows are in the order of their frames
        last = first if size else last
        numbers.append(last)
    places = [path.rpartition(b"/") for path in paths]
    relocated = [row for row, relocation in enumerate(relocations) if relocation != NOTHING]
    contents = [frame.content for frame in frames]
    columns = Columns()
    columns.texts = {
        "placeholder": index.placeholders, "frame_sha256": [frame.sha256 for frame in frames],
        "directory_path": [d.path for d in index.directories], "file_name": [place[2] for place in places],
        "relocated_relocation": [relocations[row] for row in relocated],
        "link_path": [link.path for link in index.links], "link_target": [link.target for link in index.links],
    }
    columns.numbers = {
        "frame_offset": [frame.offset for frame in frames], "frame_size": [frame.size for frame in frames],
        "frame_content": contents, "package_frame": index.package_frames,
        "directory_mode": [d.mode for d in index.directories],
        "file_directory": [rows[place[0]] for place in places], "file_mode": modes,
        "file_seconds": [time // SECOND for time in times], "file_nanoseconds": [time % SECOND for time in times],
        "file_frame": numbers, "file_offset": offsets, "file_size": sizes,
        "large_file": [
            row for row, (first, offset, size) in enumerate(zip(firsts, offsets, sizes))
            if size and offset + size > contents[first]
        ],
        "relocated_file": relocated,
    }
    return columns
