"""Find links of a live prefix to files of a cache: some installers make these instead of copies."""

from __future__ import annotations

import contextlib
import csv
import os
import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..root.package import PathRow
    from .walk import Tree

SITE = re.compile(r"(?P<site>lib/python[^/]+/site-packages)/(?P<rest>.+)")


def follow_cache_links(tree: Tree, rows: Mapping[str, PathRow]) -> list[str]:
    """Replace such links in the tree by the files that they lead to; return their paths.

    A link of a package whose file is gone is removed from the tree. conda links to the same path in its cache of
    packages, of which `rows` has all files; uv and others link each file of a distribution.
    """
    inside = os.path.realpath(tree.prefix) + "/"
    listed: dict[str, set[str]] = {}
    files: dict[str, os.stat_result] = {}
    gone = []
    for path, target in tree.links.items():
        real = os.path.realpath(tree.prefix / path)
        if real.startswith(inside):
            continue
        aim = os.path.normpath(os.path.join(tree.prefix, posixpath.dirname(path), target))  # noqa: PTH118
        row, match = rows.get(path), SITE.match(path)
        if row is not None:
            is_file = aim.endswith("/" + row["_path"]) or row.get("path_type") == "hardlink"
        elif match is not None and "/" not in match["rest"]:
            if match["site"] not in listed:
                listed[match["site"]] = set(_listed(tree, match["site"]))
            is_file = match["rest"] in listed[match["site"]]
        else:
            is_file = match is not None
        if is_file and os.path.isfile(real):  # noqa: PTH113
            files[path] = os.stat(real)  # noqa: PTH116
        elif is_file and row is not None and not os.path.lexists(real):
            gone.append(path)
    tree.files.update(files)
    for path in (*files, *gone):
        del tree.links[path]
    return sorted(files)


def _listed(tree: Tree, site: str) -> Iterator[str]:
    """Yield the files that the RECORDs of the distributions in a site-packages directory list."""
    for path in (*tree.files, *tree.links):
        if path.startswith(site) and path.endswith(".dist-info/RECORD"):
            with contextlib.suppress(OSError, csv.Error):
                text = (tree.prefix / path).read_text("utf-8", "surrogateescape")
                yield from (row[0] for row in csv.reader(text.splitlines()) if row)
