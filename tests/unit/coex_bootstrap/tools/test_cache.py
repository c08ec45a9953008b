"""The roots of a host: listed with their processes, cleaned by age, size and name, never one in use."""

import argparse
import errno
import os
import subprocess
import time

import pytest
from coex_bootstrap.store.claim import Claim
from coex_bootstrap.store.store import TAG, Store
from coex_bootstrap.tools import cache, clean_conditions
from coex_bootstrap.tools import roots as roots_module

from unit.coex_bootstrap.building import file_row, make_index, wait_until, write, write_archive
from unit.coex_bootstrap.demo_archive import ask, start
from unit.coex_bootstrap.other_users import give_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

MONTH = 30 * 86400


@pytest.fixture
def roots(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> List[bytes]
    """Return two roots, one of `demo` that was used a month ago, one of `other` used an hour ago."""
    first = start(archive, environ)
    script = b"#!/bin/sh\nexec sleep 60\n"
    index = make_index([file_row(b"prefix/bin/demo", 0, 0, len(script), mode=0o755)])
    write_archive(archive, index, [script], name="other")
    with open(os.devnull, "r+b") as nothing:
        process = subprocess.Popen([b"sh", archive], env=environ, stdout=nothing)
    store = environ[b"COEX_ROOT"]
    wait_until(lambda: sum(os.path.exists(store + b"/" + name + b"/used") for name in os.listdir(store)) == 2, "two roots")
    process.kill()
    process.wait()
    (second,) = [name for name in os.listdir(environ[b"COEX_ROOT"]) if len(name) == 24 and name != os.path.basename(first)]
    found = [first, environ[b"COEX_ROOT"] + b"/" + second]
    for root, ago in zip(found, (MONTH, 3600)):
        for name in (b"/used", b"/start"):
            os.utime(root + name, (time.time() - ago,) * 2)
    return found


def names(environ):
    # type: (Dict[bytes, bytes]) -> List[bytes]
    return sorted(environ[b"COEX_ROOT"] + b"/" + name for name in os.listdir(environ[b"COEX_ROOT"]) if name != TAG)


def test_store_is_marked_as_a_cache(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    with open(environ[b"COEX_ROOT"] + b"/CACHEDIR.TAG", "rb") as stream:
        assert stream.read().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")


@pytest.mark.parametrize("how", ["owner", "mode", "link"])
def test_roots_of_another_user_are_not_read(archive, environ, roots, how):
    # type: (bytes, Dict[bytes, bytes], List[bytes], str) -> None
    """A reader of such a pipe would wait for ever."""
    planted = environ[b"COEX_ROOT"] + b"/" + b"f" * 24
    os.mkdir(planted)
    os.mkfifo(planted + b"/coex.json")
    give_away(planted, how)
    status, found, _ = ask(archive, environ, b"cache", b"list")
    assert (status, [row["path"].encode("ascii") for row in found["roots"]]) == (0, roots[::-1])


def test_list_and_path(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    status, found, _ = ask(archive, environ, b"cache", b"list")
    listed = [(row["name"], row["path"].encode("ascii"), row["ready"], row["pids"]) for row in found["roots"]]
    assert (status, listed) == (0, [("other", roots[1], True, []), ("demo", roots[0], True, [])])
    assert all(row["size"] > 4096 for row in found["roots"])
    assert ask(archive, environ, b"cache", b"path")[1]["path"].encode("ascii") == environ[b"COEX_ROOT"]


@pytest.mark.parametrize(("words", "removed"), [
    ([], []), ([b"--all"], [0, 1]), ([b"--older-than", b"2d"], [0]), ([b"--older-than", b"90d"], []),
    ([b"--name", b"oth*"], [1]), ([b"--name", b"oth*", b"--older-than", b"2d"], []), ([b"--max-size", b"10GB"], []),
    ([b"--max-size", b"0"], [0, 1]), ([b"--larger-than", b"1GB"], []), ([b"--larger-than", b"1k"], [0, 1]),
], ids=repr)
def test_clean(archive, environ, roots, words, removed):
    # type: (bytes, Dict[bytes, bytes], List[bytes], List[bytes], List[int]) -> None
    chosen = sorted(roots[number] for number in removed)
    status, found, _ = ask(archive, environ, b"cache", b"clean", b"--dry-run", *words)
    assert (status, sorted(row["path"].encode("ascii") for row in found["removed"])) == (0, chosen)
    assert names(environ) == sorted(roots)
    status, found, _ = ask(archive, environ, b"cache", b"clean", b"-y", *words)
    assert (status, sorted(row["path"].encode("ascii") for row in found["removed"])) == (0, chosen)
    assert names(environ) == sorted(set(roots) - set(chosen))


def test_least_recently_used_goes_first(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    sizes = [row["size"] for row in ask(archive, environ, b"cache", b"list")[1]["roots"]]
    limit = str(sum(sizes) - 1).encode("ascii")
    found = ask(archive, environ, b"cache", b"clean", b"-y", b"--max-size", limit)[1]
    assert [row["name"] for row in found["removed"]] == ["demo"]


def clean_both(environ, roots):
    # type: (Dict[bytes, bytes], List[bytes]) -> List[str]
    """Try to remove both roots; return the reasons of those that stay."""
    listed = roots_module.find_roots([Store(environ[b"COEX_ROOT"], explicit=True)])
    outcome = cache.clean(listed, listed, [])
    reasons = [row["why"] for row in outcome.fields["kept"]]  # type: ignore[attr-defined]
    lines = [line for line in outcome.lines if line.startswith("not removed: ")]
    assert len(lines) == len(reasons) and all(line.endswith(": " + why) for line, why in zip(lines, reasons))
    return reasons


def test_root_that_started_just_now_stays(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    """Its process may not be visible yet."""
    os.utime(roots[0] + b"/used", None)
    assert clean_both(environ, roots) == ["it was started just now; try again in a moment"]
    assert names(environ) == [roots[0]]


def test_root_that_a_process_began_to_use_stays(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    process = subprocess.Popen([b"sleep", b"60"], cwd=roots[0] + b"/prefix")
    try:
        assert clean_both(environ, roots) == ["it is in use by the process %d" % process.pid]
    finally:
        process.kill()
        process.wait()
    assert names(environ) == [roots[0]]


def test_root_that_another_process_repairs_stays(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    claim = Claim(roots[0])
    assert claim.wait(lambda: False, lambda: None)
    try:
        assert clean_both(environ, roots) == ["another process unpacks or repairs it; try again later"]
    finally:
        claim.release()
    assert names(environ) == [roots[0]]


@pytest.mark.parametrize(("number", "words"), [
    (errno.EACCES, "Permission denied; the owner of its directory can do that"), (errno.EROFS, "Read-only file system"),
])
def test_root_that_may_not_be_removed_stays(archive, environ, roots, monkeypatch, number, words):
    # type: (bytes, Dict[bytes, bytes], List[bytes], Any, int, str) -> None
    def refuse(path, claim):
        # type: (bytes, Claim) -> bytes
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(roots_module, "set_aside", refuse)
    assert clean_both(environ, roots) == ["it cannot be removed: " + words] * 2
    assert names(environ) == sorted(roots)


def test_root_in_use_stays(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    process = subprocess.Popen([b"sleep", b"60"], cwd=roots[0] + b"/prefix")
    why = "it is in use by the process %d" % process.pid
    try:
        found = ask(archive, environ, b"cache", b"list")[1]
        assert [row["pids"] for row in found["roots"]] == [[], [process.pid]]
        for words, kept in (
            ([b"--all", b"-n"], [why]), ([b"--name", b"oth*", b"-n"], []), ([b"--max-size", b"1GB"], []),
            ([b"--max-size", b"0", b"-n"], [why]), ([], []), ([b"--all"], [why]),
        ):
            status, found, _ = ask(archive, environ, b"cache", b"clean", b"-y", *words)
            assert (status, [row["why"] for row in found["kept"]]) == (0, kept)
        assert names(environ) == [roots[0]]
    finally:
        process.kill()
        process.wait()


def test_lines_on_a_root_in_use(archive, environ, roots, monkeypatch):
    # type: (bytes, Dict[bytes, bytes], List[bytes], Any) -> None
    found = roots_module.find_roots([Store(environ[b"COEX_ROOT"], explicit=True)])
    found[0].pids = [4, 12]
    options = argparse.Namespace(all=True, older_than=None, larger_than=None, root_name=None, max_size=None)
    chosen, in_use = clean_conditions.choose(found, options, time.time())
    assert (chosen, [root for root, _ in in_use]) == (found[1:], found[:1])
    shown = list(cache.would_remove([], in_use).lines)
    assert shown[0] == "would remove no root"
    assert shown[1].startswith("would not remove ") and shown[1].endswith(": it is in use by the processes 4, 12")
    found[0].pids, found[0].server, found[0].used = [], b"nfs", time.time()
    (_, why), = clean_conditions.choose(found, options, time.time())[1]
    assert why == "it was started within a day, and processes that use it may be invisible"


def test_root_that_is_put_back_by_a_server_that_fails_once(place, monkeypatch):
    # type: (bytes, Any) -> None
    """A start began while it was set aside."""
    rename, failed = os.rename, []

    def fail_once(old, new):
        # type: (bytes, bytes) -> None
        if not failed:
            failed.append(new)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(old, new)

    os.mkdir(place + b"/aside")
    monkeypatch.setattr(os, "rename", fail_once)
    roots_module.put_back(place + b"/aside", place + b"/root")
    assert os.listdir(place) == [b"root"]


def test_root_whose_server_does_not_tell_its_last_use(archive, environ, roots, monkeypatch):
    # type: (bytes, Dict[bytes, bytes], List[bytes], Any) -> None
    """It counts as used now, so it is not removed."""
    lstat = os.lstat

    def fail(path, *words, **more):
        # type: (Any, *Any, **Any) -> Any
        if path == roots[0] + b"/used":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return lstat(path, *words, **more)

    monkeypatch.setattr(os, "lstat", fail)
    assert ask(archive, environ, b"cache", b"clean", b"-y", b"--older-than", b"2d")[0] == 0
    assert names(environ) == sorted(roots)


def test_leftovers_go(archive, environ, roots):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    from coex_bootstrap.store.identity import this_host

    write(roots[0] + b".work-" + this_host() + b"-4194303-1-" + b"0" * 16 + b"/x", b"")
    assert ask(archive, environ, b"cache", b"clean")[0] == 0
    assert names(environ) == sorted(roots)


def test_pythons_of_killed_starts_go(archive, environ, roots, place):
    # type: (bytes, Dict[bytes, bytes], List[bytes], bytes) -> None
    """The prelude had unpacked them into a temporary directory; one of a living process stays."""
    from coex_bootstrap.store.identity import this_host

    start = place + b"/tmp/" + b"a" * 24 + b".python-" + this_host()
    killed, living = start + b"-4194303-0-0", start + b"-%d-0-0" % os.getpid()
    for path in (killed, living):
        write(path + b"/bin/python", b"")
    environ[b"TMPDIR"] = place + b"/tmp"
    assert ask(archive, environ, b"cache", b"clean")[0] == 0
    assert [os.path.exists(killed), os.path.exists(living)] == [False, True]


@pytest.fixture
def python(environ, roots):
    # type: (Dict[bytes, bytes], List[bytes]) -> bytes
    """Return a Python that a start has kept beside the roots, a month ago: its program is one that waits."""
    path = environ[b"COEX_ROOT"] + b"/python-" + b"a" * 24
    write(path + b"/coex.json", b'{"name": "Python 3.12.4"}')
    with open("/bin/sleep", "rb") as stream:
        write(path + b"/bin/python", stream.read(), 0o755)
    write(path + b"/used", b"")
    os.utime(path + b"/used", (time.time() - MONTH,) * 2)
    return path


def test_carried_python(archive, environ, roots, python):
    # type: (bytes, Dict[bytes, bytes], List[bytes], bytes) -> None
    """It is listed and cleaned like a root, but not while a start runs on it."""
    rows = dict((row["path"].encode("ascii"), row) for row in ask(archive, environ, b"cache", b"list")[1]["roots"])
    assert sorted(rows) == sorted(roots + [python])
    assert (rows[python]["name"], rows[python]["ready"], rows[python]["pids"]) == ("Python 3.12.4", True, [])
    process = subprocess.Popen([python + b"/bin/python", b"60"])
    wait_until(lambda: os.readlink("/proc/%d/exe" % process.pid).endswith("/bin/python"), "its program runs")
    try:
        listed = ask(archive, environ, b"cache", b"list")[1]["roots"]
        assert [row["pids"] for row in listed if row["name"] == "Python 3.12.4"] == [[process.pid]]
        assert ask(archive, environ, b"cache", b"clean", b"-y", b"--older-than", b"2d")[0] == 0
        assert names(environ) == sorted([python, roots[1]])
    finally:
        process.kill()
        process.wait()
    assert ask(archive, environ, b"cache", b"clean", b"-y", b"--name", b"Python*")[0] == 0
    assert names(environ) == roots[1:]


def test_python_that_is_about_to_start_stays(archive, environ, roots, python):
    # type: (bytes, Dict[bytes, bytes], List[bytes], bytes) -> None
    """The prelude marks it before it starts it: no process shows it yet."""
    os.utime(python + b"/used", None)
    assert ask(archive, environ, b"cache", b"clean", b"-y", b"--name", b"Python*")[0] == 0
    assert os.path.exists(python + b"/bin/python")
    assert [name for name in names(environ) if b"." in os.path.basename(name)] == []


@pytest.mark.parametrize("words", [
    [b"clean", b"--all"], [b"clean", b"--older-than", b"soon"], [b"clean", b"--max-size", b"big"], [b"list", b"--all"],
    [b"burn"], [], [b"clean", b"--all", b"--older-than", b"6m"],  # months or minutes
], ids=repr)
def test_wrong_command_lines(archive, environ, roots, words):
    # type: (bytes, Dict[bytes, bytes], List[bytes], List[bytes]) -> None
    status, found, error = ask(archive, environ, b"cache", *words)
    assert (status, found["success"], error) == (2, False, b"")
    assert names(environ) == sorted(roots)


@pytest.mark.parametrize(("words", "size"), [("12", 12), ("1.5k", 1500), ("10 GB", 10**10), ("3mb", 3 * 10**6)])
def test_sizes(words, size):
    # type: (str, int) -> None
    assert clean_conditions.size(words) == size


@pytest.fixture
def sharing(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> List[bytes]
    """Return three roots: two that share a large file by hard links, and one with a large file of its own."""
    store, found = place + b"/store", []
    environ[b"COEX_ROOT"] = store
    for number, name in enumerate((b"first", b"second", b"third")):
        root = store + b"/" + (b"%d" % number if bytes is not str else str(number)) * 24
        manifest = b'{"name": "' + name + b'"}'
        write(root + b"/coex.json", manifest)
        write(root + b"/start", b"")
        if name == b"second":
            os.link(found[0] + b"/large", root + b"/large")
        else:
            write(root + b"/large", b"x" * 1000000)
        os.utime(root + b"/start", (1000000000 + number, 1000000000 + number))
        found.append(root)
    return found


def test_shared_files_count_once(archive, environ, sharing):
    # type: (bytes, Dict[bytes, bytes], List[bytes]) -> None
    environ[b"COEX_ROOT"] = os.path.dirname(sharing[0])
    rows = dict((row["name"], row) for row in ask(archive, environ, b"cache", b"list")[1]["roots"])
    assert [rows[name]["shared"] >= 1000000 for name in ("first", "second", "third")] == [True, True, False]
    assert rows["third"]["shared"] == 0
    assert all(1000000 <= row["size"] < 1100000 for row in rows.values())
    found = cache.find_roots(cache.stores(environ))
    assert 2000000 <= cache.total_size(found) < 2100000
    freed = [cache.freed_by([root for root in found if root.name in named]) for named in (
        ("first",), ("second",), ("third",), ("first", "second"), ("first", "second", "third"),
    )]
    assert [size // 1000000 for size in freed] == [0, 0, 1, 1, 2]
    assert freed[-1] == cache.total_size(found)


@pytest.mark.parametrize(("less", "left"), [(0, 3), (1, 2), (500000, 1), (1500000, 0)])
def test_removes_until_shared_files_fit(archive, environ, sharing, less, left):
    # type: (bytes, Dict[bytes, bytes], List[bytes], int, int) -> None
    environ[b"COEX_ROOT"] = os.path.dirname(sharing[0])
    limit = cache.total_size(cache.find_roots(cache.stores(environ))) - less
    words = [b"cache", b"clean", b"--max-size", str(limit).encode("ascii"), b"-y"]
    status, found, _ = ask(archive, environ, *words)
    assert status == 0
    assert [os.path.lexists(root) for root in sharing] == [number >= 3 - left for number in range(3)]
    if left == 1:
        assert 1000000 <= found["size"] < 1100000
