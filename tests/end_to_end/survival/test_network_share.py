"""A real network file system: sshfs through pipes instead of a network, also on two hosts with caches of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots
from end_to_end.survival.crowds import assert_no_fault, runs
from testbed.survivor import Survivor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from end_to_end.archives import MakeArchive

    Mount = Callable[[Path, Path], AbstractContextManager[None]]

SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
# Runs a command as on another host, which has mounted the same directory at the same place by itself.
OTHER = 'hostname two && mount --bind "$0" "$1" && shift && exec "$@"'


@pytest.fixture
def mount(as_root: None) -> Mount:
    """Return a function that mounts a directory by sshfs for a `with` block."""
    found = [path for path in SERVERS if Path(path).exists()]
    missing = [name for name in ("sshfs", "fusermount3") if not shutil.which(name)]
    missing += [] if found else ["sftp-server"]
    missing += [] if Path("/dev/fuse").exists() else ["/dev/fuse"]
    if missing:
        pytest.skip("this machine has no " + ", ".join(missing))
    return lambda directory, point: mounted(found[0], directory, point)


@contextmanager
def mounted(program: str, directory: Path, point: Path) -> Iterator[None]:
    """Mount a directory; sshfs and the server talk through two pipes."""
    point.mkdir()
    server = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    command = ["sshfs", "-f", "-o", option(), f":{directory}", str(point)]
    client = subprocess.Popen(command, stdin=server.stdout, stdout=server.stdin)
    for pipe in (server.stdin, server.stdout):
        assert pipe is not None
        pipe.close()
    try:
        wait_until_mounted(client, point)
        yield
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(point)], check=False)
        assert client.wait(60) == 0
        server.wait(60)


def option() -> str:
    """Return the option of sshfs that makes it talk by standard input and output: `slave` in older ones."""
    shown = subprocess.run(["sshfs", "--help"], capture_output=True, text=True, check=False)
    return "passive" if "passive" in shown.stdout + shown.stderr else "slave"


def wait_until_mounted(client: subprocess.Popen[bytes], point: Path) -> None:
    for _ in range(1000):
        if os.path.ismount(point):
            return
        if client.poll() is not None:
            pytest.skip("sshfs cannot mount here")
        time.sleep(0.01)
    raise AssertionError(f"not mounted: {point}")


def served(survivor: Survivor, tmp_path: Path) -> Path:
    """Return the directory of a server, with an archive, a home and a store."""
    directory = tmp_path / "served"
    for name in ("home", "store"):
        (directory / name).mkdir(parents=True, mode=0o700)
    shutil.copy(survivor.archive, directory / "app.coex")
    return directory


def test_root_on_the_node(survivor: Survivor, tmp_path: Path, mount: Mount) -> None:
    """Archive and home are on the share, and nothing is written there; later starts need no Python."""
    directory, point, near = served(survivor, tmp_path), tmp_path / "share", tmp_path / "node"
    near.mkdir()
    before = sorted(directory.rglob("*"))
    with mount(directory, point):
        own = {"PATH": "/usr/bin:/bin", "HOME": str(point / "home"), "TMPDIR": str(near)}
        for more in ({"COEX_TRACE": "1"}, {"COEX_PYTHON": "/nonexistent", "COEX_TRACE": "1"}):
            command = [str(point / "app.coex"), "x"]
            done = subprocess.run(command, env={**own, **more}, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (0, survivor.expected), done.stderr
            place = f"place {near}/coex-0: {point}/home/.cache/coex: on a network file system (fuse.sshfs)"
            assert (place in done.stderr) == ("COEX_PYTHON" not in more)
        assert done.stderr == ""
    assert len(ready_roots(near / "coex-0")) == 1
    assert sorted(directory.rglob("*")) == before


def test_16_at_once_in_a_store_on_the_share(survivor: Survivor, tmp_path: Path, mount: Mount) -> None:
    directory, point, count = served(survivor, tmp_path), tmp_path / "share", tmp_path / "count"
    with mount(directory, point):
        far = Survivor(point / "app.coex", point / "store", 0)
        far.expected = survivor.expected
        far.crowd(16, POST_LINK_COUNT=str(count), POST_LINK_SLEEP="0.2")
        assert_no_fault(far)
        tools = {**far.environment, "COEX_TOOLS": "1"}
        said = subprocess.check_output([far.archive, "cache", "list"], env=tools, text=True)
        (root,) = ready_roots(directory / "store")
        files = len([root, *root.rglob("*")])
        assert re.search(rf"\non a network file system \(fuse\.sshfs\): 1 root, .* MB, {files} files\n\Z", said), said
    assert runs(count) == 1
    assert list((directory / "store").iterdir()) == ready_roots(directory / "store")


def on_another_host(second: Path, point: Path, *words: str) -> tuple[str, ...]:
    """Return the command that runs another one on a host that has its own mount at the same place."""
    return ("unshare", "-m", "--uts", "sh", "-c", OTHER, str(second), str(point), *words)


def test_two_hosts_at_once(survivor: Survivor, tmp_path: Path, mount: Mount) -> None:
    directory, point, count = served(survivor, tmp_path), tmp_path / "share", tmp_path / "count"
    with mount(directory, point), mount(directory, tmp_path / "second"):
        far = Survivor(point / "app.coex", point / "store", 0)
        far.expected = survivor.expected
        other = on_another_host(tmp_path / "second", point, str(far.archive))
        env = {"POST_LINK_COUNT": str(count), "POST_LINK_SLEEP": "0.2"}
        for process in [far.popen(*words, **env) for words in ((), other) * 4]:
            far.judge(process)
        assert_no_fault(far)
    assert runs(count) == 1


def test_root_that_another_host_removes(make_archive: MakeArchive, tmp_path: Path, mount: Mount) -> None:
    """The client of this host still knows its files: a shell cannot open them, and Python makes the root again."""
    app = '#!/bin/sh\necho "$DEMO_ORDER $*"\n'
    made = Survivor(make_archive("./show.sh", packages=("activate-demo", "zstd"), show=app).path, tmp_path / "store", 0)
    directory, point = served(made, tmp_path), tmp_path / "share"
    clean = 'mv "$COEX_ROOT"/*/start "$COEX_ROOT/gone" && rm -r "$COEX_ROOT"/* && echo gone'
    with mount(directory, point), mount(directory, tmp_path / "second"):
        far = Survivor(point / "app.coex", point / "store", 0)
        far.expected = "ab x\n"
        remove = on_another_host(tmp_path / "second", point, "sh", "-c", clean)
        for shell in filter(shutil.which, ("dash", "bash", "ksh")):
            for _ in range(2):  # the second start reads all that a warm start reads
                far.judge(far.popen(shell, str(far.archive)))
            assert subprocess.check_output(remove, env=far.environment, text=True) == "gone\n"
            far.judge(far.popen(shell, str(far.archive)))
        assert_no_fault(far)
        assert far.counts.starts >= 6
