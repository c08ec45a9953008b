"""Keep directories of the builder out of the direct_url.json files of distributions (PEP 610)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from coex_bootstrap.base.urls import without_credentials

from ..prefix.files import with_data
from ..root.content import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..root.content import Link

DIRECT_URL = re.compile(r"prefix/lib/python[^/]+/site-packages/[^/]+\.dist-info/direct_url\.json\Z")


def editable_places(items: Iterable[Content | Link], names: Sequence[str]) -> list[str]:
    """Return the real directories of the projects outside the prefix that are installed as editable ones."""
    found = (_read(item) for item in items if isinstance(item, Content))
    places = (os.path.realpath(path) for fields in found if _is_editable(fields) and (path := _path(fields)))
    return [place for place in places if not _is_inside(place, names)]


def settle(
    items: Iterable[Content | Link], names: Sequence[str], moved: Callable[[str], str | None]
) -> tuple[list[Content | Link], set[str], set[str]]:
    """Return the items, the paths of those that are gone, and of those with other content.

    Of an editable install the file names the place that its sources `moved` to. Of others that came from a path
    outside the prefix it goes: on a host that path is none. Of URLs, credentials go.
    """
    kept: list[Content | Link] = []
    gone: set[str] = set()
    changed: set[str] = set()
    for item in items:
        settled = _settle(item, names, moved) if isinstance(item, Content) else item
        if settled is None:
            gone.add(item.path)
            continue
        kept.append(settled)
        if settled is not item:
            changed.add(item.path)
    return kept, gone, changed


def _settle(item: Content, names: Sequence[str], moved: Callable[[str], str | None]) -> Content | None:
    fields = _read(item)
    if not fields:
        return item
    path = _path(fields)
    if path is None:
        url = without_credentials(fields["url"])
        return item if url == fields["url"] else _written(item, {**fields, "url": url}, names)
    if _is_inside(path, names):
        return item
    target = moved(path) if _is_editable(fields) else None
    if target is None:
        return None
    return _written(item, {**fields, "url": f"file://{names[0]}{quote(target.removeprefix(names[0]))}"}, names)


def _written(item: Content, fields: dict[str, Any], names: Sequence[str]) -> Content:
    path = Path(names[0] + item.path.removeprefix("prefix"))
    return with_data(path, json.dumps(fields).encode(), item.path, names)


def _read(item: Content) -> dict[str, Any]:
    """Return the fields of a direct_url.json; none if the file is not one."""
    data = item.read() if DIRECT_URL.match(item.path) else None
    if data is None:
        return {}
    try:
        fields = json.loads(data)
        return fields if isinstance(fields["url"], str) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _path(fields: dict[str, Any]) -> str | None:
    parts = urlsplit(fields["url"])
    return os.path.normpath(unquote(parts.path)) if parts.scheme == "file" else None


def _is_editable(fields: dict[str, Any]) -> bool:
    kind = fields.get("dir_info")
    return isinstance(kind, dict) and kind.get("editable") is True


def _is_inside(place: str, names: Sequence[str]) -> bool:
    return (place + "/").startswith(tuple(name + "/" for name in names))
