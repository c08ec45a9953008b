"""Packages that differ from their records, or ask for things that no package may have."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, CREATE, GOOD, OUTPUT, RUN, Case, assert_refused, with_json, words
from testbed.package import Package

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from end_to_end.bad_input.cases import Bench, Outcome

ITSELF = "has it like this: get another copy of it, or use another build of the package"


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
        "the entry point '../../evil = evil:main' is not a file name",
    ),
    Case(
        "file behind another's link",
        bad("escape-through-link"),
        "the link share/outside of escape-link-1.0-0 leads out of the environment, and a file lies behind it",
    ),
    Case("forged file", bad("bad-hash"), "share/bad-hash/file.txt: differs from the record of its package; "),
    Case("forged package file", bad("bad-hash"), f"bad-hash-1.0-0.conda {ITSELF}"),
    Case(
        "truncated",
        bad("truncated"),
        "noarch/truncated-1.0-0.conda: not a conda package: File is not a zip file; "
        "get another copy of it, or use another build of the package",
    ),
    Case(
        "missing from its channel",
        (*CREATE, "-c", "{work}/channel", "--package", "unseen", *RUN),
        "unseen-1.0-0.conda",
        list_missing_package,
    ),
    Case(
        "offline, of a channel that was never read",
        (*CREATE, "-c", "https://example.invalid/channel", "--offline", "--package", "unseen", *RUN),
        "https://example.invalid/channel: conda's cache has no repodata of it, and --offline keeps conda from fetching",
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
        "archives are for Linux and macOS, not for win-64",
        lambda work: (work / "run.sh").write_text("#!/bin/sh\n"),
    ),
    Case(
        "package of another platform",
        (*CPROG, *RUN, "--platform", "linux-aarch64"),
        "not available from current channels: - cprog",
    ),
]


@pytest.mark.parametrize("case", [*CASES, *with_json(CASES[:7])[7:]], ids=str)
def test_package_is_refused(case: Case, outcomes: dict[Case, Future[Outcome]]) -> None:
    assert_refused(case, outcomes[case].result())


@pytest.fixture
def damaged(bench: Bench, tmp_path: Path) -> Path:
    """Return a package cache in which cprog is extracted, and from which conda takes it."""
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
        pytest.param(change, "bin/cprog: differs from the record of its package", id="changed"),
        pytest.param(shorten, "bin/cprog: has ", id="shorter"),
        pytest.param(
            lambda package: (package / "bin/cprog").unlink(), "bin/cprog: missing from the package", id="removed"
        ),
        pytest.param(
            lambda package: (package / "info/paths.json").write_text("{"), "the package cannot be read", id="paths.json"
        ),
    ],
)
def test_damage_in_the_cache(
    bench: Bench, work: Path, damaged: Path, damage: Callable[[Path], object], says: str
) -> None:
    """The advice of the error, done literally, repairs it, also if an environment has the same files by hard links."""
    package = damaged / "cprog-1.0-0"
    os.link(package / "bin/cprog", damaged.parent / "linked")
    damage(package)
    case = Case("", (*CPROG, *RUN), says, env={"CONDA_PKGS_DIRS": str(damaged)})
    outcome = bench.run(case, work)
    assert_refused(case, outcome)
    advised = re.search(r"; run `(.*)` and try again", words(outcome.done.stderr))
    assert advised, outcome.done.stderr
    subprocess.run(["sh", "-c", advised.group(1)], check=True)
    assert bench.run(case, work).done.returncode == 0


def without_index(root: Path) -> None:
    (root / "info/index.json").unlink()


def index_without_name(root: Path) -> None:
    (root / "info/index.json").write_text("{}", encoding="utf-8")


def make_package(scratch: Path, tamper: Callable[[Path], None] | None = None, extension: str = ".conda") -> Path:
    """Return a package file with the content of its name, or with another one."""
    from conda_package_handling import api

    package = Package(scratch, "noarch", "odd")
    package.noarch = "generic"
    package.text("share/odd.txt", "odd\n")
    package.tamper, package.extension = tamper, extension
    package.seal()
    files = [*package.paths(), *sorted(f"info/{path.name}" for path in (package.root / "info").iterdir())]
    (scratch / "channel/noarch").mkdir(parents=True)
    api.create(str(package.root), files, package.filename, str(scratch / "channel/noarch"))
    return scratch / "channel/noarch" / package.filename


def test_damage_in_a_cache_of_another_user(bench: Bench, work: Path, tmp_path: Path) -> None:
    made = [make_package(tmp_path), *bench.testbed.channel.glob("*/zstd-*.conda")]
    (work / "list.txt").write_text("\n".join(["@EXPLICIT", *(file.as_uri() for file in made)]), encoding="utf-8")
    theirs, arguments = tmp_path / "theirs", (*GOOD, "-f", "list.txt", "--entrypoint", "sh=/bin/sh")
    done = bench.run(Case("", arguments, "", env={"CONDA_PKGS_DIRS": str(theirs)}), work).done
    assert done.returncode == 0, done.stderr
    (theirs / "odd-1.0-0/share/odd.txt").write_text("even", encoding="utf-8")
    for path in (theirs, *theirs.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o555)
    advice = f"; ask the owner of {theirs} to run `rm -r {theirs / 'odd-1.0-0'}`"
    case = Case("", arguments, advice, env={"CONDA_PKGS_DIRS": f"{theirs},{tmp_path / 'mine'}"}, powerless=True)
    assert_refused(case, bench.run(case, work))


def renamed(file: Path) -> Path:
    return file.rename(file.with_name("other-1.0-0.conda"))


def cut(file: Path) -> Path:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return file


UNREADABLE = [
    pytest.param(lambda path: make_package(path, without_index), "it has no info/index.json", id="without index"),
    pytest.param(
        lambda path: make_package(path, without_index, ".tar.bz2"), "it has no info/index.json", id="bz2 without index"
    ),
    pytest.param(
        lambda path: make_package(path, index_without_name), "its info/index.json has no name", id="index without name"
    ),
    pytest.param(lambda path: renamed(make_package(path)), "it holds odd-1.0-0, not other-1.0-0", id="renamed"),
    pytest.param(lambda path: cut(make_package(path)), "File is not a zip file", id="cut"),
    pytest.param(lambda path: cut(make_package(path, None, ".tar.bz2")), "Compressed file ended", id="bz2, cut"),
]


def for_windows(root: Path) -> None:
    index = root / "info/index.json"
    index.write_text(json.dumps({**json.loads(index.read_text("utf-8")), "subdir": "win-64"}), encoding="utf-8")


@pytest.mark.parametrize(("tamper", "says"), [(for_windows, "odd-1.0-0.conda, which is for win-64"), (None, None)])
def test_platform_that_the_place_of_a_file_does_not_name(
    bench: Bench, work: Path, tmp_path: Path, tamper: Callable[[Path], None] | None, says: str | None
) -> None:
    """The package names it."""
    file = make_package(tmp_path, tamper).rename(tmp_path / "odd-1.0-0.conda")
    zstd = next(bench.testbed.channel.glob("*/zstd-*.conda"))
    (work / "list.txt").write_text(f"@EXPLICIT\n{file.as_uri()}\n{zstd.as_uri()}\n", encoding="utf-8")
    arguments, env = (*GOOD, "-f", "list.txt", "--entrypoint", "sh=/bin/sh"), {"CONDA_PKGS_DIRS": str(tmp_path / "p")}
    case = Case("", arguments, says or "", env=env)
    outcome = bench.run(case, work)
    if says is None:
        assert outcome.done.returncode == 0, outcome.done.stderr
    else:
        assert_refused(case, outcome)


@pytest.mark.parametrize(("make", "says"), UNREADABLE)
def test_file_that_is_not_a_package(
    bench: Bench, work: Path, tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    """It is named with its fault, and does not stay in conda's cache: conda could not read the cache any more."""
    file = make(tmp_path)
    (work / "list.txt").write_text(f"@EXPLICIT\n{file.as_uri()}\n", encoding="utf-8")
    env = {"CONDA_PKGS_DIRS": str(tmp_path / "pkgs")}
    words = f"{file.as_uri()}: not a conda package: {says}"
    case = Case("", (*GOOD, "-f", "list.txt", *RUN), words, env=env)
    assert_refused(case, bench.run(case, work))
    assert file.is_file()
    assert bench.run(Case("", (*CPROG, *RUN), "", env=env), work).done.returncode == 0


@pytest.mark.parametrize(("make", "says"), UNREADABLE)
def test_cache_with_a_file_that_is_not_a_package(
    bench: Bench, work: Path, tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    (tmp_path / "pkgs").mkdir()
    (tmp_path / "pkgs/urls.txt").touch()
    file = make(tmp_path)
    shutil.copy2(file, tmp_path / "pkgs")
    done = bench.run(Case("", (*CPROG, *RUN), "", env={"CONDA_PKGS_DIRS": str(tmp_path / "pkgs")}), work).done
    assert done.returncode == 0, f"{says}: {done.stderr}"


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
        pytest.param(replace_by_pipe, "bin/cprog is not a file, a directory or a link", id="pipe"),
        pytest.param(lead_out, "bin leads out of the package, and a file lies behind it", id="link"),
    ],
)
def test_contents_that_a_package_may_not_hold(
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
