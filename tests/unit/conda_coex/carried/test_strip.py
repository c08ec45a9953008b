"""A stripped program has the bytes that a loader reads, and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conda_coex.carried.strip import stripped
from conda_coex.prefix import elf

SOURCE = """
#include <stdio.h>
static int never_named;
int main(int count, char **words) { printf("%d %s\\n", count + never_named, words[1]); return 3; }
"""


@pytest.fixture(params=[["-g"], ["-g", "-no-pie"], ["-g", "-static"], ["-s"]], ids=" ".join)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.with_suffix(".c").write_text(SOURCE)
    subprocess.run(["cc", *request.param, "-o", path, path.with_suffix(".c")], check=True)
    return path


def segments(path: Path) -> str:
    """Return the output of readelf on the segments."""
    shown = subprocess.run(["readelf", "-lW", path], env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True)
    return re.sub(r"(?s)\n Section to Segment mapping.*|There are \d+ section headers.*?\n", "", shown.stdout)


def test_runs_and_has_no_symbols(program: Path) -> None:
    data = program.read_bytes()
    short = program.with_name("short")
    short.write_bytes(stripped(data))
    short.chmod(0o755)
    done = subprocess.run([short, "word"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "2 word\n")
    assert segments(short) == segments(program)
    assert elf.read_sections(short.read_bytes()) == []
    assert b"never_named" not in short.read_bytes()
    assert len(short.read_bytes()) < len(data)
    assert stripped(short.read_bytes()) == short.read_bytes()


ODD = [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF\2\1" + bytes(100), b"\x7fELF\2\1" + b"\xff" * 500]


@pytest.mark.parametrize("data", ODD)
def test_other_files_stay(data: bytes) -> None:
    assert stripped(data) == data


def test_truncated_program_stays() -> None:
    data = Path(os.path.realpath(sys.executable)).read_bytes()
    assert stripped(data[:3000]) == data[:3000]
