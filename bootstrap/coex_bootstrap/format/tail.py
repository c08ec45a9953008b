"""Read the zip at the end of an archive, and refuse every zip that builders do not write.

They write no comment, no ZIP64 and no encryption; members are stored or deflated, offsets count from the start of the
zip. The imports of zipfile would cost the first start some 10 ms.
"""

import os
import struct
import zlib

from ..base.compat import read_from
from ..base.errors import ArchiveDamaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Dict, Tuple

# .ZIP File Format Specification (APPNOTE) 4.3.16, 4.3.12, 4.3.7
END = struct.Struct("<4s4H2LH")
ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
NO_MEMORY = "Error -4 "  # of zlib, Z_MEM_ERROR
LIMIT = 1 << 28  # bytes of all members: an index takes some 60 for each file


def read_tail(stream):
    # type: (BinaryIO) -> Tuple[Dict[str, bytes], int]
    """Return the members of the zip at the end of `stream`, and its size in bytes; raises ArchiveDamaged."""
    try:
        return _read(stream)
    except (struct.error, zlib.error, UnicodeError) as error:
        if str(error).startswith(NO_MEMORY):
            raise MemoryError()
        raise ArchiveDamaged("its last bytes are not a zip: %s" % error)


def _read(stream):
    # type: (BinaryIO) -> Tuple[Dict[str, bytes], int]
    stream.seek(0, os.SEEK_END)
    size = stream.tell()
    if size < END.size:
        raise ArchiveDamaged("its last bytes are not a zip: it has no end")
    mark, _, _, _, count, length, offset, comment = END.unpack(read_from(stream, size - END.size, END.size))
    whole = offset + length + END.size
    if mark != b"PK\5\6" or comment or whole > size:
        raise ArchiveDamaged("its last bytes are not a zip: it has no end")
    data = read_from(stream, size - whole, offset + length)
    members = {}  # type: Dict[str, bytes]
    place, left = offset, LIMIT
    for _ in range(count):
        name, content, place = _member(data, place, left)
        left -= len(content)
        if name in members:
            raise ArchiveDamaged("its last bytes name %s twice" % name)
        members[name] = content
    if place != len(data):
        raise ArchiveDamaged("its last bytes are not a zip: a directory of another size")
    return members, whole


def _member(data, place, limit):
    # type: (bytes, int, int) -> Tuple[str, bytes, int]
    """Return name and content of the member whose directory entry is at `place`, and where the next entry is."""
    entry = ENTRY.unpack_from(data, place)
    mark, flags, method, crc, packed, size = entry[0], entry[3], entry[4], entry[7], entry[8], entry[9]
    name_length, more, start = entry[10], entry[11] + entry[12], entry[16]
    name = data[place + ENTRY.size : place + ENTRY.size + name_length].decode("ascii")
    local = LOCAL.unpack_from(data, start)
    first = start + LOCAL.size + local[9] + local[10]
    content = data[first : first + packed]
    if mark != b"PK\1\2" or local[0] != b"PK\3\4" or flags & 1 or len(content) != packed:
        raise ArchiveDamaged("its last bytes are not a zip: %s" % name)
    if size > limit:
        raise ArchiveDamaged("its member %s is too large" % name)
    if method == DEFLATED:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
    elif method != STORED:
        raise ArchiveDamaged("its member %s has an unknown compression" % name)
    if len(content) != size or zlib.crc32(content) & 0xFFFFFFFF != crc:
        raise ArchiveDamaged("its member %s was altered" % name)
    return str(name), content, place + ENTRY.size + name_length + more
