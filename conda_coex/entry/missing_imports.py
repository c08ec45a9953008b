"""Make notes on modules that a script of the app imports, and that Python does not find beside it on a host."""

from __future__ import annotations

import ast
import posixpath
import re
from typing import TYPE_CHECKING

from coex_bootstrap.format.values import is_module

from ..root.python_source import parse_source
from ..root.source import OnDisk
from .function import OF_PYTHON, SUFFIXES, module_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..root.content import Content
    from ..root.layout import Layout

NAME_IT = "which is not in the app; name it among the paths of the app"


def import_notes(path: str, entry: Content, layout: Layout, *, beside_only: bool = True) -> list[str]:
    """Return the notes on the imports of the source at a path of the root, if it is a file of this machine.

    Python imports from beside a script, and from elsewhere if PYTHONPATH is set: then it is not `beside_only`.
    """
    if not isinstance(entry.source, OnDisk):
        return []
    script, source = path.removeprefix("app/"), entry.source.read()
    beside, here = posixpath.dirname(path), entry.source.path.parent
    notes = []
    for name in sorted(set(_imported(source))):
        local = _module_here(here, name)
        if _in_app(beside, name, layout):
            continue
        if local is not None:
            notes += [f"{script} imports {local}, {NAME_IT}"] if module_of(name, layout) is None else []
        elif beside_only and "/" in script and b"sys.path" not in source:
            notes += _not_beside(script, name, entry.source.path.absolute(), layout)
    return notes


def _not_beside(script: str, name: str, source: Path, layout: Layout) -> Iterator[str]:
    """Yield a note on a module at the top of the app, which a script below a directory of it does not find."""
    has_place = source.as_posix().endswith(f"/{script}")
    here = _module_here(source.parents[script.count("/")], name) if has_place else None
    is_missing = not _in_app("app", name, layout)
    of_python = re.compile(f"{OF_PYTHON}{name}{SUFFIXES}")
    if (is_missing and here is None) or any(map(of_python.fullmatch, layout.entries)):
        return
    module = posixpath.splitext(script)[0].replace("/", ".")
    remedy = f"write 'python -m {module}'" if is_module(module) else "add --env 'PYTHONPATH=${COEX_APP}'"
    more = f", and name {here.name} among the paths of the app" if is_missing and here is not None else ""
    yield f"{script} imports {name}, which is not beside it; {remedy}{more}"


def _module_here(directory: Path, name: str) -> Path | None:
    """Return the source or the package of a module in a directory of this machine."""
    package, module = directory / name, directory / f"{name}.py"
    try:
        return package if (package / "__init__.py").is_file() else module if module.is_file() else None
    except OSError:  # the name is too long, or the directory is closed to this user
        return None


def _in_app(directory: str, name: str, layout: Layout) -> bool:
    return any(f"{directory}/{name}{end}" in layout.entries for end in (".py", "/__init__.py"))


def _imported(source: bytes) -> Iterator[str]:
    """Yield the names of the modules that a source always imports: at its top level, and in blocks that always run."""
    tree = parse_source(source)
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]
