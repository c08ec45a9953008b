"""The console blocks of README, tutorial and how-to pages print what the pages say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documentation.page import fits, read_page, run_steps
from testbed.layout import REPOSITORY, native_subdir

if TYPE_CHECKING:
    from testbed.layout import Layout

DOCS = REPOSITORY / "docs"
PAGES = {
    str(page.relative_to(REPOSITORY)): page
    for page in (REPOSITORY / "README.md", DOCS / "tutorial.md", *sorted(DOCS.glob("how-to/*.md")))
}


def as_on_the_page(printed: str, user: dict[str, str], testbed: Layout) -> str:
    """Return what was printed with the names that the pages have for places of the test."""
    places = {
        testbed.channel.as_uri(): "https://conda.anaconda.org/conda-forge",
        str(testbed.pkgs): "/home/me/pkgs",
        user["HOME"]: "/home/me",
        user["TMPDIR"]: "/tmp",
        native_subdir(): "linux-64",
    }
    for place, name in places.items():
        printed = printed.replace(place, name)
    return printed


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_page(page: Path, user: dict[str, str], testbed: Layout) -> None:
    steps = read_page(page)
    results = run_steps(steps, Path(user["HOME"]), user)
    wrong = []
    for step, result in zip(steps, results, strict=False):
        printed = as_on_the_page(result.printed, user, testbed)
        if (step.expected and not fits(step.expected, printed)) or (result.status and not step.expected):
            wrong.append(f"{page}:{step.line}: {step.script}status {result.status}, printed:\n{printed}\n")
    assert not wrong, "\n".join(wrong)
    assert len(results) == len(steps), f"{page}: the shell ended in line {steps[len(results)].line}"


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a 1.2 MB", "a    17 kB", True),
        ("a ... c", "a b c", True),
        ("a ... c", "a b d", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
    ],
)
def test_comparison(expected: str, printed: str, same: bool) -> None:
    assert fits(expected, printed) is same


def test_steps(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- setup\nmkdir a\n-->\n```{code-block} text\n:caption: a/x.txt\n\none\n```\n"
        "```console\n$ cat \\\n> a/x.txt\none\n$ false\n```\n```sh\nfalse\n```\n",
        encoding="utf-8",
    )
    steps = read_page(page)
    assert [step.line for step in steps] == [2, 5, 10, 13]
    results = run_steps(steps, tmp_path, {"PATH": "/usr/bin:/bin"})
    assert [(result.printed, result.status) for result in results] == [("", 0), ("", 0), ("one", 0), ("", 1)]
