"""Needs of unmanaged files that only the builder's machine meets are found; things that every host has are not."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conda_coex.prefix import builder_paths
from conda_coex.prefix.builder_paths import (
    files_outside,
    first_outside,
    missing_libraries,
    privileged,
    variables_outside,
)
from conda_coex.root.content import Content
from conda_coex.root.source import OnDisk

if TYPE_CHECKING:
    from pathlib import Path


def content(path: Path, target: str) -> Content:
    return Content(f"prefix/{target}", 0o755, 0, OnDisk(path), path.stat().st_size)


@pytest.mark.parametrize("text", ["#!{}\n", "export DATA={}:/x\n", '{{"argv": ["{}"]}}', "a = '{}'", "-L {}/"])
def test_names_a_file_outside(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").mkdir()
    place = tmp_path / "data"
    place.mkdir()
    script = tmp_path / "env/x"
    script.write_text(text.format(place))
    names = [str(tmp_path / "env")]
    monkeypatch.setattr(builder_paths, "SYSTEM", re.compile("/(usr|etc|dev)/"))  # where temporary files may be
    found = files_outside([content(script, "etc/x"), content(script, "lib/x")], names)
    assert found == {"etc/x": str(place)}
    assert variables_outside({"A": str(place), "B": None, "C": "1"}, names) == {"the variable A": str(place)}


@pytest.mark.parametrize(
    "text", ["#!/usr/bin/env python", "{0}/bin/x", "/nowhere/at/all", "http://host/usr", "/etc/hosts", "a/{1}"]
)  # fmt: skip
def test_names_nothing_outside(tmp_path: Path, text: str) -> None:
    assert first_outside(text.format(tmp_path, str(tmp_path)[1:]), [str(tmp_path)]) is None


@pytest.mark.skipif(sys.platform != "linux", reason="ELF files")
def test_libraries_that_a_host_may_lack(tmp_path: Path) -> None:
    (tmp_path / "f.c").write_text("int f(void) { return 0; }")
    (tmp_path / "m.c").write_text("int f(void); int main(void) { return f(); }")
    subprocess.run(["cc", "-shared", "-o", tmp_path / "libmine.so", tmp_path / "f.c"], check=True)
    command = ["cc", "-o", tmp_path / "m", tmp_path / "m.c", f"-L{tmp_path}", "-lmine", "-lm"]
    subprocess.run(command, check=True)
    program, library = content(tmp_path / "m", "bin/m"), content(tmp_path / "libmine.so", "lib/deep/libmine.so")
    assert missing_libraries([program]) == {"libmine.so": "bin/m"}
    assert missing_libraries([program, library]) == {}


def test_rights_that_a_host_does_not_give(tmp_path: Path) -> None:
    for name, mode in {"a": 0o4755, "b": 0o2755, "c": 0o755}.items():
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    assert [*privileged(tmp_path, {name: (tmp_path / name).stat() for name in "abc"})] == ["a", "b"]
