"""Read an index, and refuse one that no builder writes."""

import struct

from ..base.errors import ArchiveDamaged, FormatUnknown
from .index import COLUMNS, HEAD, TEXT, Columns, Index
from .index_check import (
    check_directories,
    check_hashes,
    check_names,
    check_package_frames,
    check_placeholders,
    check_places,
    remove_write_permissions,
)
from .manifest import FORMAT_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple


def load_index(data):
    # type: (bytes) -> Index
    """Read an index and check all of it: anyone may have written it.

    Raises ArchiveDamaged if a row is impossible, and FormatUnknown for another version.
    """
    index = Index(_read_columns(data))
    check_placeholders(index)
    check_directories(index)
    check_names(index)
    check_places(index)
    check_package_frames(index)
    check_hashes(index)
    remove_write_permissions(index)
    return index


def _read_columns(data):
    # type: (bytes) -> Columns
    end = data.find(b"\n")
    if not data.startswith(HEAD) or end < 0:
        raise ArchiveDamaged("its index has no beginning")
    if data[:end] != HEAD + str(FORMAT_VERSION).encode("ascii"):
        raise FormatUnknown(data[len(HEAD) : end].decode("ascii", "replace"))
    columns = Columns()
    for name, kind in COLUMNS:
        start = end + 1
        end = data.find(b"\n", start)
        title, _, length = data[start:end].partition(b" ")
        if end < 0 or title != name.encode("ascii") or not length.isdigit() or len(length) > 20:
            raise ArchiveDamaged("its index has no column %s" % name)
        start, end = end + 1, end + int(length)
        column = data[start : end + 1]
        if len(column) != int(length):
            raise ArchiveDamaged("its index ends too early")
        if kind == TEXT:
            columns.texts[name] = _read_texts(column)
            columns.raw[name] = column
        else:
            columns.numbers[name] = _read_numbers(column, kind)
    if end + 1 != len(data):
        raise ArchiveDamaged("its index goes on after its end")
    return columns


def _read_texts(data):
    # type: (bytes) -> List[bytes]
    items = data.split(b"\0")
    if items.pop():
        raise ArchiveDamaged("its index has a text without an end")
    return items


def _read_numbers(data, kind):
    # type: (bytes, str) -> Tuple[int, ...]
    size = struct.calcsize("<" + kind)
    if len(data) % size:
        raise ArchiveDamaged("its index has half a number")
    return struct.unpack("<%d%s" % (len(data) // size, kind), data)
