"""Relocation at known offsets: every kind, every encoding, the rules of #! lines."""

import hashlib

import pytest
from coex_bootstrap.base.errors import ArchiveDamaged, HostUnfit
from coex_bootstrap.format.relocation import ENCODINGS, parse, parse_slots, parse_source
from coex_bootstrap.format.relocation_write import write
from coex_bootstrap.unpack.relocate import apply
from coex_bootstrap.unpack.source_hash import hash_content
from coex_bootstrap.unpack.shebang import LIMIT, console_shebang, shorten_shebang

OLD = b"/opt/placehold"
PREFIXES = [b"/p", b"/with a blank", OLD, b"/longer/than/the/placeholder", b"/w\xc3\xb6rk"]
FITTING = [prefix for prefix in PREFIXES if len(prefix) <= len(OLD)]


def relocate(text, data, prefix):
    # type: (bytes, bytes, bytes) -> bytes
    relocation, placeholders = parse(text, [b"/never", OLD]), ["/never", OLD.decode("ascii")]
    assert write(relocation, placeholders) == text
    return apply(relocation, data, prefix)


def edits(*rows):
    # type: (*bytes) -> bytes
    return b"/".join(rows)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_text(prefix):
    # type: (bytes) -> None
    data = OLD + b"/bin:" + OLD + b"\nx" + OLD
    assert relocate(b"t:1:0=0+19+35", data, prefix) == prefix + b"/bin:" + prefix + b"\nx" + prefix


@pytest.mark.parametrize("encoding", range(len(ENCODINGS)))
@pytest.mark.parametrize("prefix", PREFIXES)
def test_text_in_each_encoding(encoding, prefix):
    # type: (int, bytes) -> None
    def encode(text):
        # type: (bytes) -> bytes
        return text.decode("utf-8").encode(ENCODINGS[encoding])

    item = "t:1:%d=%d" % (encoding, len(encode(b"ab")))
    assert relocate(item.encode("ascii"), encode(b"ab" + OLD + b"c"), prefix) == encode(b"ab" + prefix + b"c")


def test_text_with_two_encodings():
    # type: () -> None
    wide = OLD.decode("ascii").encode("utf-16-le")
    data = wide + OLD + wide
    text = edits(b"t:1:0=28", b"1=0+42")
    assert relocate(text, data, b"/p") == b"/\0p\0" + b"/p" + b"/\0p\0"


@pytest.mark.parametrize("encoding", range(1, len(ENCODINGS)))
def test_wide_encodings_need_a_place_in_utf8(encoding):
    # type: (int) -> None
    item = ("b:1:%d=0.60" % encoding).encode("ascii")
    with pytest.raises(HostUnfit):
        relocate(item, OLD.decode("ascii").encode(ENCODINGS[encoding]) + b"\0" * 4, b"/\xff")


def test_a_place_that_is_not_utf8():
    # type: () -> None
    assert relocate(b"t:1:0=1", b"x" + OLD, b"/\xff") == b"x/\xff"


@pytest.mark.parametrize("prefix", FITTING)
def test_binary_keeps_its_length(prefix):
    # type: (bytes) -> None
    data = b"\x7fELF\0" + OLD + b"/lib\0rest"
    padding = b"\0" * (len(OLD) - len(prefix))
    assert relocate(b"b:1:0=5.24", data, prefix) == b"\x7fELF\0" + prefix + b"/lib\0" + padding + b"rest"


def test_binary_string_with_two_occurrences():
    # type: () -> None
    data = b"\0" + OLD + b"/a:" + OLD + b"/b\0tail"
    padding = b"\0" * (2 * (len(OLD) - 2))
    assert relocate(b"b:1:0=1.18.35", data, b"/p") == b"\0/p/a:/p/b\0" + padding + b"tail"


@pytest.mark.parametrize("encoding", range(len(ENCODINGS)))
@pytest.mark.parametrize("prefix", FITTING)
def test_path_of_a_binary_keeps_its_length(prefix, encoding):
    # type: (bytes, int) -> None
    """Bytes that are read by their length, or from the middle on, are as they were; the path means the same."""
    def encode(text):
        # type: (bytes) -> bytes
        return text.decode("utf-8").encode(ENCODINGS[encoding])

    first, last = encode(b"ab"), encode(b"/lib") + b"xyz"
    text = ("b:1:%d=%d" % (encoding, len(first))).encode("ascii")
    data = relocate(text, first + encode(OLD) + last, prefix)
    assert (len(data), data.startswith(first), data.endswith(last)) == (len(first + encode(OLD) + last), True, True)
    path = data[len(first) : -len(last)].decode(ENCODINGS[encoding]).encode("utf-8")
    assert b"/".join(part for part in path.split(b"/") if part) == prefix[1:]
    assert path.startswith(b"/") and not path.endswith(b"/")


def test_binary_with_two_strings():
    # type: () -> None
    data = OLD + b"\0" + OLD + b"x\0"
    padding = b"\0" * (len(OLD) - 2)
    assert relocate(b"b:1:0=0.15+15.31", data, b"/p") == b"/p\0" + padding + b"/px\0" + padding


@pytest.mark.parametrize("encoding", range(len(ENCODINGS)))
@pytest.mark.parametrize("prefix", FITTING)
def test_binary_in_each_encoding(encoding, prefix):
    # type: (int, bytes) -> None
    def encode(text):
        # type: (bytes) -> bytes
        return text.decode("utf-8").encode(ENCODINGS[encoding])

    data = encode(b"a\0") + encode(OLD + b"/lib\0") + encode(b"z")
    first, last = len(encode(b"a\0")), len(encode(b"a\0" + OLD + b"/lib\0"))
    item = ("b:1:%d=%d.%d" % (encoding, first, last)).encode("ascii")
    padding = b"\0" * (len(encode(OLD)) - len(encode(prefix)))
    assert relocate(item, data, prefix) == encode(b"a\0") + encode(prefix + b"/lib\0") + padding + encode(b"z")


@pytest.mark.parametrize(("prefix", "fits"), [(OLD, True), (OLD + b"x", False)], ids=["same length", "one byte more"])
def test_binary_has_no_room_for_a_longer_prefix(prefix, fits):
    # type: (bytes, bool) -> None
    if fits:
        assert relocate(b"b:1:0=0.15", OLD + b"\0", prefix) == prefix + b"\0"
        return
    with pytest.raises(HostUnfit) as caught:
        relocate(b"b:1:0=0.15", OLD + b"\0", prefix)
    assert "15 bytes, a package allows 14" in str(caught.value)
    assert "COEX_ROOT" in str(caught.value)


def test_binary_too_long_only_in_wide_characters():
    # type: () -> None
    data = OLD.decode("ascii").encode("utf-16-le") + b"\0\0"
    with pytest.raises(HostUnfit):
        relocate(b"b:1:1=0.30", data, OLD + b"x")


def test_nothing_to_replace():
    # type: () -> None
    assert relocate(b"t:1:", b"text", b"/p") == b"text"
    assert relocate(b"b:1:", b"data\0", b"/p") == b"data\0"


def test_shebang_is_escaped_then_goes_through_env():
    # type: () -> None
    data = b"#!" + OLD + b"/bin/python -I\n" + OLD + b"\n"
    assert relocate(b"t:1:0=2!+31", data, b"/p") == b"#!/p/bin/python -I\n/p\n"
    by_sh = b"#!/bin/sh\n'''exec' \"/a b/bin/python\" -I \"$0\" \"$@\" #'''"
    assert relocate(b"t:1:0=2!+31", data, b"/a b") == by_sh + b"\n/a b\n"


def test_shebang_of_another_kind_of_line_is_not_escaped():
    # type: () -> None
    data = b"#! /bin/sh " + OLD + b"\n"
    assert relocate(b"t:1:0=11", data, b"/a b") == b"#! /bin/sh /a b\n"


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1])
def test_shebang_at_the_limit(length):
    # type: (int) -> None
    line = b"#!/" + b"d" * (length - len(b"#!//python")) + b"/python"
    assert len(line) == length
    expected = line if length <= LIMIT else b"#!/usr/bin/env python"
    assert shorten_shebang(line + b"\nprint()\n") == expected + b"\nprint()\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"#!/bin/sh\n", b"#!/bin/sh\n"),
        (b"text\n#!/a\\ b/c\n", b"text\n#!/a\\ b/c\n"),
        (b"#!relative\\ x/y\n", b"#!relative\\ x/y\n"),
        (
            b"#!/a\\ b/python3.11 -u -s\ncode",
            b"#!/bin/sh\n'''exec' \"/a b/python3.11\" -u -s \"$0\" \"$@\" #'''\ncode",
        ),
        (b"#!/a\\ b/python -u\n'x'\n", b"#!/usr/bin/env -S python -u\n'x'\n"),
        (b"#!/a\\ b/python -u\n\n# c\n\nur\"x\"\n", b"#!/usr/bin/env -S python -u\n\n# c\n\nur\"x\"\n"),
        (b"#!/a\\ b/python -u\n# coding: x\n", b"#!/usr/bin/env -S python -u\n# coding: x\n"),
        (b"#!/a\\ $b/python -u\nx\n", b"#!/usr/bin/env -S python -u\nx\n"),
        (b"#!/a\\ \xc3\xa9/python -u\nx\n", b"#!/usr/bin/env -S python -u\nx\n"),
        (b"#!/a\\ b/perl -w -T\n#!/a\\ b/perl -w -T\n", b"#!/usr/bin/env -S perl -w -T\n#!/a\\ b/perl -w -T\n"),
        (b"#!/a\\ b/Rscript --vanilla\r\n", b"#!/usr/bin/env -S Rscript --vanilla\n"),
        (b"#!/a\\ b/perl -I '\\$x\n", b"#!/usr/bin/env -S perl '-I \\'\\\\$x'\n"),
        (b"#!/a\\ b/python\r\n", b"#!/usr/bin/env python\r\n"),
        (b"#! /a\\ b/perl\n", b"#!/usr/bin/env perl\n"),
        (b"#!/b/pro\\ gram\n", b"#!/b/pro\\ gram\n"),
        (b"#!/a\\ b/c", b"#!/usr/bin/env c"),
        (b"", b""),
        (b"#!", b"#!"),
    ],
)
def test_shorten_shebang(data, expected):
    # type: (bytes, bytes) -> None
    assert shorten_shebang(data) == expected


def test_console_script():
    # type: () -> None
    assert relocate(b"e:bin/python3.11", b"code\n", b"/p") == b"#!/p/bin/python3.11\ncode\n"


def test_console_script_of_a_long_or_blank_prefix():
    # type: () -> None
    long = b"/" + b"d" * LIMIT
    for prefix in (long, b"/a b"):
        line = b"#!/bin/sh\n'''exec' \"" + prefix + b"/bin/python\" \"$0\" \"$@\" #'''\n"
        assert relocate(b"e:bin/python", b"code\n", prefix) == line + b"code\n"


@pytest.mark.parametrize("name", [b'"', b"$x", b"`x`", b"\\", b"'''"])
def test_console_script_of_a_prefix_that_is_not_itself_in_quotation_marks(name):
    # type: (bytes) -> None
    assert relocate(b"e:bin/python3.11", b"code\n", b"/a b/" + name) == b"#!/usr/bin/env python3.11\ncode\n"
    assert relocate(b"e:bin/python3.11", b"code\n", b"/a/" + name) == b"#!/a/" + name + b"/bin/python3.11\ncode\n"


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1])
def test_console_script_at_the_limit(length):
    # type: (int) -> None
    executable = b"/" + b"x" * (length - len(b"#!/\n"))
    assert console_shebang(executable).startswith(b"#!/bin/sh") is (length > LIMIT)


MISPLACED = [
    b"", b"q:1", b"t", b"t:2:0=0", b"t:-1:0=0", b"t:x:0=0", b"t:1:9=0", b"t:1:-1=0", b"t:1:0=", b"t:1:0=x", b"t:1:0=1",
    b"t:1:0=0+0", b"t:1:0=-14", b"t:1:0=0+14", b"t:1:0=99999999999999999999999", b"t:1:0=0!!", b"t:1:0", b"t:1:0=0//",
    b"b:1:0=1", b"b:1:0=9", b"b:1:0=0.", b"b:1:0=14.0", b"b:1:0=0.21", b"b:1:0=1.20", b"b:1:0=0.0.20", b"b:1:0=0.5.20",
    b"b:1:0=0.99999999999", b"b:1:0=0.10", b"b:1:0=-20.20", b"e", b"e:", b"e:x\ny", b"h:0@0",
]


@pytest.mark.parametrize("text", MISPLACED, ids=repr)
def test_relocation_of_a_missing_file(text):
    # type: (bytes) -> None
    with pytest.raises(ArchiveDamaged):
        relocate(text, OLD + b"/bin\0\0", b"/p")


@pytest.mark.parametrize("text", [b"h", b"h:", b"h:1", b"h:x@1", b"h:1@-1", b"h:1@2@3", b"h:1@1,"], ids=repr)
def test_slots_that_are_none(text):
    # type: (bytes) -> None
    assert parse_slots(b"h:1@2,3@4") == [(1, 2), (3, 4)]
    assert parse_slots(b"h:1@2,0.5.30;t:0:0=1+2!@4,7.8.9;-@0") == [(1, 2), ((0, 5, 30, b"t:0:0=1+2!"), 4), ((7, 8, 9, b"-"), 0)]
    with pytest.raises(ArchiveDamaged):
        parse_slots(text)


def test_hash_of_a_content_that_is_not_a_file():
    # type: () -> None
    frames = [b"ab/old/lib", b"cd", b""]

    def known(text):
        # type: (bytes) -> bytes
        source = parse_source(text)
        assert not isinstance(source, int)
        return hash_content(source, frames.__getitem__, [b"/old"], b"/new/place")

    for text, content in {
        b"0.1.3;-": b"b/o", b"0.8.4;-": b"ibcd", b"9.9.0;-": b"", b"0.0.10;t:0:0=2": b"ab/new/place/lib",
    }.items():
        assert known(text) == hashlib.sha256(content).hexdigest().encode("ascii")
    for text in (b"0.0.13;-", b"1.0.3;-", b"3.0.1;-", b"0.0.10;t:0:0=3", b"0.0.10;t:1:0=2", b"0.0.10;h:1@2", b"0.0.1;"):
        with pytest.raises(ArchiveDamaged):
            known(text)
    for text in (b"0.1;-", b"0.1.2.3;-", b";-", b"-1.0.1;-", b"0.x.1;-"):
        with pytest.raises(ArchiveDamaged):
            parse_slots(b"h:" + text + b"@0")
