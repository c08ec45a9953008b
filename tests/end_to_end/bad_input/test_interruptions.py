"""A build that a signal ends leaves the old file, or a whole archive, and has the status of an interruption."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from end_to_end.bad_input.cases import CPROG, GOOD, OUTPUT, REPORTS, RUN, words

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.bad_input.cases import Bench

BUILD = (*GOOD, "--package", "python", "--package", "hello-noarch", "--entrypoint", "python")
MOMENTS = 12


@dataclass(frozen=True)
class Stopped:
    """A build that was sent a signal: its status, its output, and the files that it left."""

    number: int
    status: int
    said: str
    output: Path
    beside: list[str]
    elsewhere: list[str]  # in the directory for temporary files, and such files in the package cache


def start(bench: Bench, directory: Path, pkgs: Path, tmp: Path) -> subprocess.Popen[str]:
    """Start a build with a package cache of its own and return when the solve begins: before, nothing is at stake."""
    environment = bench.environment(CONDA_PKGS_DIRS=str(pkgs), TMPDIR=str(tmp), PYTHONUNBUFFERED="1")
    process = subprocess.Popen(
        bench.command(BUILD, directory), cwd=directory, env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(1)
    return process


def stop(bench: Bench, directory: Path, moment: float, number: int) -> Stopped:
    """Send a signal after so many seconds: SIGINT to all processes, as a terminal does, others to conda alone."""
    work, pkgs, tmp = (directory / name for name in ("work", "pkgs", "tmp"))
    for made in (work, pkgs, tmp):
        made.mkdir()
    output = work / OUTPUT
    shutil.copy2(bench.archive, output)
    process = start(bench, work, pkgs, tmp)
    time.sleep(moment)
    if process.poll() is None:
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    said, _ = process.communicate(timeout=120)
    elsewhere = [*tmp.iterdir(), *pkgs.glob(".coex-*/.*")]
    return Stopped(
        number, process.returncode, said, output, [path.name for path in work.iterdir()], list(map(str, elsewhere))
    )


@pytest.fixture(scope="module")
def stopped(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> list[Stopped]:
    """Return builds that were sent a signal at moments spread over the time that one build takes here."""
    directory = tmp_path_factory.mktemp("whole")
    process = start(bench, directory, directory, directory)
    began = time.monotonic()
    process.communicate(timeout=120)
    assert process.returncode == 0
    step = (time.monotonic() - began) / MOMENTS
    generator = random.Random(20)
    moments = [(n + generator.random()) * step for n in range(MOMENTS)]
    numbers = [(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[n % 3] for n in range(MOMENTS)]
    directories = [tmp_path_factory.mktemp("stopped") for _ in range(MOMENTS)]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(stop, [bench] * MOMENTS, directories, moments, numbers))


def test_nothing_is_half_written(bench: Bench, stopped: list[Stopped]) -> None:
    for build in stopped:
        assert build.beside == [OUTPUT], build.said
        assert build.elsewhere == [], build.said
        if build.output.read_bytes() != bench.archive.read_bytes():
            assert bench.inspect(build.output)["name"] == "python"


def test_status_is_of_the_signal(bench: Bench, stopped: list[Stopped]) -> None:
    """Except where the new archive was in its place already: then conda may have ended, or be ending."""
    ended = [build for build in stopped if build.output.read_bytes() == bench.archive.read_bytes()]
    assert ended
    for build in ended:
        assert build.status == 128 + build.number, build.said
        assert f"Interrupted: stopped by {signal.Signals(build.number).name}" in words(build.said)
        assert not any(report in build.said for report in REPORTS), build.said


def test_ignored_signal_stays_ignored(bench: Bench, tmp_path: Path) -> None:
    """As with nohup."""
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *bench.command((*CPROG, *RUN), tmp_path)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=bench.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
