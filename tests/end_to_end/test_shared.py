"""Two archives with the same packages.

The second links files that the first has unpacked, and neither harms the other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.format.archive import Archive as Reader
from end_to_end.archives import Archive, Coex, ready_roots
from testbed import hosts

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

FIRST = ("python", "hello-noarch", "zstd")
SECOND = ("python", "hello-noarch", "legacy-pkg")
HOSTS = {host.name: host.executable for host in hosts.find_pythons()[0]}
OLDEST, NEWEST = next(iter(HOSTS)), [name for name in HOSTS if not name.startswith("pypy")][-1]


@pytest.fixture(scope="module")
def made(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, Archive]:
    """Return two archives of different packages and apps."""
    work = tmp_path_factory.mktemp("made")
    found = []
    for name, packages in (("first", FIRST), ("second", SECOND)):
        (work / f"{name}.py").write_text(f"import sys, json; print('{name}', sys.prefix)")
        coex(work, "-q", "-o", f"{name}.coex", "--entrypoint", f"./{name}.py", packages=packages)
        found.append(Archive(work / f"{name}.coex"))
    return found[0], found[1]


def root_of(archive: Archive, store: Path) -> Path:
    """Return the root of an archive in a store."""
    reader = Reader(os.fsencode(archive.path))
    reader.close()
    return store / os.fsdecode(reader.manifest.root_name)


def start(archive: Archive, store: Path, **env: str) -> tuple[int, int]:
    """Start an archive, which must run from its own root; return how many of its frames were linked, and have files."""
    done = archive.run(store=store, env={"COEX_TRACE": "1", "COEX_PYTHON": sys.executable, **env})
    assert (done.returncode, done.stdout) == (0, f"{archive.path.stem} {root_of(archive, store)}/prefix\n"), done.stderr
    found = re.search(r"link (\d+) of (\d+) frames", done.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def ask(archive: Archive, store: Path, *words: str) -> dict[str, Any]:
    done = archive.run(*words, "--json", store=store, env={"COEX_TOOLS": "1", "COEX_PYTHON": sys.executable})
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def differences(archive: Archive, store: Path) -> list[str]:
    return [each["path"] for each in ask(archive, store, "verify")["root"]["differences"]]


def one_file(first: Path, second: Path) -> bool:
    return (first.stat().st_dev, first.stat().st_ino) == (second.stat().st_dev, second.stat().st_ino)


def test_second_root_has_the_files_of_the_first(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    first, second = made
    assert start(first, tmp_path)[0] == 0
    linked, frames = start(second, tmp_path)
    assert frames > linked > frames / 2
    assert (differences(first, tmp_path), differences(second, tmp_path)) == ([], [])
    alone = tmp_path / "alone"
    assert start(second, alone)[0] == 0
    ours, theirs = (root_of(second, store) / "prefix" for store in (tmp_path, alone))
    names = sorted(path.relative_to(ours) for path in ours.rglob("*"))
    assert names == sorted(path.relative_to(theirs) for path in theirs.rglob("*"))
    states = [(path.lstat().st_mode, path.lstat().st_size) for path in (ours / name for name in names)]
    # the prefixes differ in length, so texts that are relocated do
    others = [(path.lstat().st_mode, path.lstat().st_size) for path in (theirs / name for name in names)]
    assert [mode for mode, _ in states] == [mode for mode, _ in others]
    assert sum(a != b for a, b in zip(states, others, strict=True)) < len(names) / 4


def test_relocated_files_records_and_apps_are_not_shared(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    first, second = made
    start(first, tmp_path)
    start(second, tmp_path)
    here, there = (root_of(archive, tmp_path) for archive in made)
    own = [path for path in here.rglob("*") if path.is_file() and not path.is_symlink()]
    linked = [path.relative_to(here) for path in own if path.stat().st_nlink > 1]
    assert all(one_file(here / path, there / path) for path in linked)
    assert not [path for path in linked if path.parts[0] != "prefix" or path.parts[1] == "conda-meta"]
    assert not [path for path in linked if os.fsencode(here) in (here / path).read_bytes()]


@pytest.mark.parametrize("order", [(OLDEST, NEWEST), (NEWEST, OLDEST), ("pypy3", OLDEST), (NEWEST, "pypy3")])
def test_roots_of_all_hosts_share(made: tuple[Archive, Archive], tmp_path: Path, order: tuple[str, str]) -> None:
    if not set(order) <= HOSTS.keys():
        pytest.skip(f"this machine has no {' or no '.join(sorted(set(order) - HOSTS.keys()))}")
    start(made[0], tmp_path, COEX_PYTHON=str(HOSTS[order[0]]))
    linked, frames = start(made[1], tmp_path, COEX_PYTHON=str(HOSTS[order[1]]))
    assert linked > frames / 2
    assert differences(made[1], tmp_path) == []


def test_cleaning_one_leaves_the_other_whole(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    first, second = made
    start(first, tmp_path)
    start(second, tmp_path)
    os.utime(root_of(first, tmp_path) / "used", (1, 1))
    os.utime(root_of(first, tmp_path) / "start", (1, 1))
    sizes = {row["name"]: row for row in ask(second, tmp_path, "cache", "list")["roots"]}
    done = ask(second, tmp_path, "cache", "clean", "--older-than", "1d", "-y")
    assert [row["name"] for row in done["removed"]] == [sizes["first"]["name"]]
    assert done["size"] == sizes["first"]["size"] - sizes["first"]["shared"]
    assert ready_roots(tmp_path) == [root_of(second, tmp_path)]
    assert differences(second, tmp_path) == []
    assert start(second, tmp_path) == (0, 0)  # it was ready
    assert start(first, tmp_path)[0] > 0  # now the other way round
    assert (differences(first, tmp_path), differences(second, tmp_path)) == ([], [])


def test_damage_in_a_shared_file_is_repaired_in_each(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    first, second = made
    start(first, tmp_path)
    start(second, tmp_path)
    here = root_of(first, tmp_path)
    shared = [path.relative_to(here) for path in here.rglob("*.py") if path.stat().st_nlink > 1 and path.stat().st_size]
    if not shared:
        pytest.skip("this file system clones: nothing is one file")
    name = sorted(shared)[0]
    with (here / name).open("r+b") as stream:
        stream.write(b"\0")
    assert (differences(first, tmp_path), differences(second, tmp_path)) == ([str(name)], [str(name)])
    ask(second, tmp_path, "repair")
    assert (differences(first, tmp_path), differences(second, tmp_path)) == ([str(name)], [])
    ask(first, tmp_path, "repair")
    assert differences(first, tmp_path) == []


def test_a_third_root_takes_nothing_that_was_edited(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    start(made[0], tmp_path)
    python = root_of(made[0], tmp_path) / "prefix" / "lib"
    edited = sorted(path for path in python.rglob("*.py") if path.stat().st_size and not path.is_symlink())[:3]
    for path in edited:
        path.chmod(0o644)
        path.write_text("raise SystemExit('edited')")
    start(made[1], tmp_path)
    assert differences(made[1], tmp_path) == []


def test_conda_in_one_root_changes_nothing_in_the_other(
    made: tuple[Archive, Archive], tmp_path: Path, conda: Conda, channel: tuple[str, ...]
) -> None:
    start(made[0], tmp_path)
    start(made[1], tmp_path)
    prefix = str(root_of(made[0], tmp_path) / "prefix")
    conda("remove", "-y", "-q", "-p", prefix, "--offline", *channel, "hello-noarch")
    conda("install", "-y", "-q", "-p", prefix, *channel, "activate-demo")
    assert differences(made[0], tmp_path) != []
    assert differences(made[1], tmp_path) == []


def test_copies_on_request(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    start(made[0], tmp_path)
    assert start(made[1], tmp_path, COEX_COPY="1")[0] == 0
    prefix = root_of(made[1], tmp_path) / "prefix"
    assert not [path for path in prefix.rglob("*") if path.is_file() and path.lstat().st_nlink > 1]


def test_neighbour_that_is_removed_again_and_again(made: tuple[Archive, Archive], tmp_path: Path) -> None:
    """One root is made beside another that comes and goes: whenever it is linked from, the result is whole."""
    first, second = made
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COEX_ROOT": str(tmp_path)}
    loop = f'while :; do "{first.path}" >/dev/null || exit 9; rm -rf "{root_of(first, tmp_path)}"; done'
    process = subprocess.Popen(["sh", "-c", loop], env=environment, start_new_session=True)
    try:
        for _ in range(8):
            start(second, tmp_path)
            assert differences(second, tmp_path) == []
            shutil.rmtree(root_of(second, tmp_path))
        assert process.poll() is None
    finally:
        os.killpg(process.pid, 9)
        process.wait()
