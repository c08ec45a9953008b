"""Parse .pth files as CPython's `site.addpackage` does: lines that extend `sys.path`, and lines of code."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from .content import Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layout import Layout

PTH_FILE = re.compile(r"prefix/lib/(?:python|pypy)[^/]*/site-packages/[^/]+\.pth")
BYTE_ORDER_MARK = "\ufeff"  # which Python 3.13 and newer skip


class PthLine(NamedTuple):
    """A line of a .pth file; comments and blank lines have neither a path nor code."""

    text: str  # as it stands in the file, with its end
    path: str | None = None  # to import from, absolute or relative to the directory of the file
    code: str | None = None


def parse(file: str) -> Iterator[PthLine]:
    """Yield all lines of a .pth file; joined, their texts are the file."""
    for number, text in enumerate(file.splitlines(keepends=True)):
        line = text if number else text.removeprefix(BYTE_ORDER_MARK)
        if not line.strip() or line.startswith("#") or "\0" in line:
            yield PthLine(text)
        elif line.startswith(("import ", "import\t")):
            yield PthLine(text, code=line.rstrip())
        else:
            yield PthLine(text, path=line.rstrip())


def pth_files(layout: Layout) -> list[str]:
    """Return the paths of the .pth files that the environment's Python reads at its start."""
    return list(filter(PTH_FILE.fullmatch, layout.entries))


def import_directories(layout: Layout) -> Iterator[str]:
    """Yield the directories of the root, each with a slash at its end, that .pth files add to `sys.path`."""
    for path in pth_files(layout):
        entry = layout.entries[path]
        data = entry.read() if isinstance(entry, Content) else None
        placeholder = entry.placeholder if isinstance(entry, Content) else None
        for line in parse((data or b"").decode("utf-8", "replace")):
            if line.path is None:
                continue
            if placeholder and line.path.startswith(placeholder + "/"):
                yield posixpath.normpath(f"prefix{line.path[len(placeholder) :]}") + "/"
            elif not line.path.startswith("/"):
                yield posixpath.normpath(posixpath.join(posixpath.dirname(path), line.path)) + "/"
