"""Find the module of an entry point `module:function`, and whether it has that function, without running code."""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EntryPointNotFound
from .plan import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .layout import Layout

PLACES = r"(app/|prefix/lib/(python|pypy)[^/]*/((site-packages|lib-dynload)/)?)"
SUFFIXES = r"(/__init__)?(\.py|\.pyc|\.so|\.[^/]*\.so)"
# With these, names come to a module in ways that its source does not show.
DYNAMIC = {"exec", "globals", "setattr", "__getattr__", "vars", "locals", "modules"}


def module_of(word: str, layout: Layout) -> str | None:
    """Return the path of the root that the module of `module:function` has, if any; the app's own comes first."""
    module = word.split(":")[0].replace(".", "/")
    pattern = re.compile(PLACES + re.escape(module) + SUFFIXES)
    found = filter(pattern.fullmatch, layout.entries)
    return min(found, key=_precedence, default=None)


def _precedence(path: str) -> tuple[bool, bool, bool, str]:
    """Order modules of one name as Python's import does: packages first, and extensions before sources."""
    return not path.startswith("app/"), "/__init__." not in path, not path.endswith(".so"), path


def find_module(word: str, layout: Layout) -> str:
    """Return the path of the module; raises EntryPointNotFound where there is none, or no Python to run it."""
    found = module_of(word, layout)
    if found is None:
        raise EntryPointNotFound(
            f"the entry point {word!r} names a module that is neither in the environment nor in the app",
            remedy="add its package to the environment, or its directory to the app",
        )
    if "prefix/bin/python" not in layout.entries:
        raise EntryPointNotFound(f"the environment has no Python to run {word!r}", remedy="add python")
    return found


def check_function(word: str, layout: Layout) -> None:
    """Raise EntryPointNotFound where the function is not there; leave a note where only a run can tell."""
    path = find_module(word, layout)
    name = word.split(":")[1].split(".")[0]
    source = _source(layout, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of others' code
            tree = ast.parse(source) if source is not None else None
    except (SyntaxError, ValueError):  # of a newer Python than the builder's
        tree = None
    if tree is not None:
        names = set(_names(tree.body))
        if name in names:
            return
        if "*" not in names and not any(_is_dynamic(node) for node in ast.walk(tree)):
            raise EntryPointNotFound(
                f"the entry point {word!r} names no function of its module: {path.split('/', 1)[1]} has no {name}",
                remedy="correct the name",
            )
    layout.notes.append(f"the entry point {word}: only a run can tell whether its module has {name}")


def _source(layout: Layout, path: str) -> bytes | None:
    entry = layout.entries[path]
    if not path.endswith(".py") or not isinstance(entry, Content):
        return None
    return entry.source.read_bytes() if isinstance(entry.source, Path) else entry.source


def _names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield what statements of a module bind, in `if`, `try`, `with` and loops too; `*` for all of another module."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id
        for field in ("body", "orelse", "finalbody"):
            yield from _names(getattr(node, field, ()))
        for handler in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _names(handler.body)


def _is_dynamic(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in DYNAMIC
    if isinstance(node, ast.Global):  # a function may bind it
        return True
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
    return name in DYNAMIC
