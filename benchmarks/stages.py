"""Measure the stages of a first start by the times that the archive prints."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING

from benchmarks import archives
from benchmarks.runner import interleave
from benchmarks.summary import Chart, Section, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bench import Bench
    from benchmarks.runner import Run

TEXT = """\
With COEX_TRACE set an archive says how long each stage took. It does not see the rest of the whole run: the
shell's search for a Python, that Python's start and its imports. Medians."""
_LINE = re.compile(r"coex: (.+?) ([\d.]+) ms")
OUTSIDE = "before: sh, Python's start and imports"


def measure(bench: Bench) -> Section:
    """Measure the stages of every environment."""
    parts: dict[str, list[tuple[str, float]]] = {}
    python = archives.newest_python()
    for name in bench.environments:
        file = archives.archive(bench, name)
        command = archives.first_start(name, file, bench.place / "store", python, COEX_TRACE="1")
        stages = medians(interleave([command], bench.rounds)[name])
        if stages:
            parts[name] = stages
    if not parts:
        bench.note("this build of archives prints no stages")
        return Section("Where a first start spends its time", TEXT)
    names = list(dict.fromkeys(stage for stages in parts.values() for stage, _ in stages))
    rows = [[stage, *(f"{dict(stages).get(stage, 0.0):.1f}" for stages in parts.values())] for stage in names]
    table = Table("", ["stage", *(f"{name}, ms" for name in parts)], rows)
    chart = Chart("stages", "Where a first start spends its time", "parts", "ms", parts=parts)
    return Section("Where a first start spends its time", TEXT, (), [table], [chart])


def medians(runs: Sequence[Run]) -> list[tuple[str, float]]:
    """Return the stages in their order, with their medians, and the time outside of them."""
    found: dict[str, list[float]] = {OUTSIDE: []}
    for run in runs:
        inside = 0.0
        for stage, spent in _LINE.findall(run.errors):
            if stage == "total":
                continue
            name = re.sub(r"\d+ files", "files", stage)
            found.setdefault(name, []).append(float(spent))
            inside += float(spent)
        if inside:
            found[OUTSIDE].append(run.wall * 1000 - inside)
    return [(stage, statistics.median(values)) for stage, values in found.items() if values]
