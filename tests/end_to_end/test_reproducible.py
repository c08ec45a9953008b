"""The same input gives the same bytes for every user, place and time; and no trace of the builder is in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Archive, Coex, only_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

PACKAGES = ("hello-noarch", "python", "data-generic", "awkward-files", "legacy-pkg")
FILES = {"main.sh": "#!/bin/sh\n", "data/a.txt": "a", "data/b.txt": "b", "data/c/d.txt": "d"}


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def checkout(directory: Path, *, reverse: bool = False) -> Path:
    """Make the app's files, as one or another checkout would."""
    for name, text in sorted(FILES.items(), reverse=reverse):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / "main.sh").chmod((directory / "main.sh").stat().st_mode | 0o100)
    return directory


def build(coex: Coex, directory: Path, env: dict[str, str] | None = None) -> str:
    coex(directory, "-q", "--entrypoint", "./main.sh", "data", packages=PACKAGES, env=env)
    return digest(directory)


def digest(directory: Path) -> str:
    return hashlib.sha256((directory / "main.coex").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def first(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a build under the usual circumstances."""
    directory = checkout(tmp_path_factory.mktemp("first"))
    build(coex, directory)
    return directory


def test_other_circumstances(coex: Coex, first: Path, tmp_path: Path) -> None:
    """Another directory, umask, time zone and language; files made in another order at other times."""
    env = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7", "COLUMNS": "40", "HOME": str(tmp_path)}
    with umask(0o077):
        directory = checkout(tmp_path / "elsewhere", reverse=True)
        os.utime(directory / "data/a.txt", (1, 1))
        assert build(coex, directory, env) == digest(first)


def test_other_order_and_spelling(coex: Coex, tmp_path: Path) -> None:
    """Other orders of specs, variables, and files of the app, which ask for the same."""
    asked = [
        (("cprog", "zstd=1.5", "legacy-pkg"), ("A=1", "B=2"), ("data",)),
        (("legacy-pkg ", "zstd 1.5.*", "cprog", "Legacy-Pkg"), ("B=2", "A=1"), ("main.sh", "data/c", "./data/")),
    ]
    digests = set()
    for number, (packages, variables, sources) in enumerate(asked):
        directory = checkout(tmp_path / str(number))
        env = [word for variable in variables for word in ("--env", variable)]
        coex(directory, "-q", "--entrypoint", "./main.sh", *env, *sources, packages=packages)
        digests.add(digest(directory))
    assert len(digests) == 1


def test_caches_filled_under_any_umask(conda: Conda, uncached_channel: tuple[str, ...], tmp_path: Path) -> None:
    """conda extracts packages through the umask: the removed permissions come from the package files."""
    wanted = [word for name in ("awkward-files", "cprog", "legacy-pkg", "zstd") for word in ("--package", name)]
    modes = {}
    for mask in (0o022, 0o002, 0o077):
        directory = checkout(tmp_path / f"{mask:o}")
        with umask(mask):
            command = ("coex", "create", "-q", "-y", *uncached_channel, *wanted, "--entrypoint", "./main.sh", "data")
            conda(*command, cwd=directory, env={"CONDA_PKGS_DIRS": str(directory / "pkgs")})
        modes[mask] = (directory / "pkgs/cprog-1.0-0/bin/cprog").stat().st_mode & 0o777
    assert modes == {0o022: 0o755, 0o002: 0o755, 0o077: 0o700}
    assert len({digest(tmp_path / f"{mask:o}") for mask in modes}) == 1


def test_date_of_the_source(coex: Coex, first: Path, tmp_path: Path) -> None:
    env = {"SOURCE_DATE_EPOCH": "1600000000"}
    dated = [build(coex, checkout(tmp_path / name), env) for name in "ab"]
    assert dated[0] == dated[1] != digest(first)
    with zipfile.ZipFile(tmp_path / "a/main.coex") as tail:
        assert {member.date_time for member in tail.infolist()} == {(2020, 9, 13, 12, 26, 40)}


def test_no_trace_of_the_builder(coex: Coex, first: Path, testbed: Layout, conda_home: Path, tmp_path: Path) -> None:
    """Neither in the tail, nor in anything that is unpacked."""
    secrets = [os.fsencode(path) for path in (first, conda_home, testbed.pkgs)]
    with zipfile.ZipFile(first / "main.coex") as tail:
        members = {member.filename: tail.read(member) for member in tail.infolist()}
    assert {"coex.json", "index", "__main__.py"} <= members.keys()
    assert [name for name, content in members.items() for secret in secrets if secret in content] == []
    Archive(first / "main.coex").start(store=tmp_path)
    patterns = [word for secret in secrets for word in ("-e", os.fsdecode(secret))]
    command = ["grep", "-rlFa", *patterns, str(only_root(tmp_path))]
    found = subprocess.run(command, capture_output=True, check=False)
    assert (found.returncode, found.stdout) == (1, b"")
