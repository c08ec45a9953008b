"""Keep the results, and write the page and the charts for readers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import charts
from benchmarks.families import NAMES
from benchmarks.summary import Chart, Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

INTRODUCTION = """\
# Benchmarks

Written by `./dev bench{variant}`; do not edit. Every comparison is of commands that took turns on one machine, so
read the ratios: absolute times are of that machine and that day. Numbers are medians, with the least and the greatest
in parentheses. A run during which others used the machine is repeated; runs that stayed disturbed are counted. The file
system is synced, and the outputs of the run before are gone, before each run.
"""


def save(directory: Path, family: str, section: Section, machine: Mapping[str, str], notes: Sequence[str]) -> None:
    """Keep the results of a family, with the machine that they are from."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"section": asdict(section), "machine": dict(machine), "notes": list(notes)}
    (directory / f"{family}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Kept:
    """The results of a family as an earlier run kept them."""

    section: Section
    machine: Mapping[str, str]
    notes: Sequence[str]


def load(directory: Path, family: str) -> Kept | None:
    """Return the kept results of a family, or None."""
    file = directory / f"{family}.json"
    if not file.exists():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    return Kept(_section(content["section"]), content["machine"], content["notes"])


def load_all(directory: Path) -> dict[str, Kept]:
    """Return the kept results of all families, in the order of the page."""
    found = {name: load(directory, name) for name in NAMES}
    return {name: kept for name, kept in found.items() if kept}


def has_all(directory: Path) -> bool:
    """Return whether every family of the page has kept results."""
    return list(load_all(directory)) == list(NAMES)


def write(results: Path, target: Path, *, quick: bool) -> Path:
    """Write README.md and the charts from all that is kept; return the page."""
    target.mkdir(parents=True, exist_ok=True)
    kept = list(load_all(results).values())
    sections = [each.section for each in kept]
    for section in sections:
        for chart in section.charts:
            (target / "charts").mkdir(exist_ok=True)
            (target / "charts" / f"{chart.name}.svg").write_text(charts.draw(chart), encoding="utf-8")
    machine = kept[0].machine if kept else {}
    notes = list(dict.fromkeys(note for each in kept for note in each.notes))
    page = target / "README.md"
    page.write_text("\n".join(_page(sections, machine, notes, quick)) + "\n", encoding="utf-8")
    return page


def _section(fields: dict[str, Any]) -> Section:  # type: ignore[explicit-any] # the JSON of a section
    return Section(
        fields["title"],
        fields["text"],
        [Outcome(**{**each, "value": Spread(**each["value"])}) for each in fields["outcomes"]],
        [Table(**each) for each in fields["tables"]],
        [Chart(**each) for each in fields["charts"]],
    )


def _page(sections: Sequence[Section], machine: Mapping[str, str], notes: Sequence[str], quick: bool) -> Iterator[str]:
    yield INTRODUCTION.format(variant=" -- --quick" if quick else "")
    yield from markdown_table([], [[name, value] for name, value in machine.items()])
    yield "\n## Targets\n"
    outcomes = [outcome for section in sections for outcome in section.outcomes]
    yield from markdown_table(["measure", "target", "measured", "runs", ""], [_outcome(each) for each in outcomes])
    for section in sections:
        yield f"\n## {section.title}\n\n{section.text}"
        for chart in section.charts:
            yield f"\n![{chart.title}](charts/{chart.name}.svg)"
        for table in section.tables:
            yield f"\n{table.title}\n" if table.title else ""
            yield from markdown_table(table.head, table.rows)
    if notes:
        yield "\n## Not measured\n"
        yield from (f"- {note}" for note in notes)


def _outcome(outcome: Outcome) -> list[str]:
    target = "" if outcome.target is None else f"<= {outcome.target:g}{outcome.unit}"
    runs = str(outcome.count) + (f", {outcome.disturbed} disturbed" if outcome.disturbed else "")
    return [outcome.name, target, outcome.text, runs, outcome.verdict]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table of Markdown; numbers stand to the right."""
    listed = [list(row) for row in rows]
    if not listed:
        return
    columns = len(listed[0])
    yield "| " + " | ".join(cell.replace("|", "\\|") for cell in head or [""] * columns) + " |"
    yield "|" + "|".join("---" if column == 0 else "---:" for column in range(columns)) + "|"
    for row in listed:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
