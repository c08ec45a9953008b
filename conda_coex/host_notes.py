"""Notes on what an archive asks of a host that not every host has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coex_bootstrap.refused import alike

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layout import Layout

NAMED = 3  # pairs of paths
TERMINALS = "prefix/share/terminfo/"


def same_names(layout: Layout, platform: str) -> Iterator[str]:
    """Yield a note on paths that a file system without upper and lower case, as macOS has it, takes for one.

    Every ncurses for Linux has such paths among its terminals, and so every Python: on Linux they are not worth a note.
    """
    pairs = [
        (os.fsdecode(first), os.fsdecode(second))
        for first, second in alike(map(os.fsencode, layout.entries), map(os.fsencode, layout.directories))
    ]
    if platform.startswith("linux-"):
        pairs = [pair for pair in pairs if not pair[0].startswith(TERMINALS)]
    if pairs:
        named = ", ".join(f"{first} and {second}" for first, second in pairs[:NAMED])
        more = f", and {len(pairs) - NAMED} more pairs" if len(pairs) > NAMED else ""
        yield (
            "unpacks only on a file system that tells upper from lower case, which many of macOS do not, because of "
            f"{named}{more}"
        )
