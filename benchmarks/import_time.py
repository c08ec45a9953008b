"""Measure the time that the plugin adds to every run of conda."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from benchmarks.machine import wait_until_quiet
from benchmarks.runner import Command, interleave
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from benchmarks.bench import Bench

TEXT = """\
Import of the plugin and the making of its command line, which conda does on every run, in a process that has loaded the
same modules as conda by then. Beside it, whole runs of `conda info --base` against the same with all plugins switched
off (`CONDA_NO_PLUGINS`), which leaves out conda's search for plugins too."""
TARGET_MS = 3.0
_CODE = """\
import argparse, time
import conda.cli.conda_argparse, conda.cli.helpers, conda.plugins.manager, conda.plugins.types
begun = time.perf_counter()
import conda_coex.plugin
imported = time.perf_counter()
conda_coex.plugin.configure_parser(argparse.ArgumentParser())
print((imported - begun) * 1000, (time.perf_counter() - imported) * 1000)
"""


def measure(bench: Bench) -> Section:
    """Measure the plugin alone, and whole runs of conda."""
    count = 10 if bench.quick else 20
    environment = bench.conda_environment()
    imports, parsers = [], []
    for _ in range(count):
        wait_until_quiet()
        command = [str(bench.layout.python), "-c", _CODE]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        spent = done.stdout.split()
        imports.append(float(spent[0]))
        parsers.append(float(spent[1]))
    added = Spread.of([first + second for first, second in zip(imports, parsers, strict=True)])
    words = [str(bench.layout.conda), "info", "--base"]
    without = {**environment, "CONDA_NO_PLUGINS": "true"}
    runs = interleave([Command("with", words, environment), Command("without plugins", words, without)], count)
    differences = [(a.wall - b.wall) * 1000 for a, b in zip(runs["with"], runs["without plugins"], strict=True)]
    rows = [
        ["import of the plugin", Spread.of(imports).text()],
        ["its command line", Spread.of(parsers).text()],
        ["whole run, with and without plugins: difference", Spread.of(differences).text(0)],
    ]
    outcome = Outcome("time that the plugin adds to every conda", TARGET_MS, added, count, unit=" ms")
    table = Table("", ["", f"ms, median (least-most) of {count}"], rows)
    return Section("The plugin in conda", TEXT, [outcome], [table])
