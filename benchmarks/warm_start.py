"""Measure a warm start: the time that an unpacked archive adds to its entry point."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from testbed import hosts
from testbed.layout import REPOSITORY

from benchmarks import archives
from benchmarks.machine import foreign_seconds, load_now, wait_until_quiet
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.bench import Bench

TEXT = """\
The time of posix_spawn and wait, in microseconds, of an unpacked archive whose entry point is a C program that
does nothing, over that program started directly. Commands take turns, one start each. The archive is started
through each shell (`dash FILE`), and with activate.d scripts in its environment; "sourced in plain sh" is a
script that sources the same scripts and becomes the same program: the cost of activation in any case."""
TARGET_US, TARGET_ACTIVATION = 3000.0, 1.2
SCRIPTS = (0, 5, 20)
BATCH = 20  # turns between two looks at the work of others


def measure(bench: Bench) -> Section:
    """Measure warm starts through every shell and with activation scripts."""
    count = 200 if bench.quick else 400
    root, environment, file = _unpacked(bench)
    direct = [str(root / "app" / archives.ENTRY)]
    commands = {"the program itself": direct}
    shells, missing = hosts.find_shells()
    for name in missing:
        bench.note(f"the shell {name} is missing")
    for name, words in shells.items():
        commands[name] = [shutil.which(words[0]) or words[0], *words[1:], str(file)]
    times = spawn_in_turns(commands, environment, count)
    shell_rows = [(name, difference(times, name, "the program itself")) for name in shells]
    outcomes = [
        Outcome(f"warm start through {name}, us over the program", TARGET_US, spread, count, unit=" us")
        for name, spread in shell_rows
    ]
    table = Table(
        "Warm start, us over the program itself", ["", "median (quartiles)"], [[n, s.text(0)] for n, s in shell_rows]
    )
    more, activation = _activation(bench, root, environment, file, count)
    itself = quartiles([value / 1000 for value in times["the program itself"]])
    text = f"{TEXT} The program itself takes {itself.text(0)} us. {count} starts of each."
    return Section("Warm start", text, [*outcomes, *more], [table, activation])


def _unpacked(bench: Bench) -> tuple[Path, dict[str, str], Path]:
    file, store = archives.archive(bench, "small"), bench.place / "warm"
    python = archives.newest_python()
    return archives.root_of(file, store, python), archives.host_environment(store, python), file


def _activation(
    bench: Bench, root: Path, environment: dict[str, str], file: Path, count: int
) -> tuple[list[Outcome], Table]:
    """Start with 0, 5 and 20 scripts in activate.d, against a plain script that sources them."""
    outcomes, rows = [], []
    for number in SCRIPTS:
        _with_scripts(root, number, archives.newest_python())
        plain = bench.place / f"source-{number}.sh"
        sourced = "".join(f". '{script}'\n" for script in sorted((root / "prefix/etc/conda/activate.d").glob("*.sh")))
        plain.write_text(f"#!/bin/sh\n{sourced}exec '{root}/app/{archives.ENTRY}' \"$@\"\n", encoding="utf-8")
        plain.chmod(0o755)
        commands = {"program": [str(root / "app" / archives.ENTRY)], "coex": [str(file)], "plain": [str(plain)]}
        times = spawn_in_turns(commands, environment, count)
        ratios = quartiles([ours / other for ours, other in zip(times["coex"], times["plain"], strict=True)])
        target = TARGET_ACTIVATION if number else None
        title = f"warm start with {number} activation scripts / sourced in plain sh"
        outcomes.append(Outcome(title, target, ratios, count))
        over = [difference(times, name, "program").text(0) for name in ("coex", "plain")]
        rows.append([str(number), *over, ratios.text()])
    head = ["scripts", "archive, us over the program", "sourced in plain sh, us over it", "whole start / plain sh"]
    return outcomes, Table("Activation", head, rows)


def _with_scripts(root: Path, number: int, python: Path) -> None:
    """Put scripts into the environment, and let the bootstrap write its activation again."""
    directory = root / "prefix" / "etc" / "conda" / "activate.d"
    directory.mkdir(parents=True, exist_ok=True)
    for script in directory.glob("bench-*.sh"):
        script.unlink()
    for each in range(number):
        text = f'export BENCH_{each}="${{CONDA_PREFIX-}}/share/{each}"\n'
        (directory / f"bench-{each:02}.sh").write_text(text, encoding="utf-8")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from coex_bootstrap.start.activate import write_activation\n"
        "write_activation(sys.argv[2].encode())\n"
    )
    bootstrap = REPOSITORY / "bootstrap"
    subprocess.run([str(python), "-E", "-c", code, str(bootstrap), str(root)], check=True)


def spawn_in_turns(
    commands: Mapping[str, Sequence[str]], environment: dict[str, str], count: int
) -> dict[str, list[float]]:
    """Start every command once, ``count`` times over; return nanoseconds. Disturbed batches are repeated."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    attempts = 0
    while len(next(iter(times.values()))) < count:
        wait_until_quiet()
        batch, foreign = _batch(commands, environment)
        attempts += 1
        if foreign < 0.3 or attempts > count // BATCH:
            for name, values in batch.items():
                times[name] += values
    return times


def _batch(
    commands: Mapping[str, Sequence[str]], environment: dict[str, str], size: int = BATCH
) -> tuple[dict[str, list[float]], float]:
    """Return the times of some turns, and the cores that others used meanwhile."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    before, started, own = load_now(), time.perf_counter(), sum(os.times()[:4])
    for _ in range(size):
        for name, words in commands.items():
            begun = time.perf_counter_ns()
            process = os.posix_spawn(words[0], list(words), environment)
            _, status = os.waitpid(process, 0)
            times[name].append(time.perf_counter_ns() - begun)
            if status:
                raise RuntimeError(f"{name}: ended with {status}")
    used = foreign_seconds(before, load_now(), sum(os.times()[:4]) - own)
    return times, used / (time.perf_counter() - started)


def quartiles(values: Sequence[float]) -> Spread:
    """Return the median between the quartiles: of hundreds of starts the extremes say nothing."""
    ordered = sorted(values)
    return Spread(ordered[len(ordered) // 2], ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4])


def difference(times: Mapping[str, Sequence[float]], name: str, baseline: str) -> Spread:
    """Return the microseconds that a command takes more than another, turn by turn."""
    return quartiles([(ours - other) / 1000 for ours, other in zip(times[name], times[baseline], strict=True)])
