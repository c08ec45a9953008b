"""Tell which distribution a file belongs to: the one that lists it in its RECORD."""

from __future__ import annotations

import contextlib
import csv
import posixpath
import re
from typing import TYPE_CHECKING

from ..root.content import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..root.content import Link

# Only those of site-packages itself: distributions may carry others, with their RECORD. The names are words.
RECORD = re.compile(r"(prefix/lib/python[^/]+/site-packages)/(?P<name>[\w.+!-]+)\.dist-info/RECORD\Z", re.ASCII)


def owners_of(items: Iterable[Content | Link]) -> dict[str, str]:
    """Return the distribution (name and version) of each path of the root that one lists; the first if several do."""
    owners: dict[str, str] = {}
    for item in sorted(items, key=lambda item: item.path):
        match = RECORD.match(item.path) if isinstance(item, Content) else None
        if match is not None and isinstance(item, Content):
            for path in _listed(item, match[1]):
                owners.setdefault(path, match["name"])
            owners[item.path] = match["name"]
    return owners


def _listed(record: Content, site_packages: str) -> Iterator[str]:
    """Yield the paths that a RECORD lists, up to one that nobody can read."""
    lines = (record.read() or b"").decode("utf-8", "surrogateescape").splitlines()
    with contextlib.suppress(csv.Error):
        for row in csv.reader(lines):
            if row:
                yield posixpath.normpath(posixpath.join(site_packages, row[0]))
