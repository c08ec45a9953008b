"""The line that a first start shows on a terminal: it moves, is erased, and nobody else sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeArchive
    from end_to_end.archives import Archive
    from testbed.hosts import HostPython

LINE = re.compile(rb"\rcoex: unpacking, ([\d.]+) of ([\d.]+) MB, [\d.]+ s *")


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Archive:
    """Return an archive that takes a while."""
    return make_archive("python", packages=("python",))


def start(archive: Archive, store: Path, python: Path | str | None = None, **env: str) -> bytes:
    """Return the output of a first start and its entry point to the terminal that is their standard error."""
    words = [*([python] if python else []), archive.path, "-c", "import sys; sys.stderr.write('<mine>')"]
    return on_terminal(words, store, 80, **env)


def on_terminal(words: list[Path | str], store: Path, columns: int, **env: str) -> bytes:
    """Return the output of a command to the terminal of so many columns that is its standard error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    environ = {"PATH": os.environ["PATH"], "HOME": str(store), "COEX_ROOT": str(store), **env}
    process = subprocess.Popen(words, env=environ, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux says so where the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    assert process.wait() == 0, said
    return said


def test_line_on_a_terminal(archive: Archive, host_pythons: list[HostPython], tmp_path: Path) -> None:
    """Under each Python; only the entry point's output stays: every line before it is overwritten with blanks."""
    for host in host_pythons:
        said = start(archive, tmp_path / host.name, host.executable)
        lines = LINE.findall(said)
        numbers = [float(done) for done, _ in lines]
        assert numbers == sorted(numbers)
        assert all(done <= float(total) for done, (_, total) in zip(numbers, lines, strict=True))
        assert not lines or re.search(rb"\r {20,}\r<mine>$", said)
        assert LINE.sub(b"", said).strip(b"\r ") == b"<mine>"


@pytest.mark.parametrize("columns", [100, 40, 20, 8])
@pytest.mark.parametrize("verb", ["", "unpack -p {}/env", "unpack --store {}/other", "verify --archive"])
def test_line_fits(archive: Archive, tmp_path: Path, columns: int, verb: str) -> None:
    """No line is so long that the terminal wraps it: it could not be taken back. A quick machine shows none."""
    env = {"COEX_TOOLS": "1" if verb else "0"}
    words = verb.format(tmp_path).split() if verb else ["-c", ""]
    said = on_terminal([archive.path, *words], tmp_path / "store", columns, **env)
    lines = [line for line in re.split(rb"[\r\n]", said) if line.strip()]
    assert all(len(line) < columns for line in lines)
    doing = b"verifying" if verb.startswith("verify") else b"unpacking"
    wanted = {100: b"coex: " + doing + b", ", 40: b"coex: " + doing + b", ", 20: b"coex: ", 8: b""}[columns]
    assert all(line.startswith(wanted) for line in lines)
    assert said.strip(b"\r ") == b"" or said.endswith(b"\r")


def test_quiet(archive: Archive, tmp_path: Path) -> None:
    assert start(archive, tmp_path / "quiet", COEX_QUIET="1") == b"<mine>"


def test_no_terminal(archive: Archive, store: Path) -> None:
    done = archive.run("-c", "", store=store)
    assert (done.returncode, done.stderr) == (0, "")
