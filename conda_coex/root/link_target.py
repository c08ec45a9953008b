"""Compute the targets of symbolic links of a root, without a root on disk."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from .content import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_LINKS = 40  # in one path, as Linux allows (path_resolution(7))


class TooManyLinks(Exception):
    """The links of a path lead in a circle, or are more than a kernel follows."""


def resolve_links(path: str, target_at: Callable[[str], str | None], *, last: bool = True) -> str | None:
    """Return a path of the root with its links followed, as `os.path.realpath` does; None if it leaves the root.

    `target_at` returns the target of the link at a path of the root, or None if there is no link; nothing else has to
    exist. Without `last`, only the links in its directories are followed. Raises TooManyLinks.
    """
    if path.startswith("/"):
        return None
    done: list[str] = []
    left = path.split("/")[::-1]
    count = 0
    while left:
        part = left.pop()
        if part == "..":
            if not done:
                return None
            done.pop()
        elif part not in ("", "."):
            done.append(part)
            target = target_at("/".join(done)) if left or last else None
            if target is None:
                continue
            count += 1
            if count > MOST_LINKS:
                raise TooManyLinks
            if target.startswith("/"):
                return None
            done.pop()
            left += target.split("/")[::-1]
    return "/".join(done)


def is_below(path: str | None, *directories: str) -> bool:
    """Return whether a path of the root is one of these directories or in one; None, a path outside, is not."""
    return path is not None and f"{path}/".startswith(tuple(f"{directory}/" for directory in directories))


def leaving_links(links: Iterable[Link], *directories: str) -> Iterator[Link]:
    """Yield the links that point to a place outside of these directories of the root, sorted by path.

    A link to another link points to the place of that one.
    """
    targets = {link.path: link.target for link in links}
    for path, target in sorted(targets.items()):
        try:
            place = resolve_links(posixpath.join(posixpath.dirname(path), target), targets.get, last=False)
        except TooManyLinks:
            continue
        if not is_below(place, *directories):
            yield Link(path, target)
