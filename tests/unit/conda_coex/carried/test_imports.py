"""Imports are found in the text of a module: all that Python's own parser finds, in any syntax."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest

from conda_coex.carried.imports import imports_of

LIBRARY = Path(sysconfig.get_path("stdlib"))
FILES = sorted(path for path in LIBRARY.rglob("*.py") if not {"site-packages", "test", "lib2to3"} & {*path.parts})
MAIN = ("TYPE_CHECKING", "__name__ == '__main__'")


def parsed(tree: ast.AST, package: str, *, functions: bool) -> set[str]:
    """Return the imports that Python's parser finds."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not functions:
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in MAIN:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        else:
            found |= parsed(node, package, functions=functions)
    return found


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(LIBRARY).parent.parts)


@pytest.mark.parametrize("functions", [True, False])
def test_standard_library(functions: bool) -> None:
    assert len(FILES) > 400
    missing = {}
    for path in FILES:
        source = path.read_text(encoding="utf-8", errors="replace")
        wanted = parsed(ast.parse(source), package_of(path), functions=functions)
        found = imports_of(source, package_of(path), functions=functions)
        if wanted - found:
            missing[path.name] = wanted - found
    assert missing == {}


def test_newer_syntax() -> None:
    """A host's standard library may be newer than the builder's Python."""
    source = """\
import a
type X[T] = list[T]
try:
    from b import (c,  # a comment
        d)
except X, Y:
    import e
"""
    assert imports_of(source, "", functions=False) == {"a", "b", "b.c", "b.d", "e"}


def test_blocks_that_are_not_run() -> None:
    source = """
if TYPE_CHECKING:
    import typing
def call():
    import late
class C:
    import early
    def method(self):
        from . import near
if __name__ == "__main__":
    import doctest
"""
    assert imports_of(source, "p", functions=False) == {"early"}
    assert imports_of(source, "p", functions=True) == {"early", "late", "p", "p.near"}
