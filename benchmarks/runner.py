"""Run commands in interleaved rounds, and report the cost of each run, and whether others disturbed it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.machine import foreign_seconds, load_now, wait_until_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

ATTEMPTS = 3  # of a run that is disturbed
LONG = 15.0  # seconds after which a run is not repeated, but flagged
FOREIGN_SHARE, FOREIGN_SECONDS = 0.10, 0.05  # the share of a run's processor time and wall time that others may take


@dataclass(frozen=True)
class Command:
    """A command to measure; ``prepare`` runs before, unmeasured, and ``outputs`` are removed first."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    outputs: Sequence[Path] = ()
    prepare: Callable[[], object] = lambda: None
    check: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Run:
    """One run: seconds, KiB of its largest process, and its output on standard error.

    The kernel counts this process's memory, too, as its child's: a ``peak`` that is not larger is 0.
    """

    wall: float
    cpu: float
    peak: int
    foreign: float
    errors: str = field(default="", repr=False)

    @property
    def disturbed(self) -> bool:
        """Whether other processes took too much of the machine meanwhile."""
        return self.foreign > FOREIGN_SECONDS + FOREIGN_SHARE * self.wall


class CommandFailedError(RuntimeError):
    """A measured command did not do its work."""


def measure(command: Command) -> Run:
    """Run a command once, on outputs that are gone and written back."""
    for output in command.outputs:
        remove(output)
    command.prepare()
    os.sync()
    with tempfile.TemporaryFile() as errors:
        before = load_now()
        started = time.perf_counter()
        process = subprocess.Popen(
            command.words, env=command.environment, cwd=command.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        after = load_now()
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    if process.returncode:
        raise CommandFailedError(f"{command.name}: status {process.returncode}: {text}")
    command.check()
    cpu = usage.ru_utime + usage.ru_stime
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = usage.ru_maxrss if usage.ru_maxrss > own else 0
    return Run(wall, cpu, peak, foreign_seconds(before, after, cpu), text)


def measure_undisturbed(command: Command) -> Run:
    """Run a command until a run was not disturbed, or return the least disturbed of some."""
    runs = []
    for _ in range(ATTEMPTS):
        wait_until_quiet()
        runs.append(measure(command))
        if not runs[-1].disturbed or runs[-1].wall > LONG:
            return runs[-1]
    return min(runs, key=lambda run: run.foreign / run.wall)


def interleave(commands: Sequence[Command], rounds: int) -> dict[str, list[Run]]:
    """Run every command once in each round; the order turns from round to round."""
    runs: dict[str, list[Run]] = {command.name: [] for command in commands}
    for number in range(rounds):
        turn = number % max(1, len(commands))
        for command in (*commands[turn:], *commands[:turn]):
            run = measure_undisturbed(command)
            runs[command.name].append(run)
            mark = " (disturbed)" if run.disturbed else ""
            print(f"bench:   {number + 1}/{rounds} {command.name}: {run.wall:.3f} s{mark}", file=sys.stderr)
        for command in commands:
            for output in command.outputs:
                remove(output)
    return runs


def remove(path: Path) -> None:
    """Remove a file or a tree; a missing one is not an error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def run_quietly(words: Iterable[str], **options: object) -> None:
    """Run something that is not measured; its output is shown only if it fails."""
    done = subprocess.run(list(words), capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise CommandFailedError(f"{' '.join(done.args)}: status {done.returncode}: {done.stderr[:3000]}")
