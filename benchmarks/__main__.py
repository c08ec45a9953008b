"""Run benchmarks: ``./dev bench -- [--quick] [--only FAMILY]``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from testbed.layout import REPOSITORY, Layout

from benchmarks import changes, environments, machine, report
from benchmarks.bench import Bench
from benchmarks.families import NAMES, families
from benchmarks.places import measuring_place
from benchmarks.requirements import require

PAGE = REPOSITORY / "benchmarks"
GIB = 1 << 30
ROOM = {True: 3 * GIB, False: 12 * GIB}  # that the measured file system must have


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller environments, fewer rounds: some minutes")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this family; may be repeated")
    parser.add_argument("--highest", action="store_true", help="level 19 of the big environment too: half an hour")
    parser.add_argument("--rounds", type=int, help="runs of each command (default: 5, quick: 3)")
    parser.add_argument("--place", type=Path, help="a directory on the file system to measure on")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the page from the kept results")
    return parser.parse_args()


def main() -> int:
    """Measure, keep and write."""
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # to remove temporary files
    layout = Layout.default()
    home = layout.root / "bench"
    results = home / ("results-quick" if arguments.quick else "results")
    before = report.load_all(results)
    try:
        if not arguments.render:
            require()
            with measuring_place(arguments.place, ROOM[arguments.quick], home) as (place, kind):
                rounds = arguments.rounds or (3 if arguments.quick else 5)
                run(Bench(layout, place, kind, arguments.quick, rounds), arguments.only or NAMES, arguments.highest)
        page = report.write(results, target_of(results, home, quick=arguments.quick), quick=arguments.quick)
        print(page.read_text(encoding="utf-8"))
        print(f"bench: written to {page}", file=sys.stderr)
    finally:  # of a run that fails, too: the results before it are overwritten
        for line in changes.lines(before, report.load_all(results)):
            print(line)
    return 0


def target_of(results: Path, home: Path, *, quick: bool) -> Path:
    """Return the directory of the page: that of the repository only if no family would be missing on it."""
    if quick:
        return home / "quick"
    return PAGE if report.has_all(results) else home / "part"


def run(bench: Bench, wanted: list[str] | tuple[str, ...], highest: bool) -> None:
    """Measure the wanted families, one after the other, keeping each as soon as it is known."""
    environments.make_channel(bench, tuple(dict.fromkeys((*bench.environments, "pandas"))))
    described = {**machine.describe(), "file system": bench.place_kind, "date": time.strftime("%Y-%m-%d")}
    described["commit"] = machine.commit()
    functions = families(highest=highest)
    for name in wanted:
        print(f"bench: {name}", file=sys.stderr)
        bench.notes.clear()
        started = time.monotonic()
        section = functions[name](bench)
        report.save(bench.results, name, section, described, bench.notes)
        print(f"bench: {name} took {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
