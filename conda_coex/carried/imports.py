"""Find the imports in the text of a Python module, line by line.

The syntax of a module may be newer than the Python of the builder, and the result must not depend on that. Text that
only looks like an import makes the result larger, never smaller.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = re.compile(r"(?P<indent>[ \t]*)(?P<statement>[^\s#)][^\n]*)")
FUNCTION = re.compile(r"(?:async[ \t]+)?def\b")
NOT_RUN = re.compile(r"if (?:typing\.)?TYPE_CHECKING:|if __name__ == ['\"]__main__['\"]:")
IMPORT = re.compile(
    r"(?:(?:try|else|finally|if [^:\n]*):[ \t]*)?"
    r"(?:from[ \t]+(?P<base>\.*[\w.]*)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n;]*)"
    r"|import[ \t]+(?P<modules>[\w., \t]+))"
)
COMMENT = re.compile(r"#[^\n]*")


def imports_of(source: str, package: str, *, functions: bool) -> set[str]:
    """Return the names that a module may import, dotted: modules, and names in them that may be modules, too.

    `package` is the one that relative imports begin at. Imports in functions count only if `functions` is true, and
    those for type checkers and for the use as a program never do.
    """
    names: set[str] = set()
    source = source.replace("\\\n", " ")
    for line in _run_lines(source, functions=functions):
        statement = IMPORT.match(source, line.start("statement"))
        if statement is not None:
            names.update(_names(statement, package))
    return names


def _run_lines(source: str, *, functions: bool) -> Iterator[re.Match[str]]:
    """Yield the lines of the module but those in blocks that are not run, which end at a line that is not deeper."""
    block: int | None = None
    for line in LINE.finditer(source):
        if line.start() and source[line.start() - 1] != "\n":
            continue
        depth, statement = len(line["indent"]), line["statement"]
        if block is not None and depth > block:
            continue
        block = None
        if NOT_RUN.match(statement) or (not functions and FUNCTION.match(statement)):
            block = depth
        else:
            yield line


def _names(statement: re.Match[str], package: str) -> Iterator[str]:
    if statement["modules"]:
        yield from (word.split()[0] for word in statement["modules"].split(",") if word.split())
        return
    base = _absolute(statement["base"], package)
    yield base
    for word in COMMENT.sub("", statement["names"]).strip("() \t").split(","):
        if word.split():
            yield f"{base}.{word.split()[0]}"


def _absolute(base: str, package: str) -> str:
    """Return the module of `from BASE import`, whose dots count packages upwards."""
    name = base.lstrip(".")
    up = len(base) - len(name)
    if not up:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - up + 1], *([name] if name else [])])
