"""A file of a live prefix, as it is read: console scripts of every installer, and texts with several spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.prefix.live_file import read_live
from conda_coex.prefix.unmanaged import names_of

if TYPE_CHECKING:
    from pathlib import Path

REST = "# -*- coding: utf-8 -*-\nimport tool\n"


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("#!{}/bin/python3.11\n", id="short"),
        pytest.param("#!/bin/sh\n'''exec' {}/bin/python3.11 \"$0\" \"$@\"\n' '''\n", id="pip, long"),
        pytest.param("#!/bin/sh\n'''exec' \"{}/bin/python3.11\" \"$0\" \"$@\"\n' '''\n", id="pip, with blanks"),
        pytest.param("#!/bin/sh\n'''exec' '{}/bin/python3.11' \"$0\" \"$@\"\n' '''\n", id="uv"),
        pytest.param("#!/bin/sh\n'''exec' \"{}/bin/python3.11\" \"$0\" \"$@\" #'''\n", id="conda"),
    ],
)
@pytest.mark.parametrize("name", ["env", "my env"])
def test_console_script(tmp_path: Path, start: str, name: str) -> None:
    script = tmp_path / name / "bin/tool"
    script.parent.mkdir(parents=True)
    script.write_text(start.replace("{}", str(tmp_path / name)) + REST)
    reading = read_live(script, "prefix/bin/tool", names_of(tmp_path / name))
    assert reading is not None
    assert (reading.content.python, reading.content.read()) == ("bin/python3.11", REST.encode())
    script.write_text(start.replace("{}", str(tmp_path / "another")) + REST)
    reading = read_live(script, "prefix/bin/tool", names_of(tmp_path / name))
    assert reading is not None
    assert (reading.content.python, reading.content.edits) == (None, None)


@pytest.mark.parametrize(
    ("place", "python"),
    [("venv/bin/tool", "venv/bin/python"), ("a b/bin/tool", "a b/bin/python3"), ("lib/tool", None)],
)
def test_console_script_of_a_virtual_environment(tmp_path: Path, place: str, python: str | None) -> None:
    """Its own Python runs it also if its place on the host has blanks, or is too long for a #! line."""
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(f"#!/bin/sh\n'''exec' \"{tmp_path}/{python or 'bin/python'}\" \"$0\" \"$@\" #'''\n{REST}")
    reading = read_live(file, f"prefix/{place}", (str(tmp_path),))
    assert reading is not None
    assert reading.content.python == python


def test_every_spelling_becomes_the_first(tmp_path: Path) -> None:
    prefix, link = tmp_path / "my énv", tmp_path / "link"
    prefix.mkdir()
    link.symlink_to(prefix)
    text = f"{prefix.as_uri()}/a {link}/b {prefix}/c {tmp_path}/my%20%c3%a9nv/d {tmp_path}/my \\u00e9nv/e\n"
    (prefix / "x").write_text(text)
    reading = read_live(prefix / "x", "prefix/x", names_of(link))
    assert reading is not None
    content = reading.content
    assert content.read() == f"file://{link}/a {link}/b {link}/c {link}/d {link}/e\n".encode()
    assert (content.placeholder, content.file_mode, reading.fixed) == (str(link), "text", 0)
    assert content.edits is not None
    assert [len(items) for _, items in content.edits] == [5]


def test_binary_keeps_one_spelling(tmp_path: Path) -> None:
    prefix, link = tmp_path / "prefix", tmp_path / "link"
    prefix.mkdir()
    link.symlink_to(prefix)
    (prefix / "x").write_bytes(b"\x7fELF\1\2\0" + f"{prefix}/a\0{link}/b\0{prefix}/c\0".encode())
    reading = read_live(prefix / "x", "prefix/x", names_of(link))
    assert reading is not None
    assert (reading.content.placeholder, reading.fixed) == (str(prefix), 1)
