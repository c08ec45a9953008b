"""Many first starts at once: one unpacks, all run; also if locks lie, and on several hosts."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots
from end_to_end.survival.crowds import assert_no_fault, claim_of, on_host, runs
from testbed.survivor import Survivor, orphans
from unit.coex_bootstrap.building import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.archives import MakeArchive

# Locks that are refused, as by a server without them, or granted to everyone.
LOCKS = """
#include <errno.h>
#include <fcntl.h>
int flock(int fd, int what) { (void) fd; (void) what; %s }
int lockf(int fd, int what, off_t size) { (void) fd; (void) what; (void) size; %s }
"""
LIES = {"refused": "errno = ENOLCK; return -1;", "granted to all": "return 0;"}


def test_64_first_starts(survivor: Survivor, tmp_path: Path) -> None:
    survivor.crowd(64, POST_LINK_COUNT=str(tmp_path / "count"), POST_LINK_SLEEP="0.3")
    assert_no_fault(survivor)
    assert survivor.counts.starts == 64
    assert runs(tmp_path / "count") == 1
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_two_archives_that_share_packages(survivor: Survivor, make_archive: MakeArchive, tmp_path: Path) -> None:
    script = '#!/bin/sh\necho "the other $DEMO_ORDER"\n'
    packages = ("post-link-count", "activate-demo", "zstd")
    other = Survivor(make_archive("./other.sh", packages=packages, other=script).path, survivor.store, 0)
    other.expected = "the other ab\n"
    counts = {one: str(tmp_path / str(number)) for number, one in enumerate((survivor, other))}
    processes = [(one, one.popen(POST_LINK_COUNT=counts[one])) for _ in range(8) for one in (survivor, other)]
    for one, process in processes:
        one.judge(process)
    for number, one in enumerate((survivor, other)):
        assert_no_fault(one)
        assert runs(tmp_path / str(number)) == 1
    assert sorted(survivor.store.iterdir()) == ready_roots(survivor.store)
    assert len(ready_roots(survivor.store)) == 2


@pytest.mark.parametrize("lie", LIES)
def test_locks_that_lie(survivor: Survivor, tmp_path: Path, lie: str) -> None:
    source, library = tmp_path / "locks.c", tmp_path / "locks.so"
    source.write_text(LOCKS % (LIES[lie], LIES[lie]))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    preload = {"LD_PRELOAD": str(library)}
    probe = "import fcntl\ntry: fcntl.flock(0, 2); print('granted to all')\nexcept OSError: print('refused')"
    said = subprocess.run(["python3", "-c", probe], env={**os.environ, **preload}, capture_output=True, text=True)
    assert said.stdout == f"{lie}\n"
    survivor.crowd(12, POST_LINK_COUNT=str(tmp_path / "count"), POST_LINK_SLEEP="0.2", **preload)
    assert_no_fault(survivor)
    assert runs(tmp_path / "count") == 1


# sshfs: over a directory that is not empty, the server's refusal arrives as another one.
RENAME = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int rename(const char *old, const char *new) {
    int done = syscall(SYS_renameat2, -100, old, -100, new, 0);
    if (done < 0 && (errno == ENOTEMPTY || errno == EEXIST)) errno = %s;
    return done;
}
"""


@pytest.mark.parametrize("odd", ["EPERM", "EACCES", "EBUSY"])
def test_rename_that_says_something_else(survivor: Survivor, tmp_path: Path, odd: str) -> None:
    source, library = tmp_path / "rename.c", tmp_path / "rename.so"
    source.write_text(RENAME % odd)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    preload = {"LD_PRELOAD": str(library)}
    (tmp_path / "full/below").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    probe = "import errno, os\ntry: os.rename('other', 'full')\nexcept OSError as e: print(errno.errorcode[e.errno])"
    said = subprocess.check_output(["python3", "-c", probe], env={**os.environ, **preload}, cwd=tmp_path, text=True)
    assert said == f"{odd}\n"
    survivor.crowd(12, POST_LINK_COUNT=str(tmp_path / "count"), POST_LINK_SLEEP="0.2", **preload)
    assert_no_fault(survivor)
    assert runs(tmp_path / "count") == 1
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_two_hosts_at_once(survivor: Survivor, tmp_path: Path, as_root: None) -> None:
    count = {"POST_LINK_COUNT": str(tmp_path / "count"), "POST_LINK_SLEEP": "0.5"}
    for process in [survivor.popen(*on_host(name), str(survivor.archive), **count) for name in ("one", "two") * 4]:
        survivor.judge(process)
    assert_no_fault(survivor)
    assert runs(tmp_path / "count") == 1


def test_host_that_died(survivor: Survivor, tmp_path: Path, as_root: None) -> None:
    count = tmp_path / "count"
    dead = survivor.popen(*on_host("one"), str(survivor.archive), POST_LINK_COUNT=str(count), POST_LINK_SLEEP="600")
    wait_until(count.exists, "no post-link script ran")
    dead.kill()
    dead.communicate()
    waiting = survivor.popen(*on_host("two"), str(survivor.archive), POST_LINK_COUNT=str(count))
    wait_until(lambda: list(survivor.store.glob("*.claim-*")), "nobody waits")
    assert waiting.poll() is None
    os.utime(claim_of(survivor.store), (1, 1))  # as a minute later
    survivor.judge(waiting)
    assert_no_fault(survivor)
    assert runs(count) == 2
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_owner_that_was_stopped_and_wakes_up(survivor: Survivor, tmp_path: Path) -> None:
    """It was taken for dead, and another made the root: it must neither mark nor harm that one, and run from it."""
    count = tmp_path / "count"
    stopped = survivor.popen(POST_LINK_COUNT=str(count), POST_LINK_SLEEP="0.2", STOPPED="yes")
    wait_until(count.exists, "no post-link script ran")
    stopped.send_signal(signal.SIGSTOP)
    os.utime(claim_of(survivor.store), (1, 1))
    survivor.start(POST_LINK_COUNT=str(count))
    (root,) = ready_roots(survivor.store)
    before = (root.stat().st_ino, (root / "start").stat().st_mtime_ns)
    stopped.send_signal(signal.SIGCONT)
    survivor.judge(stopped)
    assert_no_fault(survivor)
    assert runs(count) == 2
    assert (root.stat().st_ino, (root / "start").stat().st_mtime_ns) == before
    assert list(survivor.store.iterdir()) == [root]


def test_dead_owner_of_this_host_does_not_block(survivor: Survivor, tmp_path: Path) -> None:
    count = tmp_path / "count"
    dead = survivor.popen(POST_LINK_COUNT=str(count), POST_LINK_SLEEP="600", OWNER=str(tmp_path))
    wait_until(count.exists, "no post-link script ran")
    waiting = [survivor.popen(POST_LINK_COUNT=str(count)) for _ in range(4)]
    wait_until(lambda: len(list(survivor.store.glob("*.claim-*"))) == 4, "not all wait")
    dead.kill()
    for process in waiting:
        survivor.judge(process)
    assert_no_fault(survivor)
    assert runs(count) == 2
    dead.communicate()
    assert orphans("OWNER", str(tmp_path)) == []
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_says_that_it_waits_on_a_terminal(survivor: Survivor, tmp_path: Path) -> None:
    count = tmp_path / "count"
    first = survivor.popen(POST_LINK_COUNT=str(count), POST_LINK_SLEEP="600")
    wait_until(count.exists, "no post-link script ran")
    ours, theirs = pty.openpty()
    second = subprocess.Popen(
        [survivor.archive, "x"],
        env=survivor.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(ours, 1)
    assert line == f"coex: another process is unpacking {survivor.archive}, waiting\r\n".encode()
    first.terminate()
    assert (second.communicate()[0].decode(), second.returncode) == (survivor.expected, 0)
    assert first.wait() == -signal.SIGTERM
    first.communicate()
    os.close(ours)
