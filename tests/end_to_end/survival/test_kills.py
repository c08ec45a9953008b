"""Killed at any moment, the next start succeeds and cleans up; asked to end, a start leaves nothing."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import ready_roots
from testbed.layout import REPOSITORY
from testbed.stress import DAMAGES, FAULTS, OWNER, disturb, finish
from testbed.survivor import children_of, orphans
from unit.coex_bootstrap.building import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from end_to_end.archives import Coex
    from testbed.survivor import Survivor

KILLS = 200


def check(survivor: Survivor) -> None:
    assert survivor.counts.wrong == []
    assert survivor.counts.hangs == 0


def test_200_kills(survivor_file: Path) -> None:
    """Two stores at once, as there are hardly fewer cores; the session `stress` does more, for longer."""
    command = [sys.executable, "-m", "testbed.stress", "--archive", str(survivor_file), "--kills", str(KILLS // 2)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    both = [
        subprocess.Popen([*command, "--seed", seed], env=environment, stdout=subprocess.PIPE, text=True)
        for seed in ("1", "2")
    ]
    for process in both:
        said, _ = process.communicate()
        assert process.returncode == 0, said
        assert f"{KILLS // 2} kills" in said
        assert "0 wrong results, 0 hangs" in said


@pytest.mark.parametrize("fault", sorted(set(FAULTS), key=FAULTS.index), ids=lambda fault: fault.__name__)
def test_faults_of_the_stress_session(survivor: Survivor, fault: Callable[[Survivor], None], tmp_path: Path) -> None:
    survivor.environment[OWNER] = str(tmp_path)
    rounds = iter(range(3))
    disturb(survivor, lambda: next(rounds, None) is None, (fault,))
    finish(survivor, str(tmp_path))
    check(survivor)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("whom", ["alone", "group"])
def test_asked_to_end(survivor: Survivor, number: signal.Signals, whom: str, tmp_path: Path) -> None:
    """While it unpacks, and in a post-link script."""
    survivor.environment["OWNER"] = str(tmp_path)
    generator = random.Random(number)
    for moment in (*(generator.random() * survivor.duration for _ in range(3)), None):
        process = survivor.popen(POST_LINK_SLEEP="600", POST_LINK_COUNT=str(tmp_path / "count"))
        wait_for_work(survivor.store)
        if moment is None:
            wait_until((tmp_path / "count").exists, "the script")
        else:
            time.sleep(moment)
        (os.killpg if whom == "group" else os.kill)(process.pid, number)
        assert process.communicate() == ("", "")
        assert process.returncode == -number
        assert list(survivor.store.iterdir()) == []
        (tmp_path / "count").unlink(missing_ok=True)
    assert orphans("OWNER", str(tmp_path)) == []


def wait_for_work(store: Path) -> None:
    wait_until(lambda: [*store.glob("*.work-*"), *store.glob("*/prefix")], "a root")


@pytest.fixture(scope="module")
def large(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive that workers need a while for."""
    directory = tmp_path_factory.mktemp("large")
    (directory / "data").write_bytes(random.Random(0).randbytes(48 << 20))
    coex(directory, "-q", "--entrypoint", "cprog", "-o", "large.coex", "data", packages=("cprog", "zstd"))
    return directory / "large.coex"


def with_workers(survivor: Survivor) -> tuple[subprocess.Popen[str], list[int]]:
    """Start it and return its process and its workers; not all may live any more, on a fast machine."""
    process = survivor.popen()
    workers: list[int] = []
    while process.poll() is None and not workers:
        if list(survivor.store.glob("*.work-*/app/data")):
            workers = children_of(process.pid)
    return process, workers


def test_no_orphan_works_on(survivor: Survivor, large: Path, tmp_path: Path) -> None:
    survivor.archive, survivor.environment["OWNER"] = large, str(tmp_path)
    found = 0
    for _ in range(10):
        process, workers = with_workers(survivor)
        found += len(workers)
        process.kill()
        process.communicate()  # workers hold its streams: this returns when the last one has ended
        assert orphans("OWNER", str(tmp_path)) == []
        survivor.clear()
    assert found or os.cpu_count() == 1
    survivor.popen().communicate()
    assert list(survivor.store.iterdir()) == ready_roots(survivor.store)


def test_worker_that_is_killed(survivor: Survivor, large: Path) -> None:
    survivor.archive = large
    killed = 0
    for _ in range(20):
        process, workers = with_workers(survivor)
        with contextlib.suppress(ProcessLookupError):
            for worker in workers[-1:]:
                os.kill(worker, signal.SIGKILL)
        out, said = process.communicate()
        if process.returncode:
            assert (process.returncode, out) == (125, "")
            assert said == "coex: a process that unpacks ended too early; is there enough memory?\n"
            assert list(survivor.store.iterdir()) == []
            killed += 1
            if killed == 2:
                return
        survivor.clear()
    assert os.cpu_count() == 1


def test_archive_replaced_and_removed_while_it_is_unpacked(survivor: Survivor, tmp_path: Path) -> None:
    archive = tmp_path / "copy.coex"
    for change in (lambda: archive.unlink(), lambda: archive.rename(tmp_path / "moved.coex"), lambda: replace(archive)):
        shutil.copy2(survivor.archive, archive)
        process = survivor.popen(str(archive))
        wait_for_work(survivor.store)
        change()
        out, said = process.communicate()
        assert (process.returncode, out, said) == (0, survivor.expected, "")
        survivor.clear()
    assert survivor.left() == []


def replace(archive: Path) -> None:
    other = archive.with_suffix(".new")
    other.write_text("#!/bin/sh\necho another\n")
    other.replace(archive)


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["removed", "emptied"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_root_is_made_again(survivor: Survivor, name: str, harm: Callable[[Path], object]) -> None:
    """A start notices files that a cleaner of temporary files has removed; so do many at once."""
    survivor.start()
    (root,) = survivor.store.iterdir()
    harm(root / name)
    survivor.crowd(3)
    check(survivor)
    aside = [path for path in survivor.store.iterdir() if path != root]
    assert len(aside) == 1, "what was ready may be in use: it is set aside"


def test_root_in_use_stays(survivor: Survivor) -> None:
    """A damaged root is set aside, not removed: a process may still run from it."""
    survivor.start()
    (root,) = ready_roots(survivor.store)
    used = os.open(root / "app", os.O_RDONLY)
    (root / "activate.sh").unlink()
    survivor.start()
    check(survivor)
    assert os.listdir(used)  # noqa: PTH208  # by descriptor: its path is another root now
    (aside,) = [path for path in survivor.store.iterdir() if path != root]
    os.utime(aside, (1, 1))  # as days later
    survivor.clear()
    survivor.start()
    assert aside.is_dir()
    os.close(used)
    assert survivor.left() == []
    check(survivor)


@pytest.mark.parametrize("there", [False, True])
def test_killed_environment_is_made_again(survivor: Survivor, tmp_path: Path, there: bool) -> None:
    """`unpack -p` killed in a post-link script: the same command makes the environment, as it was not finished."""
    prefix = tmp_path / "env"
    if there:
        prefix.mkdir()
    command = [str(survivor.archive), "unpack", "-p", str(prefix)]
    environment = {**survivor.environment, "COEX_TOOLS": "1"}
    process = subprocess.Popen(command, env={**environment, "POST_LINK_SLEEP": "30"}, start_new_session=True)
    while not (prefix / "conda-meta").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (prefix / "share/post-link-count/done.txt").exists()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert (prefix / "share/post-link-count/done.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["env", "store"]
    again = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "is there already" in again.stderr
