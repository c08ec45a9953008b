"""Describe the Python distributions of a live prefix that are not from conda packages, for the manifest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ..root.content import Content
from .direct_url_json import parse_direct_url
from .metadata import describe, origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..root.content import Link
    from .metadata import Distribution, Origin

METADATA = re.compile(
    r"(prefix/(?:lib/python[^/]+/site-packages/[^/]+\.(?:dist-info|egg-info|egg/EGG-INFO)"
    r"|share/coex/editable/.+\.egg-info))(?:/METADATA|/PKG-INFO)?\Z"  # of sources that were brought along
)


def distributions(items: Iterable[Content | Link]) -> list[Distribution]:
    """Return name, version and source of each, sorted by name; of a directory of the builder only its last name."""
    files = {item.path: item for item in items if isinstance(item, Content)}
    by_name: dict[str, Distribution] = {}
    for path in sorted(files):
        match = METADATA.match(path)
        if match is None:
            continue
        row = describe(_data(files[path]), requested=f"{match[1]}/REQUESTED" in files)
        name = canonicalize_name(row["name"])
        by_name.setdefault(name, {**row, **_origin(files.get(f"{match[1]}/direct_url.json"))})
    return [by_name[name] for name in sorted(by_name)]


def _origin(file: Content | None) -> Origin:
    direct_url = parse_direct_url(_data(file)) if file is not None else None
    return origin(direct_url) if direct_url is not None else {}


def _data(file: Content) -> bytes:
    return file.read() or b""
