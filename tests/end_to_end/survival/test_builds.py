"""Builds that are killed, run at once, find no room, or find a cache that was altered."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import link_or_copy
from testbed.rebuilder import Rebuilder

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

KILLS = 24
KEPT = 5  # entries of the cache: four of packages, and one of the records in conda-meta


@pytest.fixture(scope="module")
def measured(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Rebuilder:
    """Return a builder that was measured."""
    found = Rebuilder(testbed, tmp_path_factory.mktemp("measured"), 0)
    found.fill_cache()
    found.measure()
    return found


def another(measured: Rebuilder, directory: Path, seed: int) -> Rebuilder:
    """Return a builder in a directory of its own."""
    directory.mkdir(exist_ok=True)
    found = Rebuilder(measured.layout, directory, seed)
    found.expected, found.duration = measured.expected, measured.duration
    return found


@pytest.fixture
def builder(measured: Rebuilder, tmp_path: Path) -> Rebuilder:
    """Return a builder that keeps no frames yet."""
    return another(measured, tmp_path, 1)


def check(builder: Rebuilder) -> None:
    assert not builder.counts.wrong, "\n".join(builder.counts.wrong)
    assert builder.counts.hangs == 0


def test_killed_at_any_moment(measured: Rebuilder, tmp_path: Path) -> None:
    """Nothing is half-written: killed builds leave no output, and their kept frames make the same archive."""

    def kills(seed: int) -> Rebuilder:
        builder = another(measured, tmp_path / str(seed), seed)
        for number in range(KILLS // 2):
            builder.kill()
            if number % 4 == 3:
                builder.build()
                builder.clear()
        builder.build()
        return builder

    with ThreadPoolExecutor(2) as pool:
        for builder in pool.map(kills, (1, 2)):
            check(builder)
            assert builder.counts.kills == KILLS // 2
            assert len(builder.entries()) == KEPT


@pytest.fixture
def fetching(testbed: Layout, tmp_path: Path) -> Rebuilder:
    """Return a builder that has fetched its packages itself, of a channel that no cache of conda's has seen."""
    copy = tmp_path / "channel"
    shutil.copytree(testbed.channel, copy, copy_function=link_or_copy)
    builder = Rebuilder(testbed, tmp_path, 1)
    builder.channel = copy
    builder.measure()
    return builder


@pytest.mark.parametrize("left", ["info/index.json", ""], ids=["index only", "nothing"])
def test_killed_while_conda_extracts(fetching: Rebuilder, left: str) -> None:
    """conda extracts in place, and takes a directory with the index for the package: half of one is never packed."""
    packages = [path.with_suffix("") for path in fetching.pkgs.glob("*-*.conda")]
    assert len(packages) == 4
    for directory in packages:
        for path in [path for path in directory.rglob("*") if not path.is_dir()]:
            if path != directory / left:
                path.unlink()
    fetching.build()
    check(fetching)


def test_builds_that_fetch_at_once(fetching: Rebuilder) -> None:
    """One fetches, the others wait: none sees the half-extracted packages of another."""
    for path in fetching.pkgs.iterdir():
        subprocess.run(["rm", "-rf", path], check=True)
    for process in [fetching.popen() for _ in range(4)]:
        fetching.judge(process)
    check(fetching)


def test_two_builds_at_once(builder: Rebuilder) -> None:
    """They share the cache of frames, which neither has filled, and write the same file."""
    for _ in range(2):
        for process in [builder.popen() for _ in range(3)]:
            builder.judge(process)
    check(builder)
    assert len(builder.entries()) == KEPT
    assert [path.name for path in builder.output.parent.iterdir()] == ["out.coex"]


@pytest.mark.parametrize("seed", range(3))
def test_frames_that_were_altered(measured: Rebuilder, tmp_path: Path, seed: int) -> None:
    """A flipped bit in a kept frame is never packed."""
    builder = another(measured, tmp_path, seed)
    builder.poison()
    builder.build()
    check(builder)


def mounted(directory: Path, options: str) -> tuple[str, ...]:
    """Return the command that runs another one, in its directory, with a small file system there."""
    script = f'mount -t tmpfs -o {options} none "$0" && cd "$PWD" && "$@"; status=$?; ls -A "$0" >&2; exit $status'
    return ("unshare", "-m", "sh", "-c", script, str(directory))


@pytest.mark.parametrize("options", ["size=64k", "nr_inodes=1"], ids=["bytes", "inodes"])
def test_no_room_for_the_output(builder: Rebuilder, as_root: None, options: str) -> None:
    process = builder.popen(*mounted(builder.output.parent, options))
    said, _ = process.communicate()
    assert process.returncode == 1, said
    assert "OutputError: out.coex: cannot be written: No space left on device\n" in said
    assert "Traceback" not in said
    assert list(builder.output.parent.iterdir()) == []


@pytest.mark.parametrize("options", ["size=256k", "ro"], ids=["too small", "read-only"])
def test_no_room_for_frames(builder: Rebuilder, as_root: None, options: str) -> None:
    """Frames that cannot be kept are made again by the next build, without an error."""
    for _ in range(2):
        builder.judge(builder.popen(*mounted(builder.pkgs, options)))
    check(builder)
    assert builder.counts.builds == 2


def test_no_room_for_packages(builder: Rebuilder, testbed: Layout, as_root: None) -> None:
    """conda says so, once."""
    copy = builder.directory / "channel"
    shutil.copytree(testbed.channel, copy, copy_function=link_or_copy)  # which no cache of conda's has seen
    script = [word.replace(str(testbed.channel), str(copy)) for word in builder.popen("echo").communicate()[0].split()]
    done = subprocess.run(
        [*mounted(builder.pkgs, "size=300k"), *script], cwd=builder.output.parent, env=builder.environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert f"FetchFailed: {builder.pkgs}: no room for the packages: No space left on device; " in said
    assert said.count("No space left on device") == 1, said
    assert "Traceback" not in said
    assert os.listdir(builder.output.parent) == []  # noqa: PTH208
