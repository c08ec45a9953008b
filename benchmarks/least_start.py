"""Measure the least that a first start takes: an archive of one small package, under every host Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed import hosts

from benchmarks.archives import create_command, first_start
from benchmarks.runner import interleave
from benchmarks.runner import measure as run_once
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.hosts import HostPython

    from benchmarks.bench import Bench

TEXT = """\
An archive of one C library of the test bed's channel and a C program that does nothing. Most of its first start is to
start Python, and to compile the modules of the archive that the start runs, unless the archive was made with
`--bytecode-for` that Python. The system's own python3 is found on PATH; the others are named in COEX_PYTHON."""
PACKAGE = "libcgreet"
SYSTEM = "the system's python3"
COMPILED, CARRIED = "compiled by the host", "bytecode in the archive"
TARGETS = {  # ms
    ("2.7", COMPILED): 65, ("3.11", COMPILED): 80, ("3.13", COMPILED): 100,
    ("2.7", CARRIED): 50, ("3.11", CARRIED): 50, ("3.13", CARRIED): 55,
}  # fmt: skip


def measure(bench: Bench) -> Section:
    """Measure the first start of the archive under each Python of this machine."""
    pythons = hosts.find_pythons()[0]
    named = [word for host in pythons if compiles(host) for word in ("--bytecode-for", str(host.executable))]
    places: list[tuple[str, Path | None, str]] = [(SYSTEM, None, COMPILED)]
    for host in pythons:
        ways = (COMPILED, CARRIED) if compiles(host) else (COMPILED,)
        places += [(host.name, host.executable, way) for way in ways]
    files = {way: _archive(bench, way, options) for way, options in ((COMPILED, []), (CARRIED, named))}
    store = bench.place / "store"
    runs = interleave(
        [first_start(f"{name}, {way}", files[way], store, python) for name, python, way in places], 2 * bench.rounds
    )
    outcomes, rows = [], []
    for name, _, way in places:
        each = runs[f"{name}, {way}"]
        wall, cpu = Spread.of([run.wall * 1000 for run in each]), Spread.of([run.cpu * 1000 for run in each])
        rows.append([name, way, wall.text(1), cpu.text(1), str(len(each))])
        if (name, way) in TARGETS:
            disturbed = sum(run.disturbed for run in each)
            title = f"least first start on Python {name}, {way}, ms"
            outcomes.append(Outcome(title, TARGETS[name, way], wall, len(each), disturbed, " ms"))
    head = ["Python", "modules of the archive", "wall, ms (least-most)", "processor, ms", "runs"]
    return Section("The least first start", TEXT, outcomes, [Table("", head, rows)])


def compiles(host: HostPython) -> bool:
    """Return whether an archive can carry the bytecode of a Python."""
    return not host.name.startswith("pypy")


def _archive(bench: Bench, way: str, options: Sequence[str]) -> Path:
    file = bench.place / f"least, {way}.coex"
    run_once(create_command(bench, "", file, specs=(PACKAGE,), channel=bench.layout.channel, more=options))
    return file
