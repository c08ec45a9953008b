"""Make notes on files of the app that a Python script looks for in the caller's directory."""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING

from ..root.python_source import parse_source

if TYPE_CHECKING:
    from ..root.content import Content
    from ..root.layout import Layout

LISTED = 3
# With one of these a script finds its place by itself.
FINDS = (b"__file__", b"COEX_APP", b"chdir", b"importlib.resources", b"pkgutil", b"argv[0]")


def data_notes(path: str, entry: Content, layout: Layout) -> list[str]:
    """Return the note on the script at a path of the root, if strings in it are paths of the app."""
    if posixpath.splitext(path)[1] != ".py":
        return []
    source = entry.read() or b""
    if any(word in source for word in FINDS):
        return []
    names = [name for name in _strings(source) if "." in name and f"app/{posixpath.normpath(name)}" in layout.entries]
    if not names:
        return []
    listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    remedy = "in it, os.environ['COEX_APP'] is the place of the app"
    return [f"{path.removeprefix('app/')} looks for {listed} where the caller is; {remedy}"]


def _strings(source: bytes) -> list[str]:
    """Return the relative paths that stand alone as strings in a source, each once."""
    tree = parse_source(source)
    nodes = ast.walk(tree) if tree is not None else ()
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in dict.fromkeys(texts) if text and not text.startswith("/") and "\0" not in text]
