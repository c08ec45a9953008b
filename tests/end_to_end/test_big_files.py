"""An archive of more than 4 GiB starts wherever a small one does: its payload stands outside the zip."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from rebuilding import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coex_bootstrap.format.index import Index
    from conftest import Conda, MakeArchive
    from testbed.hosts import HostPython

HOLE = 5 << 30  # more than 32 bits count


def move_frames(index: Index) -> int:
    """Put a hole between the first frame and the others; return the size of the payload."""
    index.frames = [frame._replace(offset=frame.offset + HOLE * (row > 0)) for row, frame in enumerate(index.frames)]
    assert len(index.frames) > 1
    return int(index.frames[-1].offset + index.frames[-1].size)


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Iterator[Path]:
    """Return an archive of 5 GiB, nearly all of it a hole, so that it takes no room."""
    small = make_archive("cprog", packages=("cprog",)).path
    big = rebuild(small, small.with_name("big.coex"), change_index=move_frames)
    state = big.stat()
    if state.st_blocks * 512 > 1 << 30:
        big.unlink()
        pytest.skip("files have no holes on this file system")
    assert state.st_size > HOLE
    yield big
    big.unlink()


@pytest.mark.parametrize("way", ["./file", "sh", "2.7", "3.8", "3.12", "pypy3"])
def test_starts(archive: Path, way: str, host_pythons: list[HostPython], store: Path) -> None:
    hosts = {host.name: [str(host.executable)] for host in host_pythons}
    command = {"./file": [], "sh": ["sh"], **hosts}.get(way)
    if command is None:
        pytest.skip(f"missing on this machine: Python {way}")
    for _ in "cold", "warm":
        done = subprocess.run([*command, archive, "word"], capture_output=True, text=True, check=True)
        assert "argument 1=word\ngreeting=good day\n" in done.stdout
    assert len(list(store.glob("*/start"))) == 1


def test_inspect(archive: Path, conda: Conda) -> None:
    assert json.loads(conda("coex", "inspect", "--json", archive).stdout)["size"] == archive.stat().st_size
