"""Name the Python distributions among the files of a live prefix that no conda package brought, for the manifest."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ..root.content import Content
from .metadata import Row, describe, origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..root.content import Link

METADATA = re.compile(
    r"(prefix/(?:lib/python[^/]+/site-packages/[^/]+\.(?:dist-info|egg-info|egg/EGG-INFO)"
    r"|share/coex/editable/.+\.egg-info))(?:/METADATA|/PKG-INFO)?\Z"  # of sources that were brought along
)


def distributions(items: Iterable[Content | Link]) -> list[Row]:
    """Return name, version and source of each, by name; of a directory of the builder the last name alone is told."""
    files = {item.path: item for item in items if isinstance(item, Content)}
    found: dict[str, Row] = {}
    for path in sorted(files):
        match = METADATA.match(path)
        if match is None:
            continue
        row = describe(_data(files[path]), requested=f"{match[1]}/REQUESTED" in files)
        name = canonicalize_name(row["name"])
        found.setdefault(name, {**row, **_origin(files.get(f"{match[1]}/direct_url.json"))})
    return [found[name] for name in sorted(found)]


def _origin(file: Content | None) -> Row:
    try:
        fields = json.loads(_data(file)) if file is not None else {}
        return origin(fields) if isinstance(fields, dict) else {}
    except (ValueError, AttributeError):  # not JSON, or not an object with these fields
        return {}


def _data(file: Content) -> bytes:
    return file.read() or b""
