"""Relocation piece by piece gives the same bytes as the relocation of a whole file."""

import random

import pytest
from coex_bootstrap.base.errors import ArchiveDamaged, HostUnfit
from coex_bootstrap.format.relocation import ENCODINGS, in_binary, in_text, of_script
from coex_bootstrap.unpack.relocate import apply
from coex_bootstrap.unpack.relocate_pieces import Relocating
from coex_bootstrap.unpack.shebang import ShebangInPieces, shorten_shebang

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Tuple

    from coex_bootstrap.format.relocation import Relocation

OLD = u"/opt/placehold_placehold"
PREFIXES = [u"/p", u"/with a blank", OLD, u"/longer/than/the/placeholder/that/it/replaces", u"/w\xf6rk"]
FITTING = [prefix for prefix in PREFIXES if len(prefix) <= len(OLD)]
BYTES = [b"\0", b"a", b"/", b"\n", b"#", b"!", b" ", b"\xc3", b"/opt/", b"placehold"]


def cut(data, drawn):
    # type: (bytes, random.Random) -> List[bytes]
    """Return data in pieces of random sizes, some of them empty."""
    pieces = []
    while data:
        size = drawn.choice([0, 1, 2, 5, 30, 200])
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def in_pieces(relocation, pieces, prefix):
    # type: (Relocation, List[bytes], bytes) -> bytes
    relocating = Relocating(relocation, sum(map(len, pieces)), prefix)
    parts = [relocating.feed(piece) for piece in pieces] + [relocating.finish()]
    return b"".join(memoryview(part).tobytes() for group in parts for part in group)


def noise(drawn, count):
    # type: (random.Random, int) -> bytes
    return b"".join(drawn.choice(BYTES) for _ in range(drawn.randint(0, count)))


def text(drawn, prefix):
    # type: (random.Random, str) -> Tuple[Relocation, bytes, bytes]
    """Return a relocation, a text, and the same text as a search would relocate it."""
    old, new, edits = b"", b"", {}  # type: bytes, bytes, Dict[int, List[Any]]
    for _ in range(drawn.randint(0, 8)):
        plain, encoding = noise(drawn, 40), drawn.randrange(len(ENCODINGS))
        old, new = old + plain, new + plain
        is_escaped = drawn.random() < 0.2
        edits.setdefault(encoding, []).append((len(old), int(is_escaped)))
        old += OLD.encode(ENCODINGS[encoding])
        new += (prefix.replace(u" ", u"\\ ") if is_escaped else prefix).encode(ENCODINGS[encoding])
    rest = noise(drawn, 300)
    items = tuple((encoding, tuple(items)) for encoding, items in edits.items())
    return in_text(OLD, items), old + rest, shorten_shebang(new + rest)


def binary(drawn, prefix):
    # type: (random.Random, str) -> Tuple[Relocation, bytes, bytes]
    """Return a relocation, a binary, and the same binary as a search would relocate it; strings may share a NUL."""
    old, new, edits = b"", b"", {}  # type: bytes, bytes, Dict[int, List[Any]]
    for _ in range(drawn.randint(0, 6)):
        encoding = drawn.randrange(len(ENCODINGS))
        name = ENCODINGS[encoding]
        zeros = u"\0".encode(name)
        if drawn.random() < 0.5:
            plain = noise(drawn, 40)
            old, new = old + plain, new + plain
        start, offsets, moved = len(old), [], b""
        for _ in range(drawn.randint(1, 3)):
            offsets.append(len(old))
            between = (u"/x" * drawn.randint(0, 20)).encode(name)
            old += OLD.encode(name) + between
            moved += prefix.encode(name) + between
        old += zeros
        new += moved.ljust(len(old) - start, b"\0")
        edits.setdefault(encoding, []).append(tuple(offsets + [len(old)]))
    rest = noise(drawn, 300)
    items = tuple((encoding, tuple(items)) for encoding, items in edits.items())
    return in_binary(OLD, items), old + rest, new + rest


@pytest.mark.parametrize(("make", "prefixes"), [(text, PREFIXES), (binary, FITTING)])
@pytest.mark.parametrize("seed", range(200))
def test_random_files(make, prefixes, seed):
    # type: (Any, List[str], int) -> None
    drawn = random.Random(seed)
    prefix = drawn.choice(prefixes)
    if make is binary and any(len(prefix.encode(name)) > len(OLD.encode(name)) for name in ENCODINGS):
        prefix = u"/p"
    relocation, old, expected = make(drawn, prefix)
    assert apply(relocation, old, prefix.encode("utf-8")) == expected
    assert in_pieces(relocation, cut(old, drawn), prefix.encode("utf-8")) == expected


@pytest.mark.parametrize("encoding", [2, 4])
def test_a_string_that_begins_with_the_last_nul_of_another(encoding):
    # type: (int) -> None
    """Big-endian text begins with a NUL byte."""
    name = ENCODINGS[encoding]
    first, second = OLD.encode("utf-8") + b"/a", (OLD + u"/b\0").encode(name)
    start = len(first)
    items = ((0, ((0, start + 1),)), (encoding, ((start, start + len(second)),)))
    expected = b"/p/a".ljust(start, b"\0") + u"/p/b\0".encode(name).ljust(len(second), b"\0")
    for pieces in ([first + second], [first, second], [first + second[:1], second[1:]]):
        assert in_pieces(in_binary(OLD, items), pieces, b"/p") == expected
    assert apply(in_binary(OLD, items), first + second, b"/p") == expected


@pytest.mark.parametrize("prefix", [b"/p", b"/a b", b"/" + b"d" * 600])
def test_console_script(prefix):
    # type: (bytes) -> None
    relocation = of_script(b"bin/python")
    for pieces in ([], [b""], [b"co", b"de\n"]):  # type: List[bytes]
        assert in_pieces(relocation, pieces, prefix) == apply(relocation, b"".join(pieces), prefix)


@pytest.mark.parametrize("items", [((1,),), ((0,), (0,)), ((30,),), ((90,),), ((0, 20),), ((0, 99),)])
def test_changes_that_do_not_fit(items):
    # type: (Tuple[Tuple[int, ...], ...]) -> None
    data = OLD.encode("utf-8") + b"/a\0" + b"x" * 10
    with pytest.raises(ArchiveDamaged):
        in_pieces(in_binary(OLD, ((0, items),)), [data[:12], data[12:]], b"/p")


def test_a_file_that_ends_before_its_last_change():
    # type: () -> None
    relocating = Relocating(in_text(OLD, ((0, ((0, 0),)),)), len(OLD), b"/p")
    assert not any(map(len, relocating.feed(OLD.encode("utf-8")[:-1])))
    with pytest.raises(ArchiveDamaged):
        relocating.finish()


def test_plain_bytes_are_not_copied():
    # type: () -> None
    frame = bytearray(b"a" * 10 + OLD.encode("utf-8") + b"\0" + b"b" * 10)
    parts = Relocating(in_binary(OLD, ((0, ((10,),)),)), len(frame), b"/p").feed(memoryview(frame))
    frame[0:1], frame[-1:] = b"A", b"B"
    assert memoryview(parts[0]).tobytes() == b"A" + b"a" * 9
    assert memoryview(parts[-1]).tobytes() == b"\0" + b"b" * 9 + b"B"


def test_a_prefix_that_is_too_long():
    # type: () -> None
    with pytest.raises(HostUnfit):
        Relocating(in_binary(OLD, ((0, ((0, 25),)),)), 25, OLD.encode("utf-8") + b"x")


LINES = [
    b"#!/a\\ b/python3.11 -u -s\n", b"#!/a\\ b/python -u\n", b"#!/a\\ b/python\n", b"#!/a\\ b/perl -w\n", b"#!/bin/sh\n",
    b"#!/" + b"d" * 600 + b"/python\n", b"#!/" + b"d" * 600 + b"/python -u", b"#!", b"#!relative\\ x\n", b"", b"#", b"text\n",
]
BODIES = [b"'x'\n", b"\n", b"# c\n", b"# coding: x\n", b" \t", b"ur\"x\"\n", b"code\n", b"x", b"#", b"\r\n", b"#!/a\\ b/python\n"]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("seed", range(40))
def test_first_lines(line, seed):
    # type: (bytes, int) -> None
    drawn = random.Random(seed)
    data = line + b"".join(drawn.choice(BODIES) for _ in range(drawn.randint(0, 12)))
    assert shebang_in_pieces(cut(data, drawn)) == shorten_shebang(data)


def shebang_in_pieces(pieces):
    # type: (Iterable[bytes]) -> bytes
    shebang = ShebangInPieces()
    return b"".join([shebang.feed(piece) for piece in pieces] + [shebang.finish()])


def test_the_beginning_of_a_long_text_is_enough():
    # type: () -> None
    """Only the first lines wait for each other; later bytes are handed on at once."""
    for line in LINES[:6]:
        shebang = ShebangInPieces()
        first = shebang.feed(line + b"code\n" * 1000)
        assert len(first) > 4000
        assert shebang.feed(b"x" * 10000)
