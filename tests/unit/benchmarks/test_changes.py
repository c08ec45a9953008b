"""The table of a run's results beside those that were kept before it, of made-up results."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from testbed.layout import REPOSITORY

from benchmarks import changes, machine, report
from benchmarks.__main__ import target_of
from benchmarks.families import NAMES
from benchmarks.runner import Run
from benchmarks.summary import Chart, Outcome, Section, Spread, Table, processor_ratio, ratio

if TYPE_CHECKING:
    from pathlib import Path

THEN = {"processor": "2 x one", "file system": "tmpfs", "date": "2026-01-02", "commit": "abc1234"}
NOW = {**THEN, "date": "2026-03-04", "commit": "def5678 and changes"}
HEAD = "| measure | before | now | change | beyond the spread | before was measured |"


def outcome(name: str, median: float, least: float, most: float, *, count: int = 3, unit: str = "") -> Outcome:
    return Outcome(name, 1.5, Spread(median, least, most), count, unit=unit)


def section(*outcomes: Outcome) -> Section:
    charts = [Chart("c", "A chart", "bars", "s", bars=[("one", 1.0)])]
    return Section("A family", "Its text.", outcomes, [Table("A table", ["", "n"], [["row", "1"]])], charts)


def rows(directory: Path, before: dict[str, report.Kept]) -> list[list[str]]:
    """Return the cells of all rows of the table."""
    lines = list(changes.lines(before, report.load_all(directory)))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[lines.index(HEAD) + 2 :]]


def run_twice(
    directory: Path, then: list[Outcome], now: list[Outcome], machine_then: dict[str, str] = THEN
) -> list[list[str]]:
    report.save(directory, "build", section(*then), machine_then, [])
    before = report.load_all(directory)
    report.save(directory, "build", section(*now), NOW, [])
    return rows(directory, before)


def test_results_are_read_as_they_were_kept(tmp_path):
    kept = section(outcome("a", 1.0, 0.5, 2.0))
    report.save(tmp_path, "build", kept, THEN, ["a note"])
    found = report.load(tmp_path, "build")
    assert (found.machine, found.notes) == (THEN, ["a note"])
    assert list(found.section.outcomes) == list(kept.outcomes)
    assert report.load(tmp_path, "growth") is None


def test_a_measure_is_shown_before_and_now(tmp_path):
    found = run_twice(tmp_path, [outcome("a", 2.0, 1.8, 2.2)], [outcome("a", 1.0, 0.9, 1.1)])
    assert found == [["a", "2.00 (1.80-2.20)", "1.00 (0.90-1.10)", "-50 %", "less", "2026-01-02, abc1234"]]


def test_runs_beside_others_are_counted(tmp_path):
    then, now = (replace(outcome("a", 1.0, 0.9, 1.1), disturbed=number) for number in (2, 0))
    ((_, *found, _, _, _),) = run_twice(tmp_path, [then], [now])
    assert found == ["1.00 (0.90-1.10), 2 of 3 disturbed", "1.00 (0.90-1.10)"]


def test_the_title_names_the_commit_of_now(tmp_path):
    report.save(tmp_path, "build", section(outcome("a", 1, 1, 1)), NOW, [])
    assert "(2026-03-04, def5678 and changes)" in next(changes.lines({}, report.load_all(tmp_path)))


@pytest.mark.parametrize(
    ("now", "change", "beyond"),
    [
        ((1.0, 0.9, 1.1), "+0 %", "no"),
        ((1.2, 1.05, 1.3), "+20 %", "no"),  # one of its runs was as good as one before
        ((1.2, 1.15, 1.3), "+20 %", "more"),
        ((0.8, 0.7, 0.95), "-20 %", "no"),
        ((0.8, 0.7, 0.85), "-20 %", "less"),
    ],
)
def test_the_spread_says_whether_runs_overlap(tmp_path, now, change, beyond):
    ((_, _, _, *found, _),) = run_twice(tmp_path, [outcome("a", 1.0, 0.9, 1.1)], [outcome("a", *now)])
    assert found == [change, beyond]


def test_of_a_single_run_no_spread_is_known(tmp_path):
    ((_, *found, _),) = run_twice(tmp_path, [outcome("a", 1, 1, 1, count=1)], [outcome("a", 2, 2, 2, count=1)])
    assert found == ["1.00", "2.00", "+100 %", ""]


def test_new_measures_and_gone_ones_are_shown(tmp_path):
    found = run_twice(tmp_path, [outcome("gone", 1, 1, 1)], [outcome("new", 2, 2, 2)])
    assert found == [
        ["new", "", "2.00 (2.00-2.00)", "", "", ""],
        ["gone", "1.00 (1.00-1.00)", "", "", "", "2026-01-02, abc1234"],
    ]


def test_a_measure_of_nothing_has_no_ratio(tmp_path):
    ((_, _, _, change, _, _),) = run_twice(tmp_path, [outcome("a", 0, 0, 0)], [outcome("a", 2, 2, 2)])
    assert change == ""


def test_microseconds_are_whole(tmp_path):
    then, now = (outcome("a", *spread, unit=" us") for spread in ((900.4, 800, 1000), (950.6, 900, 999)))
    found = run_twice(tmp_path, [then], [now])
    assert found[0][1:4] == ["900 (800-1000)", "951 (900-999)", "+6 %"]


def test_another_machine_is_named(tmp_path):
    then = {**THEN, "file system": "ext4"}
    found = run_twice(tmp_path, [outcome("a", 1, 1, 1)], [outcome("a", 1, 1, 1)], then)
    assert found[0][-1] == "2026-01-02, abc1234, file system: ext4"


def test_results_of_the_time_before_commits_were_kept_have_a_date(tmp_path):
    then = {name: text for name, text in THEN.items() if name != "commit"}
    found = run_twice(tmp_path, [outcome("a", 1, 1, 1)], [outcome("a", 2, 2, 2)], then)
    assert found[0][-1] == "2026-01-02"


def test_only_families_that_were_measured_are_shown(tmp_path):
    report.save(tmp_path, "build", section(outcome("a", 1, 1, 1)), THEN, [])
    report.save(tmp_path, "growth", section(outcome("b", 1, 1, 1)), THEN, [])
    before = report.load_all(tmp_path)
    assert list(changes.lines(before, report.load_all(tmp_path))) == []
    report.save(tmp_path, "growth", section(outcome("b", 2, 2, 2)), NOW, [])
    assert [row[0] for row in rows(tmp_path, before)] == ["b"]


def test_the_page_has_the_commit_and_all_families(tmp_path):
    report.save(tmp_path / "kept", "build", section(outcome("a", 1, 1, 1)), NOW, ["nothing is missing"])
    page = report.write(tmp_path / "kept", tmp_path / "page", quick=True).read_text(encoding="utf-8")
    assert "| commit | def5678 and changes |" in page
    assert "| a | <= 1.5 | 1.00 (1.00-1.00) | 3 | met |" in page
    assert "- nothing is missing" in page
    assert (tmp_path / "page" / "charts" / "c.svg").exists()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
def test_the_commit_is_the_one_that_git_names():
    words = ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"]
    named = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    assert machine.commit().removesuffix(" and changes") == named


def test_processor_time_is_compared_apart_from_wall_time():
    ours, others = [Run(1.0, 3.0, 0, 0.0), Run(1.0, 8.0, 0, 0.0)], [Run(2.0, 2.0, 0, 0.0)] * 2
    assert ratio("wall", None, ours, others).value == Spread(0.5, 0.5, 0.5)
    assert processor_ratio("processor", 1.0, ours, others).value == Spread(2.75, 1.5, 4.0)


def test_the_page_of_the_repository_is_written_if_no_family_is_missing(tmp_path):
    results, home = tmp_path / "results", tmp_path / "home"
    for name in NAMES[:-1]:
        report.save(results, name, section(outcome("a", 1.0, 0.5, 2.0)), NOW, [])
    assert target_of(results, home, quick=False) == home / "part"
    report.save(results, NAMES[-1], section(outcome("a", 1.0, 0.5, 2.0)), NOW, [])
    assert target_of(results, home, quick=False) == REPOSITORY / "benchmarks"
    assert target_of(results, home, quick=True) == home / "quick"
