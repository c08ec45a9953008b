"""An archive unpacks the same files as `conda create --copy` makes at the same place."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.archives import Archive, MakeArchive, only_root
from end_to_end.trees import Entry, compare, record
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Conda
    from testbed.hosts import HostPython
    from testbed.layout import Layout

    Oracle = Callable[[Path, tuple[str, ...]], dict[str, Entry]]

LONGEST = 255  # bytes of the placeholder of the test bed's packages, and so of a prefix
ROOT = len("/") + 24 + len("/prefix")

# These meet in the same paths, or conda and an archive treat them differently on purpose.
TOGETHER = ("clobber-a", "clobber-b", "symlink-dir-a", "symlink-dir-b", "absolute-links")
# This one writes down how it was run: test_post_link.py looks at that.
RUNS = ("post-link-demo",)
# Every way to name the prefix: in text, binaries, #! lines, console scripts, and in packages of old.
SMALL = ("python", "hello-noarch", "cprog", "data-generic", "legacy-pkg", "awkward-files", "shebangs")


@pytest.fixture(scope="module")
def since() -> int:
    """Return a time that is older than every file of these tests, and newer than the packages."""
    return time.time_ns() - 10**9


@pytest.fixture(scope="module")
def conda_tree(conda: Conda, channel: tuple[str, ...], since: int) -> Oracle:
    """Return a function that installs packages with conda at a prefix, which must not exist yet."""

    def make(prefix: Path, packages: tuple[str, ...]) -> dict[str, Entry]:
        conda("create", "-q", "-y", "--copy", "--offline", *channel, "-p", prefix, *packages)
        return record(prefix, since)

    return make


@pytest.fixture(scope="module")
def small(make_archive: MakeArchive) -> Archive:
    return make_archive("python", packages=SMALL)


def unpack(archive: Archive, store: Path, since: int, *arguments: str, **options: Any) -> dict[str, Entry]:
    """Start an archive and record its prefix; nothing is left at the place, so that another can be made there."""
    archive.start(*arguments, store=store, **options)
    found = record(only_root(store) / "prefix", since)
    shutil.rmtree(only_root(store))
    return found


def place(archive: Archive, store: Path) -> Path:
    """Return the prefix that an archive has in a store."""
    name = next(line for line in archive.path.read_bytes().splitlines() if b"/start" in line).split(b"/")[-2]
    return store / name.decode() / "prefix"


def all_packages(testbed: Layout) -> tuple[str, ...]:
    names = set()
    for subdir in ("noarch", native_subdir()):
        repodata = json.loads((testbed.channel / subdir / "repodata.json").read_text(encoding="utf-8"))
        names |= {package["name"] for kind in ("packages", "packages.conda") for package in repodata[kind].values()}
    return tuple(sorted(names))


def test_whole_channel(
    make_archive: MakeArchive, conda_tree: Oracle, testbed: Layout, tmp_path: Path, since: int
) -> None:
    packages = tuple(name for name in all_packages(testbed) if name not in (*TOGETHER, *RUNS))
    archive = make_archive("python", packages=packages)
    ours = unpack(archive, tmp_path, since, "-B", "-V")
    assert len(ours) > 4000
    prefix = place(archive, tmp_path)
    assert compare(ours, with_options(conda_tree(prefix, packages), prefix)) == []


def test_packages_in_each_others_way(
    make_archive: MakeArchive, conda_tree: Oracle, tmp_path: Path, since: int
) -> None:
    archive = make_archive("./run.sh", packages=TOGETHER, run="#!/bin/sh\n")
    ours = unpack(archive, tmp_path, since)
    condas = conda_tree(place(archive, tmp_path), TOGETHER)
    # An absolute link leads to something on the host: conda copies the builder's, an archive keeps the link.
    link = "share/absolute/passwd"
    assert (ours[link].kind, ours[link].content, condas[link].kind) == ("link", b"/etc/passwd", "file")
    assert f"{link} is a link to /etc/passwd and stays one" in archive.said
    assert compare({**ours, link: condas[link]}, condas) == []


def _short(directory: Path) -> Path:
    return directory


def _with_space(directory: Path) -> Path:
    return directory / "a b"


def _longest(directory: Path) -> Path:
    """Return a store in which a prefix has as many bytes as its packages allow."""
    missing = LONGEST - ROOT - len(str(directory)) - 1
    return directory / ("x" * missing)


@pytest.mark.parametrize("choose", [_short, _with_space, _longest])
def test_places(
    small: Archive,
    conda_tree: Oracle,
    choose: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
    since: int,
) -> None:
    store = choose(tmp_path_factory.mktemp("p"))
    prefix = place(small, store)
    assert choose is not _longest or len(str(prefix)) == LONGEST
    ours = unpack(small, store, since, "-B", "-V")
    assert compare(ours, with_options(conda_tree(prefix, SMALL), prefix)) == []


def with_options(condas: dict[str, Entry], prefix: Path) -> dict[str, Entry]:
    """Return conda's tree with options behind `env -S`: without it, they are part of the name that env looks for."""
    changed, sums = dict(condas), {}
    for path in (prefix / "bin").glob("shebang-*"):
        old = path.read_bytes()
        line, _, rest = old.partition(b"\n")
        if line.startswith(b"#!/usr/bin/env ") and len(line.split()) > 2:
            new = line.replace(b"env", b"env -S", 1) + b"\n" + rest
            changed[f"bin/{path.name}"] = replace(condas[f"bin/{path.name}"], content=sha256(new).digest())
            sums[sha256(old).hexdigest().encode()] = sha256(new).hexdigest().encode()
    for name, entry in condas.items():
        content = entry.content
        for before, after in sums.items() if name.startswith("conda-meta/") else ():
            content = content.replace(before, after)
        if content != entry.content:
            changed[name] = replace(entry, content=content)
    return changed


def test_hosts_unpack_the_same(small: Archive, host_pythons: list[HostPython], tmp_path: Path, since: int) -> None:
    """Neither the Python that unpacks shows in the tree, nor the umask that it has."""
    newest = max(host_pythons, key=lambda host: (not host.name.startswith("pypy"), host.version))
    reference = unpack(small, tmp_path, since, "-B", "-V", env={"COEX_PYTHON": str(newest.executable)})
    for host in host_pythons:
        if host.name in ("2.7", "3.6", "pypy3"):
            env = {"COEX_PYTHON": str(host.executable)}
            tree = unpack(small, tmp_path, since, "-B", "-V", env=env, umask=0o077)
            assert compare(tree, _coarse(reference) if host.name == "2.7" else reference) == [], host.name


def _coarse(tree: dict[str, Entry]) -> dict[str, Entry]:
    """Return a tree as Python 2.7 can write it, which sets times by floating point numbers."""
    return {path: replace(entry, time=entry.time and entry.time // 1000 * 1000) for path, entry in tree.items()}
