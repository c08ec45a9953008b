"""Measure the least that a first start takes: an archive of one small package, under every host Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed import hosts

from benchmarks.archives import create_command, first_start
from benchmarks.runner import interleave
from benchmarks.runner import measure as run_once
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

TEXT = """\
An archive of one C library of the test bed's channel and a C program that does nothing. Most of its first start is to
start Python, and to compile the modules of the archive that the start runs. The system's own python3 is found on PATH;
the others are named in COEX_PYTHON."""
PACKAGE = "libcgreet"
SYSTEM = "the system's python3"
TARGETS = {"2.7": 65, "3.11": 80, "3.13": 100}  # ms


def measure(bench: Bench) -> Section:
    """Measure the first start of the archive under each Python of this machine."""
    file, store = _archive(bench), bench.place / "store"
    commands = [first_start(SYSTEM, file, store)]
    commands += [first_start(host.name, file, store, host.executable) for host in hosts.find_pythons()[0]]
    runs = interleave(commands, 2 * bench.rounds)
    outcomes, rows = [], []
    for name, each in runs.items():
        wall, cpu = Spread.of([run.wall * 1000 for run in each]), Spread.of([run.cpu * 1000 for run in each])
        rows.append([name, wall.text(1), cpu.text(1), str(len(each))])
        if name in TARGETS:
            disturbed = sum(run.disturbed for run in each)
            title = f"least first start on Python {name}, ms"
            outcomes.append(Outcome(title, TARGETS[name], wall, len(each), disturbed, " ms"))
    head = ["Python", "wall, ms (least-most)", "processor, ms", "runs"]
    return Section("The least first start", TEXT, outcomes, [Table("", head, rows)])


def _archive(bench: Bench) -> Path:
    file = bench.place / "least.coex"
    run_once(create_command(bench, "", file, specs=(PACKAGE,), channel=bench.layout.channel))
    return file
