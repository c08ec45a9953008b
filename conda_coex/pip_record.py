"""Keep the RECORD of what pip installed true: no hash of a file that differs from place to place."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .live_file import digest
from .plan import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .plan import Link


def blank_hashes(items: Iterable[Content | Link]) -> Iterator[Content | Link]:
    """Yield the items, with a RECORD that has neither hash nor size for files that are relocated.

    The specification "Recording installed projects" lets both fields be empty, as they are for .pyc files.
    """
    items = list(items)
    moved = {item.path for item in items if isinstance(item, Content) and (item.edits or item.python)}
    for item in items:
        if isinstance(item, Content) and item.path.endswith(".dist-info/RECORD") and isinstance(item.source, Path):
            yield _without(item, moved)
        else:
            yield item


def _without(record: Content, moved: set[str]) -> Content:
    if record.edits:  # it names the prefix, and its own rows are told by absolute paths
        return record
    assert isinstance(record.source, Path)
    site_packages = posixpath.dirname(posixpath.dirname(record.path))
    text = record.source.read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    changed = False
    for row in rows:
        if len(row) > 1 and row[1] and posixpath.normpath(posixpath.join(site_packages, row[0])) in moved:
            row[1:] = ["", ""]
            changed = True
    if not changed:
        return record
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n" if "\r\n" in text else "\n").writerows(rows)
    data = os.fsencode(written.getvalue())
    return replace(record, source=data, size=len(data), sha256=digest(data))
