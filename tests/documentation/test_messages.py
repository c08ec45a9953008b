"""The messages that the page of exit statuses quotes are those of the sources."""

from __future__ import annotations

import ast
import re

from testbed.layout import REPOSITORY

PAGE = REPOSITORY / "docs" / "reference" / "exit-statuses.md"
CLAUSE = re.compile(r"; |: |, | \(|\)")
FIXED = 8  # characters that a template has at least besides its places


def templates() -> set[str]:
    """Return a pattern for each clause of the texts in the bootstrap's sources."""
    found = set()
    for source in (REPOSITORY / "bootstrap").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for clause in CLAUSE.split(node.value):
                    parts = re.split(r"%[sd]", clause)
                    if len("".join(parts)) >= FIXED:
                        found.add(".+".join(map(re.escape, parts)))
    return found


def test_quoted_messages() -> None:
    quoted = re.findall(r"^coex: (?!FILE)(.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(quoted) >= 4
    known = templates()
    clauses = [clause for line in quoted for clause in CLAUSE.split(line) if " " in clause]
    assert [clause for clause in clauses if not any(re.fullmatch(pattern, clause) for pattern in known)] == []
