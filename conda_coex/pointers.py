"""Find what makes a Python import from outside its prefix: editable installs, .pth and .egg-link files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError
from .plan import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .plan import Link

POINTER = re.compile(r"prefix/lib/python[^/]+/site-packages/(?P<name>[^/]+\.(?:pth|egg-link)|__editable__[^/]*\.py)\Z")
QUOTED = re.compile(r"""['"](/[^'"\n]+)['"]""")


def outside(items: Iterable[Content | Link], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each such file and the existing path outside the prefix that it leads to."""
    for item in items:
        found = POINTER.match(item.path)
        if found is None or not isinstance(item, Content) or not isinstance(item.source, Path):
            continue
        text = item.source.read_text("utf-8", "surrogateescape")
        lines = [line.strip() for line in text.splitlines()]
        given = [line for line in lines if line and not line.startswith(("import", "#"))]
        if found["name"].endswith(".py"):
            given = QUOTED.findall(text)
        for path in given:
            place = os.path.normpath(item.source.parent / path)
            if not (place + "/").startswith(tuple(name + "/" for name in names)) and Path(place).exists():
                yield found["name"], place


def refuse(items: Iterable[Content | Link], names: Sequence[str]) -> None:
    """Raise InputError where something leads outside: it would be missing on every host."""
    found = dict.fromkeys(outside(items, names))
    if found:
        listed = ", ".join(f"{name} -> {place}" for name, place in found)
        raise InputError(
            f"the environment imports from outside of it, as by an editable install ({listed})",
            remedy="install that with `pip install PATH`, or leave it out with --exclude NAME",
        )
