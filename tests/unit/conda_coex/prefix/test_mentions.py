"""The places in which a file names its own prefix, and those that can take another path."""

from __future__ import annotations

import pytest
from coex_bootstrap.format.relocation import parse
from coex_bootstrap.format.relocation_write import write_edits
from coex_bootstrap.unpack.relocate import apply

from conda_coex.prefix.mentions import find_prefix, respelled
from conda_coex.root.source import InMemory, Patched
from unit.conda_coex.counted import Counted

PREFIX = "/opt/e"
ELSEWHERE = "/home/me/env"
SHORTER = "/e"


def moved(data: bytes, prefix: str = ELSEWHERE) -> bytes:
    """Return a file as it is on a host."""
    found = find_prefix(data, PREFIX)
    assert found is not None
    kind = found.file_mode[:1].encode()
    relocation = kind + b":0:" + write_edits(kind, found.edits)
    return apply(parse(relocation, [PREFIX.encode()]), data, prefix.encode())


def respell(data: bytes, names: list[str], name: str = PREFIX) -> bytes:
    """Return a text in which all names are one."""
    return Patched(InMemory(data), tuple(respelled(data, names, name))).read()


@pytest.mark.parametrize(
    "text",
    ["{}", "{}/lib", "-L{}/lib -I{}/include", "file://{}/x", "file://localhost{}/x", "PATH={}/bin:{}\n", '"\\n{}/x"',
     "[{}]", "in {}.\n", "{}\n{}"],
)  # fmt: skip
def test_names_the_prefix(text: str) -> None:
    assert moved(text.replace("{}", PREFIX).encode()) == text.replace("{}", ELSEWHERE).encode()


@pytest.mark.parametrize("text", ["{}xtra", "{}.old/lib", "{}-2", "/mnt{}/lib", "../..{}", "$HOME{}", "{}%20x", "{}_x"])
def test_names_another_path(text: str) -> None:
    assert find_prefix(text.replace("{}", PREFIX).encode(), PREFIX) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_wide_text_changes_its_length(encoding: str) -> None:
    text = "root = {}/lib\nü {}\n"
    data = text.replace("{}", PREFIX).encode(encoding)
    assert moved(data).decode(encoding) == text.replace("{}", ELSEWHERE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
def test_c_strings_keep_their_length(encoding: str) -> None:
    zero = "\0".encode(encoding)
    data = b"\x01\x02\xff\xfe\0\0\0\0" + (PREFIX + "/lib").encode(encoding) + zero + b"\x99\x02"
    expected = (SHORTER + "/lib").encode(encoding) + zero
    changed = moved(data, SHORTER)
    assert len(changed) == len(data)
    assert changed[8 : 8 + len(expected)] == expected


@pytest.mark.parametrize("start", [b"\x7fELF\x02", b"!<arch>\n", b"\xca\xfe\xba\xbe\0"])
def test_no_byte_of_an_object_moves(start: bytes) -> None:
    """Also if no NUL ends a string: its length may stand elsewhere, as in a Java class."""
    data = start + b"\0\0\0/opt/extra:/opt/e/lib:/opt/e\x12\0"
    assert moved(data, SHORTER) == start + b"\0\0\0/opt/extra://///e/lib://///e\x12\0"


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02X\x0a\x00\x00\x00/opt/e/libq\x00.",  # pickle, protocol 2
        b"\x80\x04\x95\x0e\0\0\0\0\0\0\0\x8c\x0a/opt/e/lib\x94.",  # pickle, protocol 4
        b"\0\x01\0\x0a/opt/e/lib\0",  # a length of two bytes
        b"\x05\0\0/opt/e/lib\x07\0",  # no string of C: it goes on after its last printable byte
        b"\x05\0\0/opt/e/lib",  # no end
        b"\x03\xf3\r\n\1\0\0\0s\x0c\0\0\0-L/opt/e/libt\x0a\0\0\0",  # Python 2, a length after it that is printable
        b"\1\0\0\0\x2c\0\0\0I have to be longer than 31: see /opt/e/libt\x0a\0\0\0",  # the length is printable, too
        b"\1\0\0\0\x0c\0\0\0-L/opt/e/lib\x0a\0\0\0",  # the string begins before the path
    ],
)
def test_strings_with_a_length_stay(data: bytes) -> None:
    found = find_prefix(data, PREFIX)
    assert found is not None
    assert (found.edits, found.fixed) == ((), 1)


def test_one_spelling_for_a_text() -> None:
    other = "/opt/é"
    text = "{0}/x {1} {0}xtra {1}\n"
    data = text.format(PREFIX, other).encode("utf-16-le")
    assert respell(data, [PREFIX, other]) == text.format(PREFIX, PREFIX).encode("utf-16-le")
    assert respell(b"/opt/%C3%A9/x", ["/opt/%C3%A9"], other) == "/opt/é/x".encode()
    assert respell(b"/opt/e/x /opt/x", [PREFIX, "/opt"]) == b"/opt/e/x /opt/e/x"  # one name is a part of the other


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a text", b"/e/lib:" * 5_000),
        ("strings without an end", b"\x01" + b"/e/lib:" * 5_000),
        ("a string with an end", b"\x01" + b"/e/lib:" * 5_000 + b"\0"),
        ("many strings", b"\x01" + b"/e/lib\0" * 5_000),
        ("long strings", b"\x01" + (b"/e/lib:" * 1_000 + b"\0") * 5),
        ("bytes that are not printable before each", b"\x01/e/lib" * 5_000 + b"\0"),
        ("wide text", ("/e/lib:" * 5_000).encode("utf-16-le")),
        ("wide strings without an end", b"\x01/e\0" + ("/e/lib:" * 5_000).encode("utf-16-le")),
        ("wide strings", b"\x01/e\0" + ("/e/lib:" * 5_000 + "\0").encode("utf-16-be")),
        ("an object", b"\x7fELF\0" + b"/e/lib:" * 5_000),
    ],
)
def test_many_mentions_cost_no_more_than_few(name: str, data: bytes) -> None:
    """The bytes that are looked at for each mention do not grow with their number."""
    counted = Counted(data)
    found = find_prefix(counted, SHORTER)
    assert found is not None, name
    assert found.places >= 5_000
    assert counted.looked_at < 100 * len(data) + 1000 * found.places
