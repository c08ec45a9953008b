"""Pack a live prefix as it is: joins `create` where the files of packages are laid out."""

from __future__ import annotations

import contextlib
import os
import posixpath
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import builder_paths, bytecode, compiled, create, direct_url, editable, existing, pack_notes, pointers, records
from .aliases import find_aliases
from .cached_files import follow
from .errors import InputError
from .frame_cache import FrameCache
from .installed import behind_links, installed_package, lacking, read_records, rows_of
from .layout import Group, Layout
from .live_distribution import distributions
from .live_plan import plan_all
from .live_prefix import is_environment, walk
from .package_cache import frame_directory
from .pip_record import blank_hashes
from .plan import Content, find_python
from .report import report
from .restore import restore
from .unmanaged import Unmanaged, collect_unmanaged, emptied, names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .environment import Environment
    from .live_plan import Drift
    from .packages import Package
    from .plan import Link, PackagePlan, Python
    from .selection import Selection

OWNER = "not of conda"


@dataclass(frozen=True)
class Choices:
    """What to do with what an archive cannot have as it is."""

    missing: str  # files of packages: ignore, refuse, or restore them from conda's package cache
    editable: str  # sources outside of the prefix: refuse, or bring them along


@dataclass
class Planned:
    """The packages of a prefix; paths are relative to it."""

    plans: list[PackagePlan]
    drifts: list[Drift]
    restored: list[str] = field(default_factory=list)


def pack(request: create.Request, selection: Selection, choices: Choices) -> int:
    """Pack the prefix that was asked for and say what came of it; returns the status."""
    with contextlib.ExitStack() as scratch:  # what has to last until the payload is written
        return _pack(request, selection, choices, scratch)


def _pack(request: create.Request, selection: Selection, choices: Choices, scratch: contextlib.ExitStack) -> int:
    output = create.check(request)
    prefix = checked_prefix(request)
    known = read_records(prefix)
    others = find_aliases(prefix, known.values())
    names = names_of(prefix, [*others.names, *others.former])
    environment = existing.read_existing(str(prefix), pip=False)
    dists = [record.dist_str().rpartition(":")[2] for record in environment.records]
    installed = [known[dist] for dist in dists]
    found = read(prefix, selection, installed, output, names)
    pointers.refuse_rebuilding(found.items)
    bring = choices.editable == "bring"
    brought = editable.bring(found, names, selection, output) if bring else editable.Brought()
    pointers.refuse(found.items, names, brought=bring)
    restoring = scratch if choices.missing == "restore" else None
    planned = plan_packages(installed, prefix, found, selection, restoring, names)
    pip = distributions(found.items)
    stay = compiled.Kept(found.stay)
    kept, gone = direct_url.settle(compiled.settle(found.items, names, stay), names, brought.moved)
    found.items = list(blank_hashes(kept, gone))
    missing = [path for drift in planned.drifts for path in drift.missing if selection.leaves_out(path) is None]
    if missing and choices.missing == "refuse":
        what = f"files of packages are missing ({pack_notes.shown(missing)})"
        raise InputError(what, os.fsencode(prefix), "reinstall these, or take them from the cache: --missing restore")
    date = create.build_date(tuple(plan.package for plan in planned.plans))
    cache = FrameCache(frame_directory(), request.level)
    plans = [replace(plan, files=tuple(compiled.settle(plan.files, names, stay))) for plan in planned.plans]
    if selection.leaves_out("x.pyc") is not None:
        plans = [without_compiled(plan) for plan in plans]
    layout, sources = lay_out(environment, plans, found, cache, date)
    said = [*brought.notes, *pack_notes.notes(found, planned.drifts, missing, planned.restored, selection)]
    said += [*pack_notes.of_names(others), *pack_notes.kept_paths(stay)]
    entries = layout.entries.values()
    outside = builder_paths.files_outside(found.items, [*names, *others.foreign.values()])
    outside |= builder_paths.of_variables(environment.variables, names)
    users = builder_paths.of_user(find_python([plan.package for plan in plans]))
    said += pack_notes.of_builder(outside, builder_paths.libraries(entries), users)
    said += [*pack_notes.leaving(layout.links()), *pack_notes.limits(layout)]
    # post-link scripts ran in the prefix
    fields: dict[str, object] = {"compile": create.left_to_compile(plans, sources), "post_link": []}
    fields.update({"pip": pip} if pip else {})
    manifest = create.write(request, output, environment, plans, layout, cache, date, fields)
    report(output, manifest, environment, [], [*said, *layout.notes])
    return 0


def checked_prefix(request: create.Request) -> Path:
    """Return the prefix to pack; raises InputError for what is no environment of conda's, or has an odd path."""
    assert request.prefix is not None
    prefix = Path(request.prefix)
    if (prefix / "pyvenv.cfg").is_file():
        what = "is a virtual environment, whose Python lies outside of it"
        raise InputError(what, os.fsencode(prefix), "make a conda environment, and install into that")
    if not all(name.isprintable() for name in names_of(prefix)):  # bytes that are no UTF-8 among them
        raise InputError("has a path that is no UTF-8, or is unprintable", os.fsencode(prefix), "rename a directory")
    return prefix


def read(
    prefix: Path, selection: Selection, installed: list[dict[str, Any]], output: Path, names: Sequence[str]
) -> Unmanaged:
    """Return all files of the prefix that are wanted: those of packages whatever they are called."""
    archive = os.path.relpath(os.path.realpath(output), os.path.realpath(prefix))
    known = {target: row for record in installed for target, row in rows_of(record)}
    managed = {above for target in known for above in accumulate(target.split("/"), posixpath.join)}

    def wanted(path: str) -> bool:
        if path not in managed and not (is_environment(path) and is_environment(posixpath.dirname(path))):
            return False
        if path == archive:
            return False
        if selection.leaves_out(path) != "excluded":
            return True
        return bool(selection.include) and os.access(prefix / path, os.R_OK)  # something in it may be asked for

    tree = walk(prefix, wanted)
    cached = follow(tree, known)
    files = {path: state for path, state in tree.files.items() if selection.wanted(path, state.st_size)}
    links = {path: target for path, target in tree.links.items() if selection.wanted(path, 0)}
    for path in emptied(tree, files.keys() | links.keys()):
        del tree.directories[path]
    tree.files, tree.links = files, links
    own = (target for target, row in known.items() if row.get("path_type") != "pyc_file")
    of_packages = {target for target in own if target.endswith(".pyc")}
    found = collect_unmanaged(prefix, (), names, tree, of_packages)
    found.privileged = list(builder_paths.privileged(prefix, files))
    found.cached = [path for path in cached if path in files]
    return found


def plan_packages(
    installed: list[dict[str, Any]],
    prefix: Path,
    found: Unmanaged,
    selection: Selection,
    scratch: contextlib.ExitStack | None,
    names: tuple[str, ...],
) -> Planned:
    """Return the packages as they are in the prefix; what is theirs is taken from `found`.

    With `scratch`, what is missing comes from conda's package cache.
    """
    live = {item.path.removeprefix("prefix/"): item for item in found.items}
    packages = [installed_package(prefix, record, record.get("requested_spec")) for record in installed]
    python = find_python(packages)
    managed = {target for record in installed for target, _ in rows_of(record)}
    for path, (real, item) in behind_links(managed, live, prefix).items():
        live[path] = item
        managed.add(real)
    found.items = [item for path, item in live.items() if path not in managed]
    restored: dict[str, Content | Link] = {}
    if scratch is not None:
        restored = restore_all(installed, packages, live, selection, scratch)
    plans, drifts = plan_all(packages, installed, python, {**live, **restored}, names)
    files = [item for plan in plans for item in plan.files if isinstance(item, Content)]
    noarch = {item.path for item in files if item.compiled}
    found.sources = [source for source in found.sources if source.path not in noarch]
    own = {item.path.removeprefix("prefix/") for item in files if item.package_path is not None}
    found.stay = {path: count for path, count in found.stay.items() if path not in own}
    return Planned(plans, drifts, sorted(restored))


def restore_all(
    installed: list[dict[str, Any]],
    packages: list[Package],
    live: dict[str, Content | Link],
    selection: Selection,
    scratch: contextlib.ExitStack,
) -> dict[str, Content | Link]:
    """Return what can be had of the files that packages lack, and that were not to be left out."""
    python, date = find_python(packages), create.build_date(tuple(packages))
    restored: dict[str, Content | Link] = {}
    for record, package in zip(installed, packages, strict=True):
        rows = lacking(record, live, package.directory)
        rows = {path: row for path, row in rows.items() if selection.leaves_out(path) is None}
        if rows:
            restored |= restore(package, record, rows, python, date, scratch)
    return restored


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
        layout.place(Group(plan.package.dist, plan.identity, packaged=True), plan.files)
    for plan in plans:
        layout.place(create.SCRIPTS, plan.entry_points)
    layout.place(OWNER, found.items)
    python = find_python([plan.package for plan in plans])
    native = environment.platform == context._native_subdir()
    groups, left = bytecode.Compiler(python, native, cache).compile_plans(plans)
    for made in groups:
        layout.place(made.group, made.contents)
    left += compile_unmanaged(python, found, layout, native=native)
    for path, mode in found.directories.items():
        layout.make_directory(path)
        layout.modes[path] = mode
    meta = records.plan_records(plans, date)
    meta.append(records.plan_history(plans, environment.specs, create.context_version(), date))
    layout.place(create.META, meta + records.plan_state(environment.variables, date))
    return layout, sorted(set(left))


def compile_unmanaged(python: Python | None, found: Unmanaged, layout: Layout, *, native: bool) -> list[str]:
    """Compile the sources that had a .pyc; those that name the prefix, and all for another platform, are left."""
    if python is None:
        return []
    sources = [source for source in found.sources if native and not source.edits and isinstance(source.source, Path)]
    if sources:
        made = bytecode.compile_sources(python.package.directory / python.program, sources)
        layout.place(f"{OWNER}, compiled", made)
    done = {source.path for source in sources}
    return [source.path.removeprefix("prefix/") for source in found.sources if source.path not in done]
