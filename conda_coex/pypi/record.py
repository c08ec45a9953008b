"""Keep the RECORD of pip's packages true: without hashes of files that differ from place to place."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from ..root.content import Content
from ..root.source import InMemory, sha256_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ..root.content import Link


def blank_hashes(
    items: Iterable[Content | Link], gone: Collection[str] = (), changed: Collection[str] = ()
) -> Iterator[Content | Link]:
    """Yield the items, with a RECORD that has neither hash nor size for files that are relocated or were `changed`.

    Files in `gone` are not listed; both are paths of the root.

    The specification "Recording installed projects" lets both fields be empty, as they are for .pyc files.
    """
    items = list(items)
    moved = {item.path for item in items if isinstance(item, Content) and (item.edits or item.python)} | set(changed)
    for item in items:
        if isinstance(item, Content) and item.path.endswith(".dist-info/RECORD") and item.source is not None:
            yield _without(item, moved, gone)
        else:
            yield item


def _without(record: Content, moved: set[str], gone: Collection[str]) -> Content:
    if record.edits:  # it names the prefix; its own rows are recognised by absolute paths
        return record
    site_packages = posixpath.dirname(posixpath.dirname(record.path))
    old = record.read()
    assert old is not None
    text = old.decode("utf-8", "surrogateescape")
    listed = list(csv.reader(io.StringIO(text, newline="")))
    paths = [posixpath.normpath(posixpath.join(site_packages, row[0])) if row else "" for row in listed]
    rows = [row for row, path in zip(listed, paths, strict=True) if path not in gone]
    changed = len(rows) < len(listed)
    for row in rows:
        if len(row) > 1 and row[1] and posixpath.normpath(posixpath.join(site_packages, row[0])) in moved:
            row[1:] = ["", ""]
            changed = True
    if not changed:
        return record
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n" if "\r\n" in text else "\n").writerows(rows)
    data = os.fsencode(written.getvalue())
    return replace(record, source=InMemory(data), size=len(data), sha256=sha256_of(data))
