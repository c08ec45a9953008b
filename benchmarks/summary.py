"""Make numbers of runs: medians, ratios of pairs with their spread, and how a target was met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.runner import Run


@dataclass(frozen=True)
class Spread:
    """A median with the least and the greatest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of measured values."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        """Return `median (least-most)`."""
        return f"{self.median:.{digits}f} ({self.least:.{digits}f}-{self.most:.{digits}f})"


@dataclass(frozen=True)
class Outcome:
    """A measured number and its target; smaller is better."""

    name: str
    target: float | None
    value: Spread
    count: int
    disturbed: int = 0
    unit: str = ""

    @property
    def text(self) -> str:
        """The number as readers want it, with its spread if there is one."""
        digits = 0 if self.unit == " us" else 2
        return self.value.text(digits) if self.count > 1 else f"{self.value.median:.{digits}f}"

    @property
    def verdict(self) -> str:
        """Whether the target was met, an empty text if there is none."""
        if self.target is None:
            return ""
        if self.value.median <= self.target:
            return "met"
        return "missed" if not self.disturbed else "missed, under other load"


@dataclass(frozen=True)
class Table:
    """Rows of text under a head and a title."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """Bars (one series, names to values) or lines (several series of points)."""

    name: str
    title: str
    kind: str
    unit: str
    series: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    bars: Sequence[tuple[str, float]] = ()
    parts: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    """Stacked bars: name to (part, value)."""
    across: str = ""


@dataclass(frozen=True)
class Section:
    """The results of one family of measures."""

    title: str
    text: str
    outcomes: Sequence[Outcome] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()


def ratio(name: str, target: float | None, runs: Sequence[Run], baseline: Sequence[Run]) -> Outcome:
    """Compare the runs of two commands, round by round."""
    return _by_round(name, target, runs, baseline, lambda run, other: run.wall / other.wall)


def processor_ratio(name: str, target: float | None, runs: Sequence[Run], baseline: Sequence[Run]) -> Outcome:
    """Compare the processor time of the runs of two commands, round by round."""
    return _by_round(name, target, runs, baseline, lambda run, other: run.cpu / other.cpu)


def excess(name: str, target: float | None, runs: Sequence[Run], baseline: Sequence[Run]) -> Outcome:
    """Return the seconds that one command takes over another, round by round."""
    return replace(_by_round(name, target, runs, baseline, lambda run, other: run.wall - other.wall), unit=" s")


def _by_round(
    name: str, target: float | None, runs: Sequence[Run], baseline: Sequence[Run], compare: Callable[[Run, Run], float]
) -> Outcome:
    pairs = list(zip(runs, baseline, strict=True))
    disturbed = sum(run.disturbed or other.disturbed for run, other in pairs)
    return Outcome(name, target, Spread.of([compare(*pair) for pair in pairs]), len(pairs), disturbed)


def time_table(title: str, runs: Mapping[str, Sequence[Run]], baseline: str) -> Table:
    """Tabulate wall and processor time of all commands, and their ratio to one of them."""
    rows = []
    for name, each in runs.items():
        against = ratio(name, None, each, runs[baseline])
        disturbed = sum(run.disturbed for run in each)
        rows.append(
            [
                name,
                Spread.of([run.wall for run in each]).text(),
                f"{statistics.median(run.cpu for run in each):.2f}",
                against.value.text(),
                f"{max(run.peak for run in each) / 1024:.0f}" if any(run.peak for run in each) else "small",
                f"{len(each)}" + (f", {disturbed} disturbed" if disturbed else ""),
            ]
        )
    head = ["", "wall, s (least-most)", "processor, s", f"x {baseline}", "largest process, MiB", "runs"]
    return Table(title, head, rows)
