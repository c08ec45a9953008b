"""Find modules that a script of the app imports, and that are beside it here, but not in the app."""

from __future__ import annotations

import ast
import posixpath
import warnings
from typing import TYPE_CHECKING

from ..root.content import Content
from ..root.source import OnDisk
from .function import module_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..root.layout import Layout


def missing_modules(path: str, layout: Layout) -> list[str]:
    """Return the paths here of the modules that a source of the app at a path of the root cannot import on a host."""
    entry = layout.entries.get(path)
    if not isinstance(entry, Content) or not isinstance(entry.source, OnDisk):
        return []
    beside, here = posixpath.dirname(path), entry.source.path.parent
    paths = []
    for name in sorted(set(_imported(entry.source.read()))):
        own = here / name
        local = next((each for each in (own.with_name(f"{name}.py"), own / "__init__.py") if each.is_file()), None)
        in_app = any(f"{beside}/{name}{end}" in layout.entries for end in (".py", "/__init__.py"))
        if local is not None and not in_app and module_of(name, layout) is None:
            paths.append(str(own if local.parent == own else local))
    return paths


def _imported(source: bytes) -> Iterator[str]:
    """Yield the names of the modules that a source always imports: at its top level, and in blocks that always run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of others' code
            body = ast.parse(source).body
    except (SyntaxError, ValueError):  # of another Python
        return
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]
