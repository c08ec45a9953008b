"""Servers answer oddly: a start goes on, one of many unpacks, and nothing is left but the root."""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots
from end_to_end.survival.crowds import assert_no_fault, claim_of, on_host, runs
from unit.coex_bootstrap.building import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.archives import MakeArchive
    from testbed.survivor import Survivor

# A call, a part of its path, and the error that it has once.
ONCE = [
    *(("mkdir", ".claim-", "ESTALE"), ("rename", ".claim-", "ESTALE"), ("rename", ".claim-", "EIO")),
    *(("stat", ".claim/", "EIO"), ("stat", "/store", "ESTALE"), ("mkdir", ".work-", "EIO")),
    *(("mkdir", "/prefix/share", "ENOENT"), ("rename", ".work-", "ESTALE"), ("rename", ".work-", "EIO")),
    ("rename", "start.new", "ESTALE"),
]
# The same if the server has done it. NFS says EEXIST or ENOENT to a request that it gets twice.
DONE = [
    *(("mkdir", ".claim-", "EEXIST"), ("rename", ".claim-", "ENOENT"), ("rename", ".claim-", "EIO")),
    *(("mkdir", ".work-", "EEXIST"), ("rename", ".work-", "ENOENT"), ("rename", ".work-", "EIO")),
    *(("rename", "start.new", "ENOENT"), ("rename", "start.new", "EIO")),
]


def odd(tmp_path: Path, library: str, call: str, part: str, error: str, *, done: bool = False) -> dict[str, str]:
    """Return the variables by which a call fails once."""
    left = tmp_path / "left"
    left.write_text("x")
    found = {"LD_PRELOAD": library, "ODD_CALL": call, "ODD_PART": part, "ODD_ERROR": str(getattr(errno, error))}
    return {**found, "ODD_TIMES": str(left), **({"ODD_DONE": "1"} if done else {})}


@pytest.mark.parametrize(
    ("call", "part", "error", "done"),
    [(*each, False) for each in ONCE] + [(*each, True) for each in DONE],
    ids=lambda value: "done" if value is True else "" if value is False else value.strip("./-"),
)
def test_answer(survivor: Survivor, tmp_path: Path, library: str, call: str, part: str, error: str, done: bool) -> None:
    """The store is named, so there is no other place. No step is done twice."""
    environment = odd(tmp_path, library, call, part, error, done=done)
    survivor.start(POST_LINK_COUNT=str(tmp_path / "count"), **environment)
    assert_no_fault(survivor)
    assert (tmp_path / "left").read_text() == ""
    assert runs(tmp_path / "count") == 1 or (not done and part == "start.new")
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_link(make_archive: MakeArchive, tmp_path: Path, library: str) -> None:
    """A root that shares files of another one."""
    apps = [f'#!/bin/sh\ncat "$COEX_PREFIX"/conda-meta/*.json | wc -l; echo {number}\n' for number in (1, 2)]
    one, other = [make_archive("./show.sh", packages=("activate-demo", "zstd"), show=app) for app in apps]
    python = {"COEX_PYTHON": sys.executable}
    said = other.start(store=tmp_path / "alone", env=python)
    for error, done in (("EEXIST", True), ("EIO", True), ("ESTALE", False), ("EMLINK", False)):
        store = tmp_path / error
        one.start(store=store, env=python)
        answer = odd(tmp_path, library, "link", ".work-", error, done=done)
        assert other.start(store=store, env={**python, **answer}) == said
        assert (tmp_path / "left").read_text() == ""
        assert sorted(store.iterdir()) == sorted([*ready_roots(store), store / "CACHEDIR.TAG"])
        assert len(ready_roots(store)) == 2


def test_crowd_over_a_server_with_errors_of_its_own(survivor: Survivor, tmp_path: Path, library: str) -> None:
    """sshfs says EPERM of a rename over a directory."""
    count = tmp_path / "count"
    rename = {"LD_PRELOAD": library, "ODD_RENAME": str(errno.EPERM)}
    survivor.crowd(8, POST_LINK_COUNT=str(count), POST_LINK_SLEEP="0.2", **rename)
    assert_no_fault(survivor)
    assert runs(count) == 1
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_root_of_another_host_that_a_client_takes_for_missing(
    survivor: Survivor, tmp_path: Path, library: str, as_root: None
) -> None:
    """A client of NFS that saw no `start` sees none for a minute: the root of another host is not a half one."""
    count = tmp_path / "count"
    first = survivor.popen(*on_host("one"), str(survivor.archive), POST_LINK_COUNT=str(count), POST_LINK_SLEEP="1")
    wait_until(count.exists, "no post-link script ran")
    names = {"LD_PRELOAD": library, "ODD_MISSED": "/start"}
    second = survivor.popen(*on_host("two"), str(survivor.archive), POST_LINK_COUNT=str(count), **names)
    wait_until(lambda: list(survivor.store.glob("*.claim-*")), "nobody waits")
    survivor.judge(first)
    survivor.judge(second)
    assert_no_fault(survivor)
    assert runs(count) == 1
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_old_attributes_of_a_claim(survivor: Survivor, tmp_path: Path, library: str, as_root: None) -> None:
    """A client has attributes of half a minute ago: the owner, on another host, counts as alive."""
    count = tmp_path / "count"
    first = survivor.popen(*on_host("one"), str(survivor.archive), POST_LINK_COUNT=str(count), POST_LINK_SLEEP="2")
    wait_until(count.exists, "no post-link script ran")
    held = claim_of(survivor.store)
    old = {"LD_PRELOAD": library, "ODD_OLD": f".claim/{held.name}"}
    second = survivor.popen(*on_host("two"), str(survivor.archive), POST_LINK_COUNT=str(count), **old)
    survivor.judge(first)
    survivor.judge(second)
    assert_no_fault(survivor)
    assert runs(count) == 1


@pytest.mark.parametrize("by", ["sh", sys.executable], ids=["sh", "python"])
def test_each_open_of_start(survivor: Survivor, tmp_path: Path, library: str, by: str) -> None:
    """One fails: in the shell of a later start, in Python, or in the shell that Python starts."""
    survivor.start()
    (root,) = ready_roots(survivor.store)
    left, env = tmp_path / "left", {"LD_PRELOAD": library, "ODD_OPEN": f"{root.name}/start"}
    for after in range(5):
        left.write_text("x" + "." * after)
        answer = {**env, "ODD_TIMES": str(left), "ODD_ERROR": str(errno.ESTALE)}
        process = survivor.popen(by, str(survivor.archive), **answer)
        printed, said = process.communicate()
        assert (process.returncode, printed) == (0, survivor.expected), f"after {after}: {said}"
        assert "Traceback" not in said
    assert "x" in left.read_text()  # there are not so many
