"""The reader of the zip at the end: a file of zipfile is read, and anything unusual is refused."""

import io
import struct
import zipfile
import zlib

import pytest
from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.tail import read_tail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

MEMBERS = [("one", b"1" * 100), ("two/deep", b""), ("three", b"abc" * 1000)]


def make_zip(members, method=zipfile.ZIP_STORED, comment=b""):
    # type: (List[Tuple[str, bytes]], int, bytes) -> bytes
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as tail:
        for name, content in members:
            info = zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40))
            info.compress_type = method
            tail.writestr(info, content)
        tail.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"x" * 1000, b"PK\5\6PK\1\2PK\3\4"])
def test_reads(method, before):
    # type: (int, bytes) -> None
    data = make_zip(MEMBERS, method)
    assert read_tail(io.BytesIO(before + data)) == (dict(MEMBERS), len(data))


def test_no_memory(monkeypatch):
    # type: (Any) -> None
    """zlib says so by a number; the zip is whole."""

    class Decompressor(object):
        def __init__(self, bits):
            # type: (int) -> None
            pass

        def decompress(self, data, size):
            # type: (bytes, int) -> bytes
            raise zlib.error("Error -4 while decompressing data")

    monkeypatch.setattr(zlib, "decompressobj", Decompressor)
    with pytest.raises(MemoryError):
        read_tail(io.BytesIO(make_zip(MEMBERS, zipfile.ZIP_DEFLATED)))


def altered(old, new, count=1):
    # type: (bytes, bytes, int) -> bytes
    """Return a zip of the members with the last occurrences of some bytes replaced."""
    pieces = make_zip(MEMBERS).rsplit(old, count)
    assert len(pieces) == count + 1
    return new.join(pieces)


END = b"PK\5\6\0\0\0\0"
REFUSED = {
    "empty": b"",
    "end alone": END + b"\0" * 13,
    "comment": make_zip(MEMBERS, comment=b"hello"),
    "room for a comment": make_zip(MEMBERS)[:-2] + b"\1\0",
    "byte behind it": make_zip(MEMBERS) + b"x",
    "truncated": make_zip(MEMBERS)[:-1],
    "beginning is gone": make_zip(MEMBERS)[1:],
    "more members than entries": altered(END + struct.pack("<2H", 3, 3), END + struct.pack("<2H", 4, 4)),
    "fewer members than entries": altered(END + struct.pack("<2H", 3, 3), END + struct.pack("<2H", 2, 2)),
    "altered content": altered(b"abcabc", b"abcabd"),
    "altered checksum": altered(struct.pack("<L", zlib.crc32(MEMBERS[0][1]) & 0xFFFFFFFF), b"0000"),
    "altered local mark": altered(b"PK\3\4", b"PK\3\5"),
    "altered entry mark": altered(b"PK\1\2", b"PK\1\3"),
    "name that is not ASCII": altered(b"three", b"thre\xe9"),
    "ZIP64": make_zip(MEMBERS).replace(END + struct.pack("<2H", 3, 3), END + b"\xff" * 4),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_refuses(what):
    # type: (str) -> None
    with pytest.raises(ArchiveDamaged):
        read_tail(io.BytesIO(REFUSED[what]))


def test_refuses_a_name_twice():
    # type: () -> None
    data = make_zip([("one", b"1"), ("two", b"2")]).replace(b"two", b"one")
    with pytest.raises(ArchiveDamaged, match="one twice"):
        read_tail(io.BytesIO(data))


def entry_field(offset, value):
    # type: (int, bytes) -> bytes
    """Return a zip with bytes put over its first directory entry."""
    data = make_zip(MEMBERS)
    place = data.index(b"PK\1\2") + offset
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value"),
    [(8, b"\1\0"), (10, b"\x0c\0"), (20, b"\xff\xff\xff\xff"), (24, b"\x65\0\0\0"), (28, b"\xff\xff"), (42, b"\xff\xff\xff\x7f")],
    ids=["encrypted", "bzip2", "packed size", "size", "length of its name", "offset"],
)
def test_refuses_an_entry(offset, value):
    # type: (int, bytes) -> None
    with pytest.raises(ArchiveDamaged):
        read_tail(io.BytesIO(entry_field(offset, value)))
