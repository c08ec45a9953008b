"""Measure the private memory of a first start: all its processes together, while it runs."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import archives
from benchmarks.runner import CommandFailedError, remove
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.runner import Command

TEXT = """\
Sampled from /proc/*/smaps_rollup every few milliseconds over the whole process tree, restricted to two cores.
Private memory is not shared with other processes; PSS counts shared pages in equal parts."""
TARGET = 96.0
CORES = 2
KINDS = ("Private", "Pss", "Anonymous")  # the first two as in the text, the last without pages of files


def measure(bench: Bench) -> Section:
    """Measure the peak of a first start for every environment."""
    outcomes, rows = [], []
    for name in bench.environments:
        file = archives.archive(bench, name)
        start = archives.first_start("coex", file, bench.place / "store", archives.newest_python())
        peaks = [peak_of(start) for _ in range(bench.rounds)]
        private, shared = (Spread.of([peak[kind] / 1024 for peak in peaks]) for kind in ("Private", "Pss"))
        title = f"private memory of the first start of {name}"
        outcomes.append(Outcome(title, TARGET, private, len(peaks), unit=" MiB"))
        rows.append([name, private.text(0), shared.text(0), str(len(peaks))])
    head = ["", "private, MiB", "PSS, MiB", "runs"]
    return Section("Memory", TEXT, outcomes, [Table("Peak memory of a first start, two workers", head, rows)])


def peak_of(command: Command) -> dict[str, int]:
    """Run a command on two cores, and return the greatest sums over its processes in KiB."""
    for output in command.outputs:
        remove(output)
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    words = ["taskset", "-c", ",".join(map(str, cores)), *command.words]
    process = subprocess.Popen(words, env=command.environment, cwd=command.directory)
    peak = dict.fromkeys(KINDS, 0)
    while process.poll() is None:
        sums = dict.fromkeys(KINDS, 0)
        for pid in _tree(process.pid):
            for kind, size in _rollup(pid).items():
                sums[kind] += size
        peak = {kind: max(peak[kind], sums[kind]) for kind in peak}
        time.sleep(0.004)
    if process.returncode:
        raise CommandFailedError(f"{command.name}: status {process.returncode}")
    command.check()
    return peak


def _tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        except OSError:
            continue
        found += map(int, children.split())
    return found


def _rollup(pid: int) -> dict[str, int]:
    sums = dict.fromkeys(KINDS, 0)
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return sums
    for line in lines:
        name, _, rest = line.partition(":")
        if name in ("Private_Clean", "Private_Dirty"):
            sums["Private"] += int(rest.split()[0])
        elif name in sums:
            sums[name] = int(rest.split()[0])
    return sums
