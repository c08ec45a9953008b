"""A library that was compiled in an environment at a short path needs no room for a longer one."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from conda_coex.elf import free, read_sections
from conda_coex.live_file import read_live
from conda_coex.plan import Content

CODE = '#include "answer.h"\nint asked(void) { return answer(); }\nconst char *place = PLACE;\n'
HEADER = "int answer(void);\nstatic inline int half(void) { return answer() / 2; }\n"
TARGET = "prefix/lib/deep/asked.so"


def compiled(prefix: Path, place: str) -> Content:
    """Return a library of `prefix`, as it is read there: it needs another one, and has debugging information."""
    (prefix / "lib/deep").mkdir(parents=True)
    (prefix / "include").mkdir()
    (prefix / "include/answer.h").write_text(HEADER)
    (prefix / "answer.c").write_text('#include "answer.h"\nint answer(void) { return 42; }\n')
    (prefix / "asked.c").write_text(CODE.replace("answer();", "answer() + half();"))
    quick = ["cc", "-shared", "-fPIC", "-g", f"-I{prefix}/include", f'-DPLACE="{place}"']
    subprocess.run([*quick, f"{prefix}/answer.c", "-o", f"{prefix}/lib/libanswer.so"], check=True)
    linked = [f"-L{prefix}/lib", "-lanswer", f"-Wl,-rpath,{prefix}/lib:/usr/none"]
    subprocess.run([*quick, f"{prefix}/asked.c", *linked, "-o", f"{prefix}/lib/deep/asked.so"], check=True)
    reading = read_live(prefix / "lib/deep/asked.so", TARGET, [str(prefix)])
    assert reading is not None
    assert reading.content.edits
    return reading.content


def test_finds_its_library_from_another_place(tmp_path: Path) -> None:
    content = compiled(tmp_path / "env", "nowhere")
    freed = free(content, (tmp_path / "env/lib/deep/asked.so").read_bytes())
    assert (freed.edits, freed.placeholder, freed.file_mode) == (None, None, None)
    assert isinstance(freed.source, bytes)
    assert b"$ORIGIN/..:/usr/none\0" in freed.source
    assert len(freed.source) == content.size
    there = tmp_path / "a-place-whose-name-is-longer/lib"
    (there / "deep").mkdir(parents=True)
    shutil.move(tmp_path / "env/lib/libanswer.so", there)
    shutil.rmtree(tmp_path / "env")
    (there / "deep/asked.so").write_bytes(freed.source)
    assert ctypes.CDLL(str(there / "deep/asked.so")).asked() == 63


def test_what_the_code_names_is_still_relocated(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    content = compiled(prefix, f"{prefix}/share")
    freed = free(content, (prefix / "lib/deep/asked.so").read_bytes())
    assert freed.placeholder == str(prefix)
    assert freed.edits
    assert content.edits
    assert len(freed.edits) < len(content.edits)


def test_name_of_a_symbol_that_is_the_end_of_the_path(tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    prefix.mkdir()
    (prefix / "x.c").write_text("int lib(void) { return 7; }")
    target = prefix / "x.so"
    command = ["cc", "-shared", "-fPIC", f"{prefix}/x.c", f"-Wl,-rpath,{prefix}/lib", "-o", str(target)]
    subprocess.run(command, check=True)
    reading = read_live(target, "prefix/x.so", [str(prefix)])
    assert reading is not None
    freed = free(reading.content, target.read_bytes())
    data = freed.source if isinstance(freed.source, bytes) else target.read_bytes()
    moved = tmp_path / "moved.so"
    moved.write_bytes(data)
    assert ctypes.CDLL(str(moved)).lib() == 7


@pytest.mark.parametrize("size", [0, 4, 5, 20, 63, 64, 1000, -1])
def test_what_is_no_whole_elf_file(tmp_path: Path, size: int) -> None:
    data = Path("/bin/sh").read_bytes()[:size]
    assert read_sections(data) == []
    content = Content("prefix/x", 0o644, "0", data, len(data), "", str(tmp_path), "binary", edits="0=1.2")
    assert free(content, data) is content
