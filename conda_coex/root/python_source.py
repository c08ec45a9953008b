"""Parse a source of Python that others wrote."""

from __future__ import annotations

import ast
import warnings


def parse_source(source: bytes | str) -> ast.Module | None:
    """Return the syntax tree of a source; None if this Python cannot read it: it may be of another one, or too deep."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of others' code
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two for deep nesting, by version
        return None
