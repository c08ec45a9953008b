"""Find the module of an entry point `module:function`, and whether it has that function, without running code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EntryPointNotFound
from ..root.content import Content
from ..root.pth_file import import_directories
from ..root.python_source import parse_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..root.content import Link
    from ..root.layout import Layout

# The directories in which Python looks. A finder or a .pth file leads it to the sources that `pack` brings along.
OF_PYTHON = r"prefix/lib/(?:python|pypy)[^/]*/(?:(?:site-packages|lib-dynload)/)?"
PLACES = (
    "app/", OF_PYTHON,
    r"prefix/share/coex/editable/(?:[^/]+/)+",
)  # fmt: skip
SUFFIXES = r"(/__init__)?(\.py|\.pyc|\.so|\.[^/]*\.so)"
RUNNABLE = r"(/__main__)?(\.py|\.pyc)"  # of modules that `python -m` runs
# With these, names come to a module in ways that its source does not show.
DYNAMIC = {"exec", "globals", "setattr", "__getattr__", "vars", "locals", "modules"}
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def module_of(word: str, layout: Layout, suffixes: str = SUFFIXES) -> str | None:
    """Return the path in the root of the module of `module:function`, if there is one; the app comes first.

    If Python would not find it, a directory of the app, such as `src`, may have it.
    """
    module = word.split(":")[0].replace(".", "/")
    places = "|".join([*PLACES, *(re.escape(directory) for directory in import_directories(layout))])
    pattern = re.compile(f"(?:{places}){re.escape(module)}{suffixes}")
    paths = list(filter(pattern.fullmatch, layout.entries))
    if not paths:
        deep = re.compile(f"(app/(?:.+/)?){re.escape(module)}{suffixes}")
        matches = [match for match in map(deep.fullmatch, layout.entries) if match]
        directories = {match[1] for match in matches}
        chosen = "app/src/" if "app/src/" in directories else min(directories, default="")
        paths = [match[0] for match in matches if match[1] == chosen]
        if chosen != "app/src/" and len(directories) > 1:
            names = ", ".join(sorted(each.removeprefix("app/").rstrip("/") for each in directories))
            raise EntryPointNotFound(
                f"the module {module.replace('/', '.')} is in several directories of the app ({names})",
                remedy="give the one that is meant the place of the app itself, as in DIRECTORY=.",
            )
    return min(paths, key=_precedence, default=None)


def directory_of(module: str, path: str) -> str | None:
    """Return the directory of the app that Python has to import from to find a module at this path of the root."""
    name = module.split(":")[0].replace(".", "/")
    return path[: path.rindex(f"/{name}")] if path.startswith("app/") else None


def find_runnable(module: str, layout: Layout) -> str:
    """Return the path of the module that `python -m` runs; raises EntryPointNotFound if there is none."""
    package = module_of(module, layout)
    path = module_of(module, layout, RUNNABLE)
    if package is not None and "/__init__." in package:
        path = module_of(f"{module}.__main__", layout)
    if path is None:
        what, remedy = "is neither in the environment nor in the app", _remedy(module)
        if package is not None:
            what, remedy = f"has no __main__.py beside {package.split('/', 1)[1]}", "write one, or name another module"
        raise EntryPointNotFound(f"the entry point runs the module {module}, which {what}", remedy=remedy)
    return path


def _precedence(path: str) -> tuple[bool, bool, bool, str]:
    """Order modules of one name as Python's import does: packages first, and extensions before sources."""
    in_package = "/__init__." in path or "/__main__." in path
    return not path.startswith("app/"), not in_package, not path.endswith(".so"), path


def find_module(word: str, layout: Layout) -> str:
    """Return the path of the module; raises EntryPointNotFound if there is none, or no Python to run it."""
    path = module_of(word, layout)
    if path is None:
        raise EntryPointNotFound(
            f"the entry point {word!r} names a module that is neither in the environment nor in the app",
            remedy=_remedy(word),
        )
    if "prefix/bin/python" not in layout.entries:
        raise EntryPointNotFound(f"the environment has no Python to run {word!r}", remedy="add python")
    return path


def _remedy(word: str) -> str:
    module, _, function = word.partition(":")
    if module.endswith(".py"):
        return f"write {module.removesuffix('.py')}:{function}"
    top = module.split(".")[0]
    for name in (top, f"{top}.py"):
        if Path(name).exists():
            return f"add {name} to the app: name it at the end of the command"
    return "add its package to the environment, or its file or directory to the app"


def check_function(word: str, layout: Layout) -> None:
    """Raise EntryPointNotFound if the module has no such function; add a note if only a run can tell."""
    path = find_module(word, layout)
    name = word.split(":")[1].split(".")[0]
    source = _content(layout.entries[path]) if path.endswith(".py") else None
    tree = parse_source(source) if source is not None else None
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


def _content(entry: Content | Link) -> bytes | None:
    """Return the content of a file, None if it is not known."""
    return entry.read() if isinstance(entry, Content) else None


def _names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that a module's statements bind, also in `if`, `try`, `with` and loops.

    `*` for all of a module.
    """
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
            continue
        yield from _stored(node)
        for field in ("body", "orelse", "finalbody"):
            yield from _names(getattr(node, field, ()))
        for handler in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _names(handler.body)


def _stored(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement assigns, without those in its functions and classes."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if not isinstance(node, SCOPES):
        for part in ast.iter_child_nodes(node):
            yield from _stored(part)


def _is_dynamic(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in DYNAMIC
    if isinstance(node, ast.Global):  # a function may bind it
        return True
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
    return name in DYNAMIC
