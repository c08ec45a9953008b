"""Remove paths of the builder, and credentials, from the `direct_url.json` of a live prefix (PEP 610)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from coex_bootstrap.base.urls import without_credentials

from ..prefix.live_file import with_data
from ..root.content import Content
from .direct_url_json import parse_direct_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..root.content import Link
    from .direct_url_json import DirectUrl

DIRECT_URL = re.compile(r"prefix/lib/python[^/]+/site-packages/[^/]+\.dist-info/direct_url\.json\Z")


def editable_places(items: Iterable[Content | Link], names: Sequence[str]) -> list[str]:
    """Return the real directories of the projects outside the prefix that are installed as editable ones."""
    direct_urls = (_read(item) for item in items if isinstance(item, Content))
    paths = (each.local_path for each in direct_urls if each is not None and each.is_editable)
    places = (os.path.realpath(path) for path in paths if path is not None)
    return [place for place in places if not _is_inside(place, names)]


def without_builder_paths(
    items: Iterable[Content | Link], names: Sequence[str], moved: Callable[[str], str | None]
) -> tuple[list[Content | Link], set[str], set[str]]:
    """Return the items, the paths of those that were removed, and the paths of those that have a new content.

    The file of an editable install names the place that its sources `moved` to. The file of another distribution from
    a path outside the prefix is removed: a host does not have that path. URLs lose their credentials.
    """
    remaining: list[Content | Link] = []
    removed: set[str] = set()
    changed: set[str] = set()
    for item in items:
        new = _without_builder(item, names, moved) if isinstance(item, Content) else item
        if new is None:
            removed.add(item.path)
            continue
        remaining.append(new)
        if new is not item:
            changed.add(item.path)
    return remaining, removed, changed


def _without_builder(item: Content, names: Sequence[str], moved: Callable[[str], str | None]) -> Content | None:
    """Return the file that a host can have, or None if it has to go."""
    direct_url = _read(item)
    if direct_url is None:
        return item
    path = direct_url.local_path
    if path is None:
        url = without_credentials(direct_url.url)
        return item if url == direct_url.url else _with_url(item, direct_url, url, names)
    if _is_inside(path, names):
        return item
    target = moved(path) if direct_url.is_editable else None
    if target is None:
        return None
    return _with_url(item, direct_url, f"file://{names[0]}{quote(target.removeprefix(names[0]))}", names)


def _with_url(item: Content, direct_url: DirectUrl, url: str, names: Sequence[str]) -> Content:
    path = Path(names[0] + item.path.removeprefix("prefix"))
    return with_data(path, json.dumps({**direct_url.fields, "url": url}).encode(), item.path, names)


def _read(item: Content) -> DirectUrl | None:
    """Return the content of a `direct_url.json`, and None for all other files."""
    return parse_direct_url(item.read()) if DIRECT_URL.match(item.path) else None


def _is_inside(place: str, names: Sequence[str]) -> bool:
    return (place + "/").startswith(tuple(name + "/" for name in names))
