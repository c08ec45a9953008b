"""The files and tests that the pages name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from testbed.layout import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("docs/**/*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"])
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("tests/**/test_*.py"))
TEST_FILES = {path.name for path in REPOSITORY.glob("tests/**/test_*.py")}
TREES = ("bootstrap", "conda_coex", "docs", "benchmarks", "recipe", "tests")
LITERAL = re.compile(r"`([\w./*-]+)`")
LINK = re.compile(r"https://(?:github\.com/conda-coex/conda-coex/blob|raw\.githubusercontent\.com/conda-coex/conda-coex)/main/([^)>#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_names(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = []
    for name in [*LITERAL.findall(text), *LINK.findall(text)]:
        word = Path(name)
        if word.name.startswith("test_"):
            there = word.name in TEST_FILES if word.suffix == ".py" else f"def {word.name}(" in TESTS
        elif "/" in name and word.parts[0] in TREES and not name.startswith("docs/_build"):
            there = any(REPOSITORY.glob(name.rstrip("/")))
        else:
            continue
        if not there:
            missing.append(name)
    assert missing == []


def test_readme_is_short() -> None:
    """A newcomer reads it at once; the pages have the rest."""
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
