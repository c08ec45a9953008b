"""A place whose file system ignores case in names, as on macOS and many file servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Archive, ready_roots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from end_to_end.archives import Coex

# Opens every file below $BLIND by its name in lower case.
BLIND = """
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int blind(const char *path, int flags, int mode) {
    char low[4096], *name;
    const char *below = getenv("BLIND");
    strncpy(low, path, sizeof low - 1);
    low[sizeof low - 1] = 0;
    if (below && !strncmp(path, below, strlen(below)))
        for (name = strrchr(low, '/'); name && *name; name++) *name = tolower(*name);
    return syscall(SYS_openat, -100, low, flags, mode);
}
#define OPEN(name) int name(const char *path, int flags, ...) { \\
    va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); return blind(path, flags, mode); }
OPEN(open)
OPEN(open64)
"""
SHOW = '#!/bin/sh\ncat "$COEX_APP/Data/Name" "$COEX_APP/Data/name"\n'
PAIR = "app/Data/Name and app/Data/name"


@pytest.fixture(scope="module")
def archive(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    directory = tmp_path_factory.mktemp("case")
    (directory / "Data").mkdir()
    for name in ("Name", "name"):
        (directory / "Data" / name).write_text(f"{name}\n")
    (directory / "show.sh").write_text(SHOW)
    done = coex(directory, "-q", "--entrypoint", "./show.sh", "-o", "app.coex", "show.sh", "Data", packages=("zstd",))
    return Archive(directory / "app.coex", done.stderr)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("library")
    (directory / "blind.c").write_text(BLIND)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "blind.so", "blind.c"], cwd=directory, check=True)
    return directory / "blind.so"


def test_note(archive: Archive) -> None:
    said = "unpacks only on a file system with upper and lower case, which shares of Windows do not have, because of "
    assert [line for line in archive.said.splitlines() if PAIR in line] == [f"coex: note: {said}{PAIR}"]


def test_the_next_place_serves(archive: Archive, library: Path, tmp_path: Path) -> None:
    """With COEX_ROOT there is no other place: the message gives the reason."""
    blind, other = tmp_path / "blind", tmp_path / "other"
    for directory in (blind, other):
        directory.mkdir(mode=0o700)
    env = {"BLIND": str(blind), "LD_PRELOAD": str(library), "HOME": str(blind), "TMPDIR": str(other), "COEX_ROOT": ""}
    assert archive.start(store=blind, env=env) == "Name\nname\n"
    (root,) = other.glob("coex-*/*/start")
    assert not ready_roots(blind / ".cache/coex")
    done = archive.run(store=blind, env={**env, "COEX_ROOT": str(blind / "named")})
    assert done.returncode == 125
    assert done.stderr == (
        f"coex: no place to unpack: {blind}/named: its file system does not tell {PAIR} apart; "
        "name another directory in COEX_ROOT\n"
    )
    shutil.rmtree(root.parent)


def test_unpack(archive: Archive, library: Path, tmp_path: Path) -> None:
    env = {"BLIND": str(tmp_path), "LD_PRELOAD": str(library), "COEX_TOOLS": "1"}
    for words in (("-p", f"{tmp_path}/env", "--app", f"{tmp_path}/app"), ("--store", f"{tmp_path}/store")):
        done = archive.run("unpack", *words, "--json", store=tmp_path, env=env)
        assert done.returncode == 1
        assert f"does not tell {PAIR} apart" in json.loads(done.stdout)["error"]
        assert [path for path in tmp_path.iterdir() if path.name != "store"] == []
        assert list(tmp_path.glob("store/*/")) == []


# Commands that make and mount a file system without upper and lower case at $1, of the file $2.
MOUNTS = {
    "ext4 with casefold": (
        'mkfs.ext4 -q -O casefold -E encoding=utf8 "$2" && mount -o loop "$2" "$1" && mkdir "$1/s" && chattr +F "$1/s"'
    ),
    "NTFS": 'mkntfs -q -F "$2" && lowntfs-3g -o permissions,ignore_case "$2" "$1" && mkdir "$1/s"',
}


@pytest.fixture(params=MOUNTS)
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Return an empty directory of such a file system; the test is skipped if this machine refuses it."""
    place = tmp_path / "mounted"
    place.mkdir()
    with (tmp_path / "disk").open("wb") as stream:
        stream.truncate(64 << 20)
    command = ["sh", "-c", MOUNTS[request.param], "sh", place, tmp_path / "disk"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        place.chmod(0o755)
        (place / "s").chmod(0o700)
        (place / "s/A").write_text("x")
    works = done.returncode == 0 and (place / "s/a").exists()
    try:
        if not works:
            pytest.skip(f"this machine cannot mount {request.param}: {' '.join(done.stderr.split())[:200]}")
        (place / "s/A").unlink()
        yield place / "s"
    finally:
        if os.path.ismount(place):
            subprocess.run(["umount", place], check=True)


def test_a_file_system_of_this_kind(archive: Archive, mounted: Path, tmp_path: Path) -> None:
    """As on the disks of Macs: the next place serves, and the message gives the reason."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    env = {"HOME": str(mounted), "TMPDIR": str(other), "COEX_ROOT": ""}
    assert archive.start(store=mounted, env=env) == "Name\nname\n"
    assert list(other.glob("coex-*/*/start"))
    assert not ready_roots(mounted / ".cache/coex")
    done = archive.run(store=mounted, env={**env, "COEX_ROOT": str(mounted / "named")})
    assert done.returncode == 125
    assert f"its file system does not tell {PAIR} apart" in done.stderr
