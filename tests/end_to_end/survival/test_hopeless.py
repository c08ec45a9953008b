"""Places where nothing can be unpacked.

The next one serves, or one message has the reason for each refusal and the variable to set. File systems are mounted in
a namespace of each start's own; other users are real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.archives import Coex
    from testbed.survivor import Survivor

USER = 54321  # a user id without a name on this machine
OTHER = 54322


@pytest.fixture
def home(reachable: Path, as_root: None) -> Iterator[Path]:
    """Return the empty home of a user, which others can read; files of the user elsewhere are removed."""
    directory = Path(tempfile.mkdtemp(dir=reachable))
    os.chown(directory, USER, USER)
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
    for place in temporary():
        shutil.rmtree(place, ignore_errors=True)


def temporary() -> list[Path]:
    return [Path(f"/tmp/coex-{USER}"), Path(f"/var/tmp/coex-{USER}")]


def start(
    survivor: Survivor, mounts: str = ":", user: int = USER, **env: str | Path | None
) -> subprocess.CompletedProcess[str]:
    """Start the archive as a user, below file systems that `mounts`, a shell command of root, mounts before."""
    words = {"PATH": "/usr/bin:/bin", **{name: str(value) for name, value in env.items() if value is not None}}
    become = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
    script = f"{mounts} || exit 99\nexec \"$@\""
    command = ["unshare", "-m", "sh", "-c", script, "sh", *become, str(survivor.archive), "x"]
    return subprocess.run(command, env=words, cwd="/", capture_output=True, text=True, timeout=120, check=False)


def works(survivor: Survivor, place: Path, *arguments: Any, **env: Any) -> None:
    """Start twice: it runs, and its unpacked files are in `place`."""
    for _ in range(2):
        done = start(survivor, *arguments, **env)
        assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")
    if place != Path():
        assert len(list(place.glob("*/start"))) == 1, place


def refused(survivor: Survivor, *arguments: Any, **env: Any) -> str:
    """Start where nothing works: one line, which names the variable to set."""
    done = start(survivor, *arguments, **env)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert done.stderr.startswith("coex: no place to unpack: "), done.stderr
    which = "another directory" if env.get("COEX_ROOT") else "a directory of yours"
    assert done.stderr.endswith(f"; name {which} in COEX_ROOT\n")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_no_home(survivor: Survivor, home: Path) -> None:
    (nowhere := home / "unwritable").mkdir()
    for value in (None, "", "/", "//", "relative", home / "missing/of root", "/proc/1", "/dev/null", nowhere):
        if value == home / "missing/of root":
            home.chmod(0o555)
            os.chown(home, 0, 0)
        works(survivor, temporary()[0], HOME=value)


def test_cache_home(survivor: Survivor, home: Path) -> None:
    works(survivor, home / ".cache/coex", HOME=home, XDG_CACHE_HOME="relative")
    works(survivor, home / "c a/che/coex", HOME=home, XDG_CACHE_HOME=home / "c a/che")


def test_store_with_spaces(survivor: Survivor, home: Path) -> None:
    works(survivor, home / "a 'b' $c", COEX_ROOT=home / "a 'b' $c")


@pytest.mark.parametrize("umask", ["000", "077"])
def test_umask(survivor: Survivor, home: Path, umask: str) -> None:
    works(survivor, home / ".cache/coex", f"umask {umask}", HOME=home)
    (root,) = (home / ".cache/coex").glob("*/")
    modes = {path: path.stat().st_mode & 0o7777 for path in (root, root / "start", root / "activate.sh")}
    assert list(modes.values()) == [0o755, 0o644, 0o644]
    assert (home / ".cache").stat().st_mode & 0o7777 == 0o700
    writable = [path for path in root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert [path for path in writable if path.name != "used"] == []


# Commands of root that make $STORE hopeless, and the message for each.
HOPELESS = {
    "read-only": ("mount -t tmpfs -o mode=755,ro none $STORE", "on a read-only file system"),
    "noexec": ("mount -t tmpfs -o mode=700,uid=54321,noexec none $STORE", "mounted noexec"),
    "too small": ("mount -t tmpfs -o mode=700,uid=54321,size=1m none $STORE", "1 MB are free, 6 MB are needed"),
    "no inodes": ("mount -t tmpfs -o mode=700,uid=54321,nr_inodes=20 none $STORE", "files (inodes) are free,"),
    "of another user": ("chown 54322 $STORE && chmod 755 $STORE", "not writable"),
}


@pytest.fixture
def store(home: Path) -> Path:
    """Return a directory to be made hopeless."""
    store = home / "store"
    store.mkdir(mode=0o700)
    os.chown(store, USER, USER)
    return store


@pytest.mark.parametrize("how", HOPELESS)
def test_named_place_that_is_hopeless(survivor: Survivor, store: Path, how: str) -> None:
    mounts, why = HOPELESS[how]
    said = refused(survivor, f"STORE={store}; {mounts}", COEX_ROOT=store)
    assert f"{store}: " in said
    assert why in said


@pytest.mark.parametrize("how", HOPELESS)
def test_cache_that_is_hopeless(survivor: Survivor, home: Path, store: Path, how: str) -> None:
    (home / ".cache").mkdir()
    os.chown(home / ".cache", USER, USER)
    cache = store.rename(home / ".cache/coex")
    works(survivor, temporary()[0], f"STORE={cache}; {HOPELESS[how][0]}", HOME=home)


def test_file_system_that_counts_nothing(survivor: Survivor, home: Path, store: Path) -> None:
    """It says that 0 of 0 blocks and inodes are free, as some of FUSE do."""
    mount = f"mount -t tmpfs -o mode=700,uid={USER},size=0,nr_inodes=0 none {store}"
    done = start(survivor, mount, COEX_ROOT=store)
    assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")
    for words in (f"unpack -p {store}/environment", f"unpack --store {store}/store"):
        script = f'{mount} && COEX_TOOLS=1 "$0" {words}'
        command = ["unshare", "-m", "sh", "-c", script, survivor.archive]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), words


def test_every_place_is_hopeless(survivor: Survivor, home: Path) -> None:
    for place in temporary():
        squat(place, "directory", home)
    (home / "small").mkdir()
    small = f"mount -t tmpfs -o mode=700,uid={USER},size=1100k none {home}/small"
    said = refused(survivor, small, HOME="/", TMPDIR=home / "small", XDG_CACHE_HOME="/proc/nothing")
    assert "/proc/nothing/coex: No such file or directory, " in said
    assert f"{home}/small/coex-{USER}: 1 MB are free, " in said
    assert said.count("owned by another user") == 2


def needed(survivor: Survivor) -> int:
    """Return the number of bytes that the archive says it needs, in whole pages."""
    with zipfile.ZipFile(survivor.archive) as tail:
        unpacked = json.loads(tail.read("coex.json"))["unpacked"]
    return (int(unpacked["bytes"]) // 4096 + 2) * 4096


def test_full_while_unpacking(survivor: Survivor, home: Path, store: Path) -> None:
    """There is room by the sum of all sizes, but not by whole blocks: the next place serves."""
    cache = home / ".cache/coex"
    exact = f"mkdir -p {cache} && mount -t tmpfs -o mode=700,uid={USER},size={needed(survivor)} none {cache}"
    works(survivor, temporary()[0], exact, HOME=home)
    said = refused(survivor, exact, COEX_ROOT=cache)
    assert f"{cache}: no space is left to unpack" in said


@pytest.fixture
def with_placeholders(coex: Coex, reachable: Path) -> Path:
    """Return an archive of a package that holds its prefix."""
    (reachable / "greet.sh").write_text('#!/bin/sh\ncat "$COEX_PREFIX/share/libcgreet/greeting.txt"\n')
    options = ("-q", "--entrypoint", "./greet.sh", "-o", "greet.coex", "greet.sh")
    coex(reachable, *options, packages=("cprog", "zstd"))
    return reachable / "greet.coex"


def test_path_that_is_too_long(survivor: Survivor, with_placeholders: Path, home: Path) -> None:
    survivor.archive, survivor.expected = with_placeholders, "good day\n"
    long = home / "/".join(["x" * 50] * 6)
    assert f"{long}: its path makes a prefix of " in refused(survivor, COEX_ROOT=long)
    works(survivor, temporary()[0], XDG_CACHE_HOME=long)


def test_path_that_a_package_does_not_take(survivor: Survivor, with_placeholders: Path, home: Path) -> None:
    """It holds its prefix in UTF-16, in which a path that is not UTF-8 cannot be written."""
    survivor.archive, survivor.expected = with_placeholders, "good day\n"
    odd = Path(os.fsdecode(os.fsencode(home) + b"/\xff"))
    odd.mkdir()
    os.chown(odd, USER, USER)
    said = refused(survivor, COEX_ROOT=odd)
    assert "\\xff: a package needs a place whose path is UTF-8; name another directory in COEX_ROOT" in said
    works(survivor, temporary()[0], HOME=odd)
    assert [*odd.glob(".cache/coex/*")] == [odd / ".cache/coex/CACHEDIR.TAG"]


def test_store_that_is_a_link(survivor: Survivor, home: Path, store: Path) -> None:
    (home / ".cache").mkdir()
    (home / ".cache/coex").symlink_to(store)
    os.chown(home / ".cache", USER, USER)
    works(survivor, temporary()[0], HOME=home)
    works(survivor, store, COEX_ROOT=home / ".cache/coex")


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_store_where_others_can_write(survivor: Survivor, home: Path, store: Path, mode: int) -> None:
    (home / ".cache").mkdir()
    os.chown(home / ".cache", USER, USER)
    store.rename(home / ".cache/coex").chmod(mode)
    works(survivor, temporary()[0], HOME=home)


def squat(place: Path, how: str, home: Path) -> None:
    """Make another user's thing of our name: a directory with a start that would run, or a link."""
    if how == "link":
        (home / "trap").mkdir()
        place.symlink_to(home / "trap")
    else:
        place.mkdir(mode=0o777)
        place.chmod(0o777)
    os.chown(place, OTHER, OTHER, follow_symlinks=False)


@pytest.mark.parametrize("how", ["directory", "link"])
def test_squatted_temporary_directory(survivor: Survivor, home: Path, how: str) -> None:
    works(survivor, temporary()[0])  # a root that another user's directory now pretends to hold
    place = temporary()[0]
    pretended = place.rename(place.with_suffix(".moved"))
    try:
        squat(place, how, home)
        for root in (path for path in pretended.iterdir() if path.is_dir()):
            subprocess.run(["cp", "-a", root, place], check=True)
            (place / root.name / "start").write_text("echo squatted; exit 1\n")
        works(survivor, temporary()[1])
    finally:
        shutil.rmtree(pretended)
        subprocess.run(["rm", "-rf", place], check=True)


def test_all_temporary_directories_squatted(survivor: Survivor, home: Path) -> None:
    for place in temporary():
        squat(place, "directory", home)
    said = refused(survivor)
    for place in temporary():
        assert f"{place}: owned by another user (uid {OTHER})" in said


def test_shared_store_that_is_read_only(survivor: Survivor, home: Path, store: Path) -> None:
    store.chmod(0o755)
    works(survivor, store, COEX_ROOT=store)
    (root,) = store.iterdir()
    before = sorted(path.name for path in root.iterdir())
    read_only = f"mount --bind {store} {store} && mount -o remount,bind,ro {store}"
    for user in (OTHER, USER):
        done = start(survivor, read_only, user=user, COEX_ROOT=store)
        assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")
    done = start(survivor, user=OTHER, HOME=store.parent, XDG_CACHE_HOME=store.parent)
    assert done.stdout == survivor.expected  # not from a store that nobody named
    assert sorted(path.name for path in root.iterdir()) == before
    shutil.rmtree(f"/tmp/coex-{OTHER}", ignore_errors=True)


def test_no_proc(survivor: Survivor, home: Path) -> None:
    works(survivor, home / ".cache/coex", "mount -t tmpfs none /proc", HOME=home)


@pytest.mark.parametrize("dev", ["mount -t tmpfs none /dev", "mount -t tmpfs -o ro none /dev"])
def test_no_dev_null(survivor: Survivor, with_placeholders: Path, home: Path, dev: str) -> None:
    """Chroots and sandboxes may have an empty /dev; scripts of packages may need more than the start does."""
    survivor.archive, survivor.expected = with_placeholders, "good day\n"
    works(survivor, home / ".cache/coex", dev, HOME=home)
