"""Pack a live prefix as it is: joins `create` where the files of packages are laid out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bytecode, create, existing, pointers, records
from .errors import InputError
from .fetch import frame_directory
from .frame_cache import FrameCache
from .installed import installed_package, plan_installed, read_record, rows_of
from .layout import Group, Layout
from .live_prefix import walk
from .plan import Content, find_python
from .report import human, report
from .unmanaged import Unmanaged, collect_unmanaged, names_of

if TYPE_CHECKING:
    from .environment import Environment
    from .installed import Drift
    from .plan import PackagePlan, Python
    from .selection import Selection

OWNER = "not of conda"
ROOMY = 100  # bytes of a prefix that the usual places to unpack do not reach
LISTED = 5  # paths that a note names


def pack(request: create.Request, selection: Selection, *, refuse_missing: bool) -> int:
    """Pack the prefix that was asked for and say what came of it; returns the status."""
    assert request.prefix is not None
    output = create.check(request)
    prefix = Path(request.prefix)
    if (prefix / "pyvenv.cfg").is_file():
        what = "is a virtual environment, whose Python lies outside of it"
        raise InputError(what, os.fsencode(prefix), "make a conda environment, and install into that")
    if not all(name.isprintable() for name in names_of(prefix)):  # bytes that are no UTF-8 among them
        raise InputError("has a path that is no UTF-8, or is unprintable", os.fsencode(prefix), "rename a directory")
    environment = replace(existing.read_existing(request.prefix), foreign=())
    dists = [record.dist_str().rpartition(":")[2] for record in environment.records]
    installed = [read_record(prefix, dist) for dist in dists]
    found = read(prefix, selection, installed)
    plans, drifts = plan_packages(installed, prefix, found)
    missing = [path for drift in drifts for path in drift.missing if selection.leaves_out(path) is None]
    if missing and refuse_missing:
        raise InputError(f"files of packages are missing ({shown(missing)})", os.fsencode(prefix), "reinstall these")
    packages = [plan.package for plan in plans]
    date = create.build_date(tuple(packages))
    cache = FrameCache(frame_directory(), request.level)
    if selection.leaves_out("x.pyc") is not None:
        plans = [without_compiled(plan) for plan in plans]
    layout, sources = lay_out(environment, plans, found, cache, date)
    # post-link scripts ran in the prefix
    fields: dict[str, object] = {"compile": create.left_to_compile(plans, sources), "post_link": []}
    manifest = create.write(request, output, environment, plans, layout, cache, date, fields)
    said = notes(found, drifts, missing, selection) + limits(layout, prefix)
    report(output, manifest, environment, [], said)
    return 0


def read(prefix: Path, selection: Selection, installed: list[dict[str, Any]]) -> Unmanaged:
    """Return all files of the prefix that are wanted; refuses what imports from outside."""
    tree = walk(prefix, lambda path: bool(selection.include) or selection.leaves_out(path) != "excluded")
    tree.files = {path: state for path, state in tree.files.items() if selection.wanted(path, state.st_size)}
    tree.links = {path: target for path, target in tree.links.items() if selection.wanted(path, 0)}
    rows = (row for record in installed for row in rows_of(record))
    of_packages = {target for target, row in rows if target.endswith(".pyc") and row.get("path_type") != "pyc_file"}
    found = collect_unmanaged(prefix, (), tree=tree, of_packages=of_packages)
    pointers.refuse(found.items, names_of(prefix))
    return found


def plan_packages(
    installed: list[dict[str, Any]], prefix: Path, found: Unmanaged
) -> tuple[list[PackagePlan], list[Drift]]:
    """Return the packages as they are in the prefix; what is theirs is taken from `found.items`."""
    live = {item.path.removeprefix("prefix/"): item for item in found.items}
    packages = [installed_package(prefix, record, record.get("requested_spec")) for record in installed]
    python = find_python(packages)
    done = [
        plan_installed(package, record, python, live, names_of(prefix))
        for package, record in zip(packages, installed, strict=True)
    ]
    managed = {target for record in installed for target, _ in rows_of(record)}
    found.items = [item for path, item in live.items() if path not in managed]
    files = (item for plan, _ in done for item in plan.files)
    owned = {item.path for item in files if isinstance(item, Content) and item.compiled}
    found.sources = [source for source in found.sources if source.path not in owned]
    return [plan for plan, _ in done], [drift for _, drift in done]


def without_compiled(plan: PackagePlan) -> PackagePlan:
    """Return a plan by which nothing is compiled."""
    files = (replace(item, compiled=None) if isinstance(item, Content) else item for item in plan.files)
    return replace(plan, files=tuple(files))


def lay_out(
    environment: Environment, plans: list[PackagePlan], found: Unmanaged, cache: FrameCache, date: int
) -> tuple[Layout, list[str]]:
    """Return the root and the sources that the host has to compile."""
    from conda.base.context import context

    layout = Layout()
    for plan in plans:
        layout.place(Group(plan.package.dist, plan.package.identity), plan.files)
    for plan in plans:
        layout.place(create.SCRIPTS, plan.entry_points)
    layout.place(OWNER, found.items)
    python = find_python([plan.package for plan in plans])
    native = environment.platform == context._native_subdir()
    compiled, left = bytecode.Compiler(python, native, cache, date).compile_plans(plans)
    for made in compiled:
        layout.place(made.group, made.contents)
    left += compile_unmanaged(python, found, layout, date, native=native)
    for path, mode in found.directories.items():
        layout.make_directory(path)
        layout.modes[path] = mode
    meta = records.plan_records(plans, date)
    meta.append(records.plan_history(plans, environment.specs, create.context_version(), date))
    layout.place(create.META, meta + records.plan_state(environment.variables, date))
    return layout, sorted(set(left))


def compile_unmanaged(python: Python | None, found: Unmanaged, layout: Layout, date: int, *, native: bool) -> list[str]:
    """Compile the sources that had a .pyc; those that name the prefix, and all for another platform, are left."""
    if python is None:
        return []
    sources = [source for source in found.sources if native and not source.edits]
    if sources:
        made = bytecode.compile_sources(python.package.directory / python.program, sources, date)
        layout.place(f"{OWNER}, compiled", made)
    done = {source.path for source in sources}
    return [source.path.removeprefix("prefix/") for source in found.sources if source.path not in done]


def notes(found: Unmanaged, drifts: list[Drift], missing: list[str], selection: Selection) -> list[str]:
    """Return what deserves attention."""
    modified = [path for drift in drifts for path in drift.modified]
    said = [f"{path} is a {what} and is left out" for path, what in found.left_out]
    if modified:
        said.append(f"modified since conda installed them, and kept as they are now: {shown(modified)}")
    if missing:
        said.append(f"missing from packages, and so from the archive: {shown(missing)}")
    if found.stay:
        said.append(f"names the environment's path in a form that cannot be changed: {shown(list(found.stay))}")
    for kind, (files, size) in selection.saved.items():
        said.append(f"left out: {kind}, {files} files, {human(size)}")
    return said


def limits(layout: Layout, prefix: Path) -> list[str]:
    """Return which binaries have room for no longer path than the prefix's, where that is a short one."""
    room = max(map(len, names_of(prefix)))
    short = [
        path.removeprefix("prefix/")
        for path, item in layout.entries.items()
        if isinstance(item, Content) and item.edits and item.file_mode == "binary"
    ]
    if not short or room >= ROOMY:
        return []
    what = f"the archive unpacks only where its prefix has at most {room} bytes, because of {shown(short)}"
    return [f"{what}: leave these out with --exclude, or make them again in an environment at a longer path"]


def shown(paths: list[str]) -> str:
    more = len(paths) - LISTED
    return ", ".join(paths[:LISTED]) + (f" and {more} more" if more > 0 else "")
