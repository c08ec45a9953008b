"""Fixtures for survival: an archive that reports whether it is whole, in a place that any user can reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from testbed.survivor import ENTRY, PACKAGES, Survivor, write_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.archives import Coex


@pytest.fixture(scope="session")
def reachable() -> Iterator[Path]:
    """Return a directory that other users can read."""
    directory = Path(tempfile.mkdtemp(prefix="coex-survival-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def survivor_file(coex: Coex, reachable: Path) -> Path:
    """Return an archive of real packages, whose entry point reads all of it."""
    names = write_app(reachable)
    coex(reachable, "-q", "--entrypoint", f"./{ENTRY}", "-o", "survivor.coex", *names, packages=PACKAGES)
    return reachable / "survivor.coex"


@pytest.fixture(scope="session")
def expected(survivor_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Survivor:
    """Return a survivor that was measured."""
    found = Survivor(survivor_file, tmp_path_factory.mktemp("measured"), 0)
    found.measure()
    return found


@pytest.fixture
def survivor(expected: Survivor, tmp_path: Path) -> Survivor:
    """Return the archive with an empty store of its own."""
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    found = Survivor(expected.archive, store, 0)
    found.expected, found.duration = expected.expected, expected.duration
    return found


@pytest.fixture
def as_root() -> None:
    """Leave a test out where only root can make its faults."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount, and be another user")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of the library that answers as servers do, to be preloaded."""
    found = tmp_path_factory.mktemp("odd") / "odd_server.so"
    source = Path(__file__).with_name("odd_server.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", found, source, "-ldl"], check=True)
    return str(found)
