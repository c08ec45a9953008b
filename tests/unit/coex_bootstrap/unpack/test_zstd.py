"""The ladder of zstd decoders: each way that exists here, the frames that each refuses, and the message if there is none."""

import ctypes
import os
import resource
import struct
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import ArchiveDamaged, DecoderMissing
from coex_bootstrap.unpack import zstd

from unit.coex_bootstrap.building import BLOCK, MAGIC, raw_frame, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from coex_bootstrap.unpack.zstd import Decoder

WAYS = ["compression.zstd", "carried", "host", "program"]


def host_library():
    # type: () -> bytes
    """Return the path of a libzstd of this host."""
    for name in ("libzstd.so.1", "libzstd.1.dylib"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        found = [line.split()[-1] for line in read(b"/proc/self/maps").splitlines() if b"libzstd" in line]
        if found:
            return found[0]
    pytest.skip("this host has no libzstd")
    return b""


@pytest.fixture(params=WAYS)
def decoder(request, place):
    # type: (Any, bytes) -> Decoder
    """Return each decoder that this host offers; the others are skipped, and said so."""
    way = request.param
    try:
        if way == "compression.zstd":
            return zstd._standard_library()
        if way == "program":
            return zstd._program("zstd")
        library = host_library()
        if way == "carried":
            library = write(place + b"/libzstd.so", read(library))
        return zstd._library(compat.native(library))
    except (ImportError, OSError) as error:
        pytest.skip("this host has no %s: %s" % (way, error))
        raise


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 3 << 20])
def test_decodes(decoder, size):
    # type: (Decoder, int) -> None
    content = (b"0123456789abcde" * (size // 15 + 1))[:size]
    assert bytes(bytearray(decoder(raw_frame(content), size))) == content


def test_decodes_one_after_the_other(decoder):
    # type: (Decoder) -> None
    for content in (b"a" * 100, b"b", b"c" * (2 << 20), b"d"):
        assert bytes(bytearray(decoder(raw_frame(content), len(content)))) == content


DAMAGED = {
    "no magic": b"x" + raw_frame(b"hello")[1:],
    "truncated": raw_frame(b"hello")[:-1],
    "half": raw_frame(b"hello" * 100)[:40],
    "empty": b"",
    "more behind it": raw_frame(b"hello") + b"x",
    "other size in its header": raw_frame(b"hello").replace(struct.pack("<I", 5), struct.pack("<I", 6), 1),
    "larger than its size": raw_frame(b"hello!"),
    "smaller than its size": raw_frame(b"hell"),
    "reserved block": raw_frame(b"hello").replace(b"\x29\0\0", b"\x2f\0\0"),
}


@pytest.mark.parametrize("damage", sorted(DAMAGED))
def test_refuses(decoder, damage):
    # type: (Decoder, str) -> None
    with pytest.raises(ArchiveDamaged) as caught:
        decoder(DAMAGED[damage], 5)
    assert "\n" not in str(caught.value)
    assert bytes(bytearray(decoder(raw_frame(b"hello"), 5))) == b"hello"


def rle_frame(size, checksum=False):
    # type: (int, bool) -> bytes
    """Return a frame of four bytes for each 128 KiB of its content."""
    pieces = [MAGIC + (b"\xa4" if checksum else b"\xa0"), struct.pack("<I", size)]
    for start in range(0, size, BLOCK):
        length = min(BLOCK, size - start)
        pieces += [struct.pack("<I", int(start + length == size) | 1 << 1 | length << 3)[:3], b"x"]
    return b"".join(pieces)


def test_takes_no_more_than_the_index_says(decoder):
    # type: (Decoder) -> None
    """A frame that expands without end: neither the memory nor the time of its content is spent."""
    assert bytes(bytearray(decoder(rle_frame(3 * BLOCK), 3 * BLOCK))) == b"x" * 3 * BLOCK
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for size in (1 << 27, 1 << 30):
        with pytest.raises(ArchiveDamaged) as caught:
            decoder(rle_frame(size), BLOCK)
        assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_checksum_is_looked_at(decoder):
    # type: (Decoder) -> None
    for end in (b"", b"1", b"1234", b"12345"):
        with pytest.raises(ArchiveDamaged):
            decoder(rle_frame(BLOCK, checksum=True) + end, BLOCK)


def hide(monkeypatch, place):
    # type: (Any, bytes) -> None
    """Let this host have no zstd at all."""
    monkeypatch.setattr(zstd, "HOST_LIBRARIES", ("libnothere.so.1",))
    monkeypatch.setenv("PATH", compat.native(place))
    monkeypatch.setitem(sys.modules, "compression", None)


def test_none(monkeypatch, place):
    # type: (Any, bytes) -> None
    hide(monkeypatch, place)
    broken = write(place + b"/libzstd.so", b"\x7fELF broken")
    with pytest.raises(DecoderMissing) as caught:
        zstd.open_decoder(broken)
    text = str(caught.value)
    assert "\n" not in text
    named = ["compression.zstd (", "the libzstd in the archive (", "libnothere.so.1 (", "the program zstd (", "install zstd"]
    assert [word for word in named if word not in text] == []


def test_a_python_without_ctypes(monkeypatch, place):
    # type: (Any, bytes) -> None
    """It says once that it can load no library."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    hide(monkeypatch, place)
    with pytest.raises(DecoderMissing) as caught:
        zstd.open_decoder(write(place + b"/libzstd.so", read(host_library())))
    text = str(caught.value)
    assert "\n" not in text
    assert text.count("ctypes") == 2
    assert "libnothere" not in text
    assert text.endswith("; install zstd on this host, or name a Python that has ctypes in COEX_PYTHON")


def test_carried_library_comes_before_the_hosts(monkeypatch, place):
    # type: (Any, bytes) -> None
    carried = write(place + b"/libzstd.so", read(host_library()))
    hide(monkeypatch, place)
    assert bytes(bytearray(zstd.open_decoder(carried)(raw_frame(b"x"), 1))) == b"x"
    with pytest.raises(DecoderMissing):
        zstd.open_decoder(None)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n"], ids=["empty", "broken", "text"])
def test_carried_library_that_cannot_be_loaded(place, content):
    # type: (bytes, bytes) -> None
    host_library()
    decoder = zstd.open_decoder(write(place + b"/libzstd.so", content))
    assert bytes(bytearray(decoder(raw_frame(b"x"), 1))) == b"x"


def test_program_where_no_library_is(monkeypatch, place):
    # type: (Any, bytes) -> None
    found = [directory for directory in os.environ["PATH"].split(":") if os.path.exists(directory + "/zstd")]
    if not found:
        pytest.skip("this host has no program zstd")
    hide(monkeypatch, place)
    monkeypatch.setenv("PATH", found[0])
    assert zstd.open_decoder(None)(raw_frame(b"x"), 1) == b"x"
