"""The line that a first start shows on a terminal: it moves, nothing of it stays, and nobody else sees it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
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
    """Return what a first start, and its entry point, write to the terminal that is their standard error."""
    ours, theirs = pty.openpty()
    words = [*([python] if python else []), archive.path, "-c", "import sys; sys.stderr.write('<mine>')"]
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
    """Under each Python; what stays is what the entry point wrote: every line before it is overwritten with blanks."""
    for host in host_pythons:
        said = start(archive, tmp_path / host.name, host.executable)
        lines = LINE.findall(said)
        numbers = [float(done) for done, _ in lines]
        assert numbers == sorted(numbers)
        assert all(done <= float(total) for done, (_, total) in zip(numbers, lines, strict=True))
        assert not lines or re.search(rb"\r {20,}\r<mine>$", said)
        assert LINE.sub(b"", said).strip(b"\r ") == b"<mine>"


def test_quiet(archive: Archive, tmp_path: Path) -> None:
    assert start(archive, tmp_path / "quiet", COEX_QUIET="1") == b"<mine>"


def test_no_terminal(archive: Archive, store: Path) -> None:
    done = archive.run("-c", "", store=store)
    assert (done.returncode, done.stderr) == (0, "")
