"""Compare the results of a run with those that were kept before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.report import Kept
    from benchmarks.summary import Outcome

HEAD = ("measure", "before", "now", "change", "beyond the spread", "before was measured")
LEGEND = """\
Medians, with the least and the greatest run in parentheses; less is better. "beyond the spread" says "less" or "more"
if all runs of now are below, or above, all runs before. The column "before" is empty until a second run."""
SAME_MACHINE = ("processor", "memory", "kernel", "Python of the builder", "file system")
"""The facts about a machine without which two runs are not to be compared."""


@dataclass(frozen=True)
class Change:
    """A measure before and now; one of both may be missing."""

    name: str
    before: Outcome | None
    now: Outcome | None
    measured: str
    """When, and at which commit, the measure before was taken."""

    @property
    def ratio(self) -> str:
        """The change of the median in percent."""
        if self.before is None or self.now is None or not self.before.value.median:
            return ""
        return f"{100 * (self.now.value.median / self.before.value.median - 1):+.0f} %"

    @property
    def beyond(self) -> str:
        """Whether all runs of now are less, or more, than all runs before."""
        if self.before is None or self.now is None or min(self.before.count, self.now.count) < 2:
            return ""
        if self.now.value.most < self.before.value.least:
            return "less"
        return "more" if self.now.value.least > self.before.value.most else "no"

    @property
    def row(self) -> list[str]:
        """The cells of the table, as ``HEAD`` names them."""
        return [self.name, _cell(self.before), _cell(self.now), self.ratio, self.beyond, self.measured]


def _cell(outcome: Outcome | None) -> str:
    """Return a measure, and how many of its runs shared the machine with others."""
    if outcome is None:
        return ""
    return f"{outcome.text}, {outcome.disturbed} of {outcome.count} disturbed" if outcome.disturbed else outcome.text


def of_family(before: Kept | None, now: Kept) -> list[Change]:
    """Return the measures of a family, first those of now in their order, then those that are gone."""
    old = {outcome.name: outcome for outcome in (before.section.outcomes if before else ())}
    new = {outcome.name: outcome for outcome in now.section.outcomes}
    measured = _measured(before.machine, now.machine) if before else ""
    names = dict.fromkeys((*new, *old))
    return [Change(name, old.get(name), new.get(name), measured if name in old else "") for name in names]


def _measured(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the date and the commit of a run, and the facts in which its machine was another one."""
    others = [f"{name}: {then.get(name, 'unknown')}" for name in SAME_MACHINE if then.get(name) != now.get(name)]
    return ", ".join((_when(then), *others))


def _when(machine: Mapping[str, str]) -> str:
    return ", ".join(machine[name] for name in ("date", "commit") if machine.get(name))


def lines(before: Mapping[str, Kept], after: Mapping[str, Kept]) -> Iterator[str]:
    """Yield a table of the families that were measured since; nothing if there are none."""
    measured = [name for name, kept in after.items() if kept != before.get(name)]
    if not measured:
        return
    yield f"\n## Before and now ({_when(after[measured[0]].machine)})\n"
    yield f"{LEGEND}\n"
    changes = [change for name in measured for change in of_family(before.get(name), after[name])]
    yield from markdown_table(HEAD, [change.row for change in changes])
