"""Packages that must be refused."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

from testbed.package import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.package import Package
    from testbed.workshop import Workshop


def build(workshop: Workshop) -> Iterator[Package]:
    """Yield the packages of this group; ``truncated`` is cut later, when it has been indexed."""
    yield _escape_path(workshop)
    yield _escape_found(workshop)

    evil = workshop.noarch_python("escape-entry-point", depends=())
    evil.text("site-packages/evil.py", "def main():\n    return 0\n")
    evil.entry_points = ["../../evil = evil:main"]
    yield evil

    link = workshop.noarch("escape-link")
    link.link("share/outside", "../..")
    yield link
    through = workshop.noarch("escape-through-link", depends=["escape-link"])
    through.text("share/outside/escaped.txt", "I left the prefix through a link\n")
    yield through

    forged = workshop.noarch("bad-hash")
    forged.text("share/bad-hash/file.txt", "the right contents\n")
    forged.tamper = _forge_contents
    yield forged

    unsat = workshop.noarch("unsat", depends=["does-not-exist >=1"])
    unsat.text("share/unsat/file.txt", "never installed\n")
    yield unsat

    truncated = workshop.noarch("truncated")
    truncated.text("share/truncated/file.txt", "incompressible enough\n" * 100)
    yield truncated


def _escape_path(workshop: Workshop) -> Package:
    package = workshop.noarch("escape-path")
    package.text("share/escape/file.txt", "inside\n")
    package.tamper = partial(_list_also, "../escaped")
    return package


def _escape_found(workshop: Workshop) -> Package:
    """Return a package whose listed path exists for the system, but is text for a way out."""
    package = workshop.noarch("escape-found")
    package.text("share/escaped", "inside, outside\n")
    package.text("share/a/b/c/file.txt", "inside\n")
    package.link("share/up", "a/b/c")
    package.tamper = partial(_list_also, "share/up/../../../escaped")
    return package


def _list_also(path: str, root: Path) -> None:
    """Name one more path in the list of a package's files."""
    file = root / "info" / "paths.json"
    listed = json.loads(file.read_text(encoding="utf-8"))
    row = next(row for row in listed["paths"] if row["_path"] in {"share/escaped", "share/escape/file.txt"})
    listed["paths"].append({**row, "_path": path})
    file.write_text(json.dumps(listed), encoding="utf-8")


def _forge_contents(root: Path) -> None:
    """Change a file to something of the same size after its hash was taken."""
    file = root / "share" / "bad-hash" / "file.txt"
    file.write_text("the wrong contents\n", encoding="utf-8")
    os.utime(file, (EPOCH, EPOCH))
