"""Packages that are not what their records say, or ask for what no package may."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from cases import CPROG, CREATE, OUTPUT, RUN, Case, assert_refused, with_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from cases import Bench, Outcome

AGAIN = "run `conda clean --packages --tarballs` and try again"


def bad(name: str) -> tuple[str, ...]:
    return (*CREATE, "-c", "{bad}", "-c", "{channel}", *RUN, "--package", "cprog", "--package", name)


def list_missing_package(work: Path) -> None:
    """Make a channel that lists a package and does not have it."""
    record = {
        "name": "unseen",
        "version": "1.0",
        "build": "0",
        "build_number": 0,
        "depends": [],
        "subdir": "noarch",
        "md5": "0" * 32,
        "sha256": "0" * 64,
        "size": 1000,
    }
    packages = {"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": {"unseen-1.0-0.conda": record}}
    (work / "channel/noarch").mkdir(parents=True)
    (work / "channel/noarch/repodata.json").write_text(json.dumps(packages), encoding="utf-8")


OTHER_PLATFORM = (*CREATE, "-c", "{channel}", "--package", "data-generic", "--entrypoint", "./run.sh", "--platform")
CASES = [
    Case("path that leaves the prefix", bad("escape-path"), "path '../escaped' leaves the environment"),
    Case("path through a link", bad("escape-found"), "path 'share/up/../../../escaped' leaves the environment"),
    Case(
        "entry point that is a path",
        bad("escape-entry-point"),
        "the entry point '../../evil = evil:main' is no file name",
    ),
    Case(
        "file behind another's link",
        bad("escape-through-link"),
        "the link share/outside of escape-link-1.0-0 leads out of the environment, and a file lies behind it",
    ),
    Case("forged file", bad("bad-hash"), f"share/bad-hash/file.txt: differs from what its package recorded; {AGAIN}"),
    Case(
        "truncated",
        bad("truncated"),
        "truncated-1.0-0.conda. You probably need to delete and re-download or re-create this file",
    ),
    Case(
        "missing from its channel",
        (*CREATE, "-c", "{work}/channel", "--package", "unseen", *RUN),
        "unseen-1.0-0.conda",
        list_missing_package,
    ),
    Case(
        "Python package without a Python",
        (*CREATE, "-c", "{channel}", "--package", "hello-noarch", "--no-deps", *RUN),
        "hello-noarch-1.0-pyh1_0 needs a Python, and the environment has none; add python",
    ),
    Case(
        "other platform without libzstd",
        (*OTHER_PLATFORM, "osx-arm64"),
        "no libzstd for osx-arm64 was found; add the package zstd to the environment, or a channel that has it with -c",
        lambda work: (work / "run.sh").write_text("#!/bin/sh\n"),
    ),
    Case(
        "platform without archives",
        (*OTHER_PLATFORM, "win-64"),
        "the platform win-64 is not supported; use linux-* or osx-*",
        lambda work: (work / "run.sh").write_text("#!/bin/sh\n"),
    ),
    Case(
        "package of another platform",
        (*CPROG, *RUN, "--platform", "linux-aarch64"),
        "not available from current channels: - cprog",
    ),
]


@pytest.mark.parametrize("case", [*CASES, *with_json(CASES[:6])[6:]], ids=str)
def test_package_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    assert_refused(case, outcomes[case].result())


@pytest.fixture
def damaged(bench: Bench, tmp_path: Path) -> Path:
    """Return a package cache of which conda takes cprog, where it lies extracted."""
    caches = [bench.scratch / "pkgs", bench.testbed.pkgs]
    found = next(cache for cache in caches if (cache / "cprog-1.0-0/info").is_dir())
    shutil.copytree(found / "cprog-1.0-0", tmp_path / "pkgs/cprog-1.0-0", symlinks=True)
    shutil.copy2(found / "cprog-1.0-0.conda", tmp_path / "pkgs")
    (tmp_path / "pkgs/urls.txt").touch()
    return tmp_path / "pkgs"


def change(package: Path) -> None:
    program = package / "bin/cprog"
    program.write_bytes(program.read_bytes()[::-1])


def shorten(package: Path) -> None:
    program = package / "bin/cprog"
    program.write_bytes(program.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(change, "bin/cprog: differs from what its package recorded", id="changed"),
        pytest.param(shorten, "bin/cprog has ", id="shorter"),
        pytest.param(
            lambda package: (package / "bin/cprog").unlink(), "bin/cprog is missing from the package", id="removed"
        ),
        pytest.param(
            lambda package: (package / "info/paths.json").write_text("{"), "the package cannot be read", id="paths.json"
        ),
    ],
)
def test_damage_in_the_cache(
    bench: Bench, work: Path, damaged: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(damaged / "cprog-1.0-0")
    case = Case("", (*CPROG, *RUN), says, env={"CONDA_PKGS_DIRS": str(damaged)})
    outcome = bench.run(case, work)
    assert_refused(case, outcome)
    assert AGAIN in outcome.done.stderr


def replace_by_pipe(package: Path) -> None:
    program = package / "bin/cprog"
    program.unlink()
    os.mkfifo(program)


def lead_out(package: Path) -> None:
    """Let a directory be a link to one of the builder's, with files of the same names."""
    (package / "bin").rename(package.parent.parent / "elsewhere")
    (package / "bin").symlink_to(package.parent.parent / "elsewhere")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(replace_by_pipe, "bin/cprog is no file, directory or link", id="pipe"),
        pytest.param(lead_out, "bin leads out of the package, and a file lies behind it", id="link"),
    ],
)
def test_what_a_package_may_not_hold(
    bench: Bench, work: Path, damaged: Path, harm: Callable[[Path], object], says: str
) -> None:
    """Nothing is waited for, and no file of the builder gets in."""
    harm(damaged / "cprog-1.0-0")
    case = Case("", (*CPROG, *RUN), says, env={"CONDA_PKGS_DIRS": str(damaged)})
    assert_refused(case, bench.run(case, work))


@pytest.mark.parametrize(
    ("package", "note"),
    [
        pytest.param("absolute-links", "share/absolute/passwd is a link to /etc/passwd and stays one", id="absolute"),
        pytest.param("escape-link", "share/outside is a link to ../.. and stays one", id="relative"),
    ],
)
def test_link_out_of_the_prefix_is_reported(bench: Bench, work: Path, package: str, note: str) -> None:
    done = bench.run(Case("", bad(package), ""), work).done
    assert done.returncode == 0, done.stderr
    assert f"coex: note: {package}-1.0-0: {note}" in done.stderr
    assert package in [row["name"] for row in bench.inspect(work / OUTPUT)["packages"]]
