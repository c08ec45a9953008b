"""Relocation at offsets found by the builder equals conda's own search and replacement in the same bytes."""

from __future__ import annotations

import pytest
from coex_bootstrap.base.errors import HostUnfit
from coex_bootstrap.format.relocation import ENCODINGS, parse
from coex_bootstrap.format.relocation_write import write_edits
from coex_bootstrap.unpack.relocate import apply
from coex_bootstrap.unpack.shebang import ODD, console_shebang
from conda.core.portability import (
    _PaddingError,
    generate_shebang_for_entry_point,
    replace_long_shebang,
    replace_prefix,
)
from conda.models.enums import FileMode
from hypothesis import example, given
from hypothesis import strategies as st

from conda_coex.archive.placeholders import find_edits

PLACEHOLDER = "/opt/placehold_placehold_placehold"
HOLDER = PLACEHOLDER.encode()
SAME_LENGTH = "/" + "x" * (len(PLACEHOLDER) - 1)

names = st.text("abc/ -_.é", min_size=1, max_size=60)
prefixes = names.map("/{}".format) | st.sampled_from([SAME_LENGTH, "/" + "d" * 200, "/with a blank"])


def strings(ends: str) -> st.SearchStrategy[bytes]:
    """Return strings of one encoding, placeholders in them, each with an end.

    Strings of different encodings never touch: there conda takes one for the other, and damages both.
    """
    part = st.sampled_from([PLACEHOLDER + "/lib", PLACEHOLDER + ":", PLACEHOLDER[:-1], "/bin", "a", " ", "#!"])
    text = st.tuples(st.lists(part, max_size=3).map("".join), st.sampled_from(["", PLACEHOLDER]), st.sampled_from(ends))
    texts = st.lists(text.map("".join), max_size=3).map("".join)
    return st.tuples(texts, st.sampled_from(ENCODINGS)).map(lambda pair: pair[0].encode(pair[1]) + b"\0" * 8)


noise = st.binary(max_size=5) | st.sampled_from([b"\n", b"\0", b"\\ ", HOLDER[:-1], b"/bin/python -I"])
first_lines = [b"", b"#!" + HOLDER + b"/bin/python", b"#! " + HOLDER + b"/x y\n", b"#!/bin/sh " + HOLDER + b"\n"]
rest = st.lists(strings("\n\0 :") | noise, max_size=10).map(b"".join)
text_files = st.tuples(st.sampled_from(first_lines), rest).map(b"".join)
binary_files = st.lists(strings("\0") | noise, max_size=10).map(b"".join)


def relocated(data: bytes, mode: str, prefix: str) -> bytes:
    """Return a file after its way through an archive: edits found at build time, applied at the place of the root."""
    edits = find_edits(data, PLACEHOLDER, mode)
    kind = mode[:1].encode()
    return apply(parse(kind + b":0:" + write_edits(kind, edits), [HOLDER]), data, prefix.encode())


@given(text_files, prefixes)
@example(b"#!" + HOLDER + b"/bin/python -u\n" + HOLDER, "/with a blank")
@example(b"#!" + HOLDER + b"/bin/python -u\n", "/" + "x" * 200)
@example(b"#!" + HOLDER + b"/bin/python", "/with a blank")
@example(b"#!/bin/sh " + HOLDER + b"\n", "/with a blank")
def test_text(data: bytes, prefix: str) -> None:
    replaced = replace_prefix(FileMode.text, data, PLACEHOLDER, prefix)
    try:
        expected = replace_long_shebang(FileMode.text, replaced)
    except (UnicodeDecodeError, ValueError):  # conda cannot link such a file
        return
    found = relocated(data, "text", prefix)
    line = expected.partition(b"\n")[0]
    if line.startswith(b"#!/usr/bin/env ") and len(line.split()) > 2 and expected != replaced:
        # env looks for a program whose name has the options in it: nothing can be started by conda's line
        rest = replaced.partition(b"\n")
        assert found.endswith(rest[1] + rest[2])
        assert found.startswith((b"#!/usr/bin/env -S ", b"#!/bin/sh\n'''exec' "))
        return
    assert found == expected


@given(binary_files, prefixes)
@example(HOLDER + b"/a:" + HOLDER + b"/b\0tail", "/p")
@example("\0".join([PLACEHOLDER, PLACEHOLDER, ""]).encode("utf-16-be"), "/p")
@example("\0".join([PLACEHOLDER, PLACEHOLDER, ""]).encode("utf-32-be"), "/p")
def test_binary(data: bytes, prefix: str) -> None:
    try:
        expected = replace_prefix(FileMode.binary, data, PLACEHOLDER, prefix)
    except _PaddingError:
        with pytest.raises(HostUnfit):
            relocated(data, "binary", prefix)
        return
    assert relocated(data, "binary", prefix) == expected
    assert len(expected) == len(data)


@given(binary_files)
def test_a_binary_at_its_own_placeholder_stays(data: bytes) -> None:
    assert relocated(data, "binary", PLACEHOLDER) == data


@given(prefixes)
def test_console_script(prefix: str) -> None:
    executable = f"{prefix}/bin/python3.11"
    if ODD.search(executable.encode()) and " " in executable:  # sh takes conda's line for another path
        return
    assert console_shebang(executable.encode()) == generate_shebang_for_entry_point(executable).encode()
