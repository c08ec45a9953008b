"""The console blocks of README, tutorial and how-to pages print the output that the pages show."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest
from documentation.conftest import make_user
from documentation.page import as_on_the_page, check_page, fits, read_page, run_steps
from testbed.engines import ENGINES
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

DOCS = REPOSITORY / "docs"
PAGES = {
    str(page.relative_to(REPOSITORY)): page
    for page in (REPOSITORY / "README.md", DOCS / "tutorial.md", *sorted(DOCS.glob("how-to/*.md")))
    if page.stem not in ENGINES  # test_engines.py runs these
}


MADE_AGAIN = "docs/how-to/lock-and-sbom.md"  # whose packages are fetched again from where archives say they are


@pytest.mark.parametrize("page", [name for name in PAGES if name != MADE_AGAIN])
def test_page(page: str, user: dict[str, str], testbed: Layout) -> None:
    check_page(PAGES[page], user, partial(as_on_the_page, user=user, testbed=testbed))


def test_page_of_locks(testbed: Layout, served_channel: str, tmp_path: Path) -> None:
    user = make_user(testbed, tmp_path, served_channel)
    user |= {"CONDA_PKGS_DIRS": f"{user['HOME']}/pkgs", "CONDA_OFFLINE": "false"}
    check_page(PAGES[MADE_AGAIN], user, partial(as_on_the_page, user=user, testbed=testbed, served=served_channel))


@pytest.mark.parametrize("page", PAGES)
def test_roots_of_this_machine_are_left_alone(page: str) -> None:
    """A start looks for roots in /tmp, too, so a page names a store before it lists or removes roots."""
    scripts = [step.script for step in read_page(PAGES[page])]
    listing = [number for number, script in enumerate(scripts) if re.search(r"\bcache (list|clean)\b", script)]
    assert not listing or any("export COEX_ROOT=" in script for script in scripts[: listing[0]])


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a 1.2 MB", "a    1.9 MB", True),
        ("a 1.2 kB (-3 B)", "a    17 kB (+13 B)", True),
        ("a 1.2 MB", "a 17 kB", False),
        ("...\na 40.0 MB ... 0 B, 1.2 GB", "b 7.0 MB\na 39.9 MB of 2 MB 1 B, 400.0 MB", False),
        ("...\na 40.0 MB ... 0 B, 1.2 GB", "b 7.0 MB\na 39.9 MB of 2 MB 1 B, 0.90 GB", True),
        ("v1.2 MB", "v1.3 MB", False),
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
