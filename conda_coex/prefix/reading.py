"""Read a live prefix: all files to pack, and which of them are still those of its packages."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from ..conda_api.installed_records import behind_links, missing_rows
from ..errors import InputError
from ..root.content import Content
from ..root.link_rules import find_python
from . import builder_paths
from .cached_files import follow_cache_links
from .package_plans import plan_all
from .restore import restore
from .unmanaged import Unmanaged, collect_unmanaged, emptied_directories, names_of, source_of
from .walk import is_environment, walk

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Sequence

    from ..conda_api.installed_records import InstalledRecord
    from ..root.content import Link
    from ..root.link_rules import PackagePlan
    from ..root.package import Package
    from .filters import Selection
    from .package_plans import Drift


@dataclass
class Planned:
    """The packages of a prefix; paths are relative to it."""

    plans: list[PackagePlan]
    drifts: list[Drift]
    restored: list[str] = field(default_factory=list)


@dataclass
class Restoring:
    """Restore selected files that packages lack; package files are extracted to directories of `scratch`."""

    selection: Selection
    date: int  # seconds since 1970
    scratch: contextlib.ExitStack

    def restore_all(
        self, installed: list[InstalledRecord], packages: list[Package], live: dict[str, Content | Link]
    ) -> dict[str, Content | Link]:
        """Return the files that packages lack and conda's caches have, by path in the prefix."""
        python = find_python(packages)
        restored: dict[str, Content | Link] = {}
        for record, package in zip(installed, packages, strict=True):
            rows = missing_rows(record, live, package.directory)
            rows = {path: row for path, row in rows.items() if self.selection.leaves_out(path) is None}
            if rows:
                restored |= restore(package, record, rows, python, self.date, self.scratch)
        return restored


def checked_prefix(path: str) -> Path:
    """Return the prefix to pack; raises InputError for a virtual environment, and for a path that is not printable."""
    prefix = Path(path)
    if (prefix / "pyvenv.cfg").is_file():
        what = "is a virtual environment, whose Python lies outside of it"
        raise InputError(what, os.fsencode(prefix), "make a conda environment, and install into that")
    if not all(name.isprintable() for name in names_of(prefix)):  # also bytes that are not UTF-8
        raise InputError("has a path that is not UTF-8, or is not printable", os.fsencode(prefix), "rename a directory")
    return prefix


def read_prefix(
    prefix: Path, selection: Selection, installed: list[InstalledRecord], output: Path, names: Sequence[str]
) -> Unmanaged:
    """Return the selected files of the prefix: those of packages even if their names are those of caches or logs."""
    archive = os.path.relpath(os.path.realpath(output), os.path.realpath(prefix))
    rows = {target: row for record in installed for target, row in record.rows}
    managed = {above for target in rows for above in accumulate(target.split("/"), posixpath.join)}

    def is_selected(path: str) -> bool:
        if path not in managed and not (is_environment(path) and is_environment(posixpath.dirname(path))):
            return False
        if path == archive:
            return False
        if selection.leaves_out(path) != "excluded":
            return True
        return bool(selection.include) and os.access(prefix / path, os.R_OK)  # `include` may match a path below it

    tree = walk(prefix, is_selected)
    cached = follow_cache_links(tree, rows)
    files = {path: state for path, state in tree.files.items() if selection.takes(path, state.st_size)}
    links = {path: target for path, target in tree.links.items() if selection.takes(path, 0)}
    for path in emptied_directories(tree, files.keys() | links.keys()):
        del tree.directories[path]
    tree.files, tree.links = files, links
    own = (target for target, row in rows.items() if row.get("path_type") != "pyc_file")
    of_packages = {target for target in own if target.endswith(".pyc")}
    unmanaged = collect_unmanaged(prefix, (), names, tree, of_packages)
    unmanaged.privileged = list(builder_paths.privileged(prefix, files))
    unmanaged.cached = [path for path in cached if path in files]
    return unmanaged


def plan_packages(
    installed: list[InstalledRecord],
    packages: list[Package],
    prefix: Path,
    unmanaged: Unmanaged,
    restoring: Restoring | None,
    names: tuple[str, ...],
) -> Planned:
    """Return the packages as they are in the prefix; their files are removed from `unmanaged`.

    With `restoring`, missing files come from conda's package caches.
    """
    live = {item.path.removeprefix("prefix/"): item for item in unmanaged.items}
    python = find_python(packages)
    managed = {target for record in installed for target, _ in record.rows}
    for path, (real, item) in behind_links(managed, live, prefix).items():
        live[path] = item
        managed.add(real)
    unmanaged.items = [item for path, item in live.items() if path not in managed]
    restored: dict[str, Content | Link] = {}
    if restoring is not None:
        restored = restoring.restore_all(installed, packages, live)
    plans, drifts = plan_all(packages, installed, python, {**live, **restored}, names)
    files = [item for plan in plans for item in plan.files if isinstance(item, Content)]
    noarch = {path for plan in plans for path in plan.compiled}
    again = {path for drift in drifts for path in drift.compiled_again}
    sources = {item.path: item for item in (*unmanaged.sources, *(live[source_of(path)] for path in sorted(again)))}
    unmanaged.sources = [item for item in sources.values() if isinstance(item, Content) and item.path not in noarch]
    own = {item.path.removeprefix("prefix/") for item in files if item.package_path is not None}
    unmanaged.fixed = {path: count for path, count in unmanaged.fixed.items() if path not in own | again}
    return Planned(plans, drifts, sorted(restored))
