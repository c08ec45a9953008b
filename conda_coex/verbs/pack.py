"""Pack a live prefix as it is: joins `create` where the files of packages are laid out."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..archive.frame_cache import FrameCache
from ..conda_api import installed_environment, settings, versions
from ..conda_api.installed_records import installed_package, read_records
from ..conda_api.package_cache import frame_directory
from ..errors import InputError
from ..inputs.environment import DryRun
from ..prefix import builder_paths, compiled
from ..prefix.reading import Restoring, checked_prefix, plan_packages, read_prefix
from ..prefix.spellings import find_aliases
from ..prefix.unmanaged import names_of
from ..pypi import direct_url, editable, import_paths
from ..pypi.live_distribution import distributions
from ..pypi.record import blank_hashes
from ..root import bytecode, conda_meta
from ..root.layout import Group, Layout
from ..root.link_rules import find_python
from ..root.source import OnDisk
from . import create, pack_notes

if TYPE_CHECKING:
    from ..inputs.environment import Environment
    from ..prefix.filters import Selection
    from ..prefix.unmanaged import Unmanaged
    from ..root.link_rules import PackagePlan, Python
    from .outcome import Created

OWNER = "not of conda"


@dataclass(frozen=True)
class Choices:
    """What to do with what an archive cannot have as it is."""

    missing: str  # files of packages: ignore, refuse, or restore them from conda's package cache
    editable: str  # sources outside of the prefix: refuse, or bring them along


def pack(request: create.Request, selection: Selection, choices: Choices) -> Created | DryRun:
    """Pack the prefix that was asked for; in a dry run return the plan for it."""
    with contextlib.ExitStack() as scratch:  # what has to last until the payload is written
        return _pack(request, selection, choices, scratch)


def _pack(
    request: create.Request, selection: Selection, choices: Choices, scratch: contextlib.ExitStack
) -> Created | DryRun:
    checked = create.check(request)
    assert checked.prefix is not None
    prefix, output = checked_prefix(checked.prefix), checked.app.output
    known = read_records(prefix)
    others = find_aliases(prefix, [*known.values()])
    names = names_of(prefix, [*others.names, *others.former])
    environment = installed_environment.read_installed(str(prefix), known, pip=False)
    if isinstance(environment, DryRun):
        return environment
    dists = [record.dist_str().rpartition(":")[2] for record in environment.records]
    installed = [known[dist] for dist in dists]
    found = read_prefix(prefix, selection, installed, output, names)
    import_paths.refuse_rebuilding(found.items)
    bring = choices.editable == "bring"
    brought = editable.bring(found, names, selection, output) if bring else editable.Brought()
    import_paths.refuse(found.items, names, brought=bring)
    packages = [installed_package(prefix, record) for record in installed]
    date = create.build_date(tuple(packages))
    restoring = Restoring(selection, date, scratch) if choices.missing == "restore" else None
    planned = plan_packages(installed, packages, prefix, found, restoring, names)
    pip = distributions(found.items)
    unreplaced = compiled.UnreplacedPaths(found.fixed)
    kept, gone, changed = direct_url.settle(compiled.limit_edits(found.items, names, unreplaced), names, brought.moved)
    found.items = list(blank_hashes(kept, gone, changed))
    missing = [path for drift in planned.drifts for path in drift.missing if selection.leaves_out(path) is None]
    if missing and choices.missing == "refuse":
        what = f"files of packages are missing ({pack_notes.shown(missing)})"
        raise InputError(what, os.fsencode(prefix), "reinstall these, or take them from the cache: --missing restore")
    cache = FrameCache(frame_directory(), request.level)
    plans = [replace(plan, files=tuple(compiled.limit_edits(plan.files, names, unreplaced))) for plan in planned.plans]
    if selection.leaves_out("x.pyc") is not None:
        plans = [without_compiled(plan) for plan in plans]
    layout, sources = lay_out(environment, plans, found, cache, date)
    said = [*brought.notes, *pack_notes.notes(found, planned.drifts, missing, planned.restored, selection)]
    said += [*pack_notes.of_names(others), *pack_notes.kept_paths(unreplaced)]
    entries = layout.entries.values()
    outside = builder_paths.files_outside(found.items, [*names, *others.foreign.values()])
    outside |= builder_paths.variables_outside(environment.variables, names)
    users = builder_paths.user_distributions(find_python([plan.package for plan in plans]))
    said += pack_notes.of_builder(outside, builder_paths.missing_libraries(entries), users)
    said += [*pack_notes.leaving(layout.links()), *pack_notes.limits(layout)]
    build = create.Build(environment, plans, layout, cache, date, sources, pip, runs_post_link=False)  # they did
    manifest = create.write(checked, build)
    return create.created(output, manifest, environment, [*environment.notes, *said, *layout.notes])


def without_compiled(plan: PackagePlan) -> PackagePlan:
    """Return a plan by which nothing is compiled."""
    return replace(plan, compiled={})


def lay_out(
    environment: Environment, plans: list[PackagePlan], found: Unmanaged, cache: FrameCache, date: int
) -> tuple[Layout, list[str]]:
    """Return the root and the sources that the host has to compile."""
    layout = Layout()
    for plan in plans:
        layout.place(Group(plan.package.dist, plan.identity, of_package=True), plan.files)
    for plan in plans:
        layout.place(create.SCRIPTS, plan.entry_points)
    layout.place(OWNER, found.items)
    python = find_python([plan.package for plan in plans])
    native = environment.platform == settings.builder_platform()
    groups, left = bytecode.Compiler(python, native, cache).compile_plans(plans)
    for made in groups:
        layout.place(made.group, made.files)
    left += compile_unmanaged(python, found, layout, native=native)
    for path, mode in found.directories.items():
        layout.make_directory(path)
        layout.modes[path] = mode
    meta = conda_meta.plan_records(plans, date)
    meta.append(conda_meta.plan_history(plans, environment.specs, versions.version(), date))
    layout.place(create.META, meta + conda_meta.plan_state(environment.variables, date))
    return layout, sorted(set(left))


def compile_unmanaged(python: Python | None, found: Unmanaged, layout: Layout, *, native: bool) -> list[str]:
    """Compile the sources that had a .pyc; those that name the prefix, and all for another platform, are left."""
    if python is None:
        return []
    sources = [source for source in found.sources if native and not source.edits and isinstance(source.source, OnDisk)]
    if sources:
        made = bytecode.compile_sources(python.package.directory / python.program, sources)
        layout.place(f"{OWNER}, compiled", made)
    done = {source.path for source in sources}
    return [source.path.removeprefix("prefix/") for source in found.sources if source.path not in done]
