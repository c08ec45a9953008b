"""Working directories that were removed, or that the user may not enter: the entry point gets them as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.archives import Coex
    from testbed.hosts import HostPython

SHOW = '#!/bin/sh\necho "$COEX_FILE $(stat -L -c %i:%h "/proc/$$/cwd")"\n'
VERBS = (
    "info", "verify", "repair", "env", "unpack -p {}/env", "verify -p {}/env", "unpack --store {}/other", "cache list",
)


@pytest.fixture(scope="module")
def archive(coex: Coex, reachable: Path) -> Path:
    """Return an archive that shows its own path, and its working directory by inode and number of links."""
    (reachable / "where.sh").write_text(SHOW, encoding="utf-8")
    coex(reachable, "-q", "--entrypoint", "./where.sh", "-o", "where.coex", "where.sh", packages=("zstd", "cprog"))
    return reachable / "where.coex"


@pytest.fixture
def place(reachable: Path) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(dir=reachable))
    directory.chmod(0o1777)
    yield directory
    shutil.rmtree(directory)


def run(words: list[str | Path], here: Path, harm: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory that `harm`, a shell command, harms first.

    Messages of shells about it are left out.
    """
    command = ["sh", "-c", f'cd "$0" && {harm} && exec "$@"', str(here), *map(str, words)]
    environ = {"PATH": os.environ["PATH"], "HOME": "/", **env}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    lines = [line for line in done.stderr.splitlines() if "getcwd" not in line]
    return subprocess.CompletedProcess(words, done.returncode, done.stdout, "\n".join(lines))


def test_removed(archive: Path, place: Path, host_pythons: list[HostPython]) -> None:
    for host in host_pythons:
        (here := place / "here").mkdir()
        env = {"COEX_PYTHON": str(host.executable), "COEX_ROOT": str(place / host.name)}
        for _ in "cold", "warm":
            done = run([archive], here, 'rmdir "$0"', **env)
            here.mkdir(exist_ok=True)
            assert (done.returncode, done.stderr) == (0, ""), (host.name, done.stderr)
            file, _, seen = done.stdout.rstrip("\n").partition(" ")
            assert (file, seen.partition(":")[2]) == (str(archive), "0")  # links of a directory that was removed
        here.rmdir()


def test_removed_and_every_verb(archive: Path, place: Path, host_pythons: list[HostPython]) -> None:
    """Under the oldest and the newest Python."""
    for host in host_pythons[:: max(1, len(host_pythons) - 1)]:
        env = {"COEX_PYTHON": str(host.executable), "COEX_ROOT": str(place / host.name), "COEX_TOOLS": "1"}
        run([archive], place, ":", **{**env, "COEX_TOOLS": "0"})
        for verb in VERBS:
            (place / "here").mkdir()
            done = run([archive, *verb.format(place).split()], place / "here", 'rmdir "$0"', **env)
            assert (done.returncode, done.stderr) == (0, ""), (host.name, verb)
        for verb in ("unpack -p relative", "verify -p relative", "unpack --store relative"):
            (place / "here").mkdir()
            done = run([archive, *verb.split()], place / "here", 'rmdir "$0"', **env)
            why = "this path is relative, and the working directory was removed; give the path from / on"
            assert (done.returncode, done.stderr) == (1, f"coex: relative: {why}"), (host.name, verb)
        shutil.rmtree(place / "env")
        shutil.rmtree(place / "other")


# A root that may do no more than other users: every Python of this machine is one that it may run.
LIKE_ANYBODY = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all")


@pytest.mark.parametrize("mode", ["0", "0311", "0644"])
def test_without_permission(
    archive: Path, place: Path, host_pythons: list[HostPython], as_root: None, mode: str
) -> None:
    (here := place / "here").mkdir()
    inode = here.stat().st_ino
    for host in host_pythons:
        env = {"COEX_PYTHON": str(host.executable), "COEX_ROOT": str(place / host.name)}
        for _ in "cold", "warm":
            done = run([*LIKE_ANYBODY, archive], here, f"chmod {mode} .", **env)
            assert (done.returncode, done.stderr) == (0, ""), host.name
            assert done.stdout.split()[1].startswith(f"{inode}:"), (host.name, done.stdout)
