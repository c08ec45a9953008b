"""Unusual states of the caller's process: closed streams, ignored signals, few descriptors, no processes left."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from end_to_end.archives import Coex
    from testbed.survivor import Survivor

def starts(survivor: Survivor, change: Callable[[], object]) -> None:
    """Start it cold and warm, in a process that was changed."""
    for _ in "cold", "warm":
        done = subprocess.run(
            [survivor.archive, "x"], env=survivor.environment, preexec_fn=change, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_few_descriptors(survivor: Survivor) -> None:
    starts(survivor, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)))


def test_children_ignored(survivor: Survivor) -> None:
    starts(survivor, lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))


def test_standard_input_closed(survivor: Survivor) -> None:
    starts(survivor, lambda: os.close(0))


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_streams_closed(survivor: Survivor, closed: tuple[int, ...], tmp_path: Path) -> None:
    """Nothing else is opened in their place: no file of the root gets the output."""
    environ = {**survivor.environment, "BASH_ENV": "", "COEX_TRACE": "1"}
    seen = []
    for name in ("cold", "warm"):
        process = subprocess.Popen(
            ["sh", "-c", '"$@"; echo $? >"$0"', tmp_path / name, survivor.archive, "x"], env=environ,
            preexec_fn=lambda: [os.close(number) for number in closed],
        )  # fmt: skip
        process.wait(timeout=120)
        seen.append((tmp_path / name).read_text())
    if 1 in closed:  # cat(1) and echo have nowhere to write
        assert seen[0] == seen[1]
    else:
        assert seen == ["0\n", "0\n"]
    (root,) = ready_roots(survivor.store)
    assert list(survivor.store.iterdir()) == [root]
    survivor.start()
    assert survivor.counts.wrong == []


def run_alone(archive: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Start an archive as a user who may have no other process."""
    home.mkdir()
    os.chown(home, 54323, 54323)
    code = (
        "import os, resource, sys\n"
        "os.setgroups([]); os.setgid(54323); os.setuid(54323)\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))\n"
        "os.execv(sys.executable, [sys.executable, '-E', '-s', sys.argv[1], 'x'])"
    )
    return subprocess.run(
        ["/usr/bin/python3", "-c", code, archive], env={"PATH": "/usr/bin:/bin", "COEX_ROOT": str(home)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_no_more_processes(coex: Coex, survivor: Survivor, reachable: Path, as_root: None) -> None:
    """If fork(2) is refused, one process unpacks alone; a post-link script fails with one line."""
    options = ("-q", "--entrypoint", "cprog", "-o", "plain.coex", "data")
    coex(reachable, *options, packages=("cprog", "zstd"))
    done = run_alone(reachable / "plain.coex", reachable / "plain")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(ready_roots(reachable / "plain")) == 1
    home = reachable / "with a script"
    done = run_alone(survivor.archive, home)
    assert done.returncode == 125
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("coex: ")
    assert list(home.iterdir()) == []
