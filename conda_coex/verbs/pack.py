"""Pack a live prefix as it is: read its files, take them for those of packages, and join `create` at the layout."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..archive.frame_cache import FrameCache
from ..conda_api import installed_environment, settings
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
from ..root.layout import Layout
from ..root.link_rules import find_python
from . import carry, host_bytecode, new_archive, pack_notes
from .assemble import drafted
from .lay_out import place_compiled, place_conda_meta, place_packages
from .lay_out_installed import NotOfConda, place_installed
from .new_archive import Build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coex_bootstrap.format.manifest import Manifest

    from ..archive.payload import Payload
    from ..conda_api.installed_records import InstalledRecord
    from ..inputs.environment import Environment
    from ..prefix.filters import Selection
    from ..prefix.reading import Planned
    from ..prefix.spellings import Aliases
    from ..prefix.unmanaged import Unmanaged
    from ..root.link_rules import PackagePlan, Python
    from ..root.package import Package
    from .archive_options import ArchiveOptions
    from .outcome import Created

OWNER = "not of conda"


@dataclass(frozen=True)
class PackRequest:
    """The options of `conda coex pack`."""

    archive: ArchiveOptions
    prefix: str
    selection: Selection
    missing: str  # files of packages: ignore, refuse, or restore them from conda's package cache
    editable: str  # sources outside of the prefix: refuse, or bring them along


@dataclass(frozen=True)
class LivePrefix:
    """A prefix on the builder, with the environment that conda's records describe."""

    path: Path
    environment: Environment
    records: list[InstalledRecord]  # in link order
    aliases: Aliases
    names: tuple[str, ...]  # paths by which its files may name it
    packages: list[Package]  # of the records


def pack(request: PackRequest) -> Created | DryRun:
    """Pack a live prefix; in a dry run return the plan for it."""
    with contextlib.ExitStack() as scratch:  # directories that have to last until the payload is written
        return _pack(request, scratch)


def _pack(request: PackRequest, scratch: contextlib.ExitStack) -> Created | DryRun:
    options, selection = request.archive, request.selection
    new_archive.check(options, request.prefix)
    named = host_bytecode.for_named(options.bytecode_for)
    live = _find_environment(request.prefix)
    if isinstance(live, DryRun):
        return carry.planned(live) if options.carry_python else live
    if options.carry_python:
        carry.check(live.environment.platform)
    names, packages, platform = live.names, live.packages, live.environment.platform
    # Files, and the places in them that name the environment
    unmanaged = read_prefix(live.path, selection, live.records, options.output, names)
    # Files and links that lead Python outside
    brought = _bring_sources(request, unmanaged, names)
    # Modified and missing files of packages
    date = new_archive.build_date(packages)
    planned, missing = _plan(request, live, unmanaged, date, scratch)
    carried = new_archive.choose_carried(options, live.environment, [plan.package for plan in planned.plans], names)
    bytecode = scratch.enter_context(host_bytecode.compiling(named, packages, carried, platform))
    # The records of pip, and the run paths of compiled files
    pip = distributions(unmanaged.items)
    unreplaced = compiled.UnreplacedPaths(unmanaged.fixed)
    plans = _without_builder_paths(planned.plans, unmanaged, unreplaced, brought, names)
    limits = list(pack_notes.limits([*unmanaged.items, *(item for plan in plans for item in plan.files)]))
    # From here on as `create`
    cache = FrameCache(frame_directory(), options.level_after())

    def make() -> tuple[Manifest, list[str]]:
        with drafted(options.output, platform, cache) as draft:
            layout, left_to_host = _lay_out(live, plans, unmanaged, draft.payload, date)
            on_host = list(_notes_on_host(live, find_python(packages), unmanaged, layout))
            build = Build(
                live.environment, plans, layout, date, left_to_host, pip, runs_post_link=False, python=carried,
                bytecode=bytecode,
            )  # fmt: skip
            manifest = new_archive.write(options, request.prefix, build, draft)
            return manifest, [*on_host, *limits, *layout.notes]

    manifest, last_notes = new_archive.renewing(make)
    notes = [
        *live.environment.notes,
        *brought.notes,
        *pack_notes.notes(unmanaged, planned.drifts, missing, planned.restored, selection),
        *pack_notes.of_names(live.aliases),
        *pack_notes.kept_paths(unreplaced),
        *last_notes,
        *bytecode.notes(),
    ]
    return new_archive.created(options.output, manifest, live.environment, notes)


def _find_environment(path: str) -> LivePrefix | DryRun:
    """Return the environment of a prefix by conda's records; in a dry run the plan for these."""
    prefix = checked_prefix(path)
    records = read_records(prefix)
    aliases = find_aliases(prefix, [*records.values()])
    names = names_of(prefix, [*aliases.names, *aliases.former])
    environment = installed_environment.read_installed(str(prefix), records, pip=False)
    if isinstance(environment, DryRun):
        return environment
    dists = [record.dist_str().rpartition(":")[2] for record in environment.records]
    in_order = [records[dist] for dist in dists]
    packages = [installed_package(prefix, record) for record in in_order]
    return LivePrefix(prefix, environment, in_order, aliases, names, packages)


def _bring_sources(request: PackRequest, unmanaged: Unmanaged, names: tuple[str, ...]) -> editable.Brought:
    """Add the sources outside that the prefix imports, if the user wants that; raises InputError for all others."""
    import_paths.refuse_rebuilding(unmanaged.items)
    brings = request.editable == "bring"
    brought = editable.Brought()
    if brings:
        brought = editable.bring(unmanaged, names, request.selection, request.archive.output)
    import_paths.refuse(unmanaged.items, names, brought=brings)
    return brought


def _plan(
    request: PackRequest, live: LivePrefix, unmanaged: Unmanaged, date: int, scratch: contextlib.ExitStack
) -> tuple[Planned, list[str]]:
    """Return the packages as they are in the prefix, and the files that they lack; raises InputError for these."""
    restoring = Restoring(request.selection, date, scratch) if request.missing == "restore" else None
    planned = plan_packages(live.records, live.packages, live.path, unmanaged, restoring, live.names)
    if request.selection.leaves_out("x.pyc") is not None:
        planned.plans = [replace(plan, compiled={}) for plan in planned.plans]
    return planned, _missing(request, live.path, planned)


def _missing(request: PackRequest, prefix: Path, planned: Planned) -> list[str]:
    """Return the files that packages lack and the user did not exclude; raises InputError for --missing refuse."""
    paths = [path for drift in planned.drifts for path in drift.missing]
    missing = [path for path in paths if request.selection.leaves_out(path) is None]
    if missing and request.missing == "refuse":
        what = f"files of packages are missing ({pack_notes.shown(missing)})"
        remedy = "reinstall these, or take them from the cache: --missing restore"
        raise InputError(what, os.fsencode(prefix), remedy)
    return missing


def _without_builder_paths(
    plans: Sequence[PackagePlan], unmanaged: Unmanaged, unreplaced: compiled.UnreplacedPaths, brought: editable.Brought,
    names: tuple[str, ...],
) -> list[PackagePlan]:  # fmt: skip
    """Return the plans, and change `unmanaged`, so that no record of pip and no run path names the builder.

    Compiled files whose places cannot be changed are added to `unreplaced`.
    """
    items = compiled.limit_edits(unmanaged.items, names, unreplaced)
    unmanaged.items = list(blank_hashes(*direct_url.without_builder_paths(items, names, brought.moved)))
    return [replace(plan, files=tuple(compiled.limit_edits(plan.files, names, unreplaced))) for plan in plans]


def _notes_on_host(live: LivePrefix, python: Python | None, unmanaged: Unmanaged, layout: Layout) -> Iterator[str]:
    """Yield notes on files of the builder that a host does not have."""
    outside = builder_paths.files_outside(unmanaged.items, [*live.names, *live.aliases.foreign.values()])
    outside |= builder_paths.variables_outside(live.environment.variables, live.names)
    users = builder_paths.user_distributions(python)
    yield from pack_notes.of_builder(outside, builder_paths.missing_libraries(layout.entries.values()), users)
    yield from pack_notes.outside_links(layout.links())


def _lay_out(
    live: LivePrefix, plans: Sequence[PackagePlan], unmanaged: Unmanaged, payload: Payload, date: int
) -> tuple[Layout, list[str]]:
    """Return the root without the app, and the sources that the host has to compile."""
    layout, cache, environment = Layout(), payload.cache, live.environment
    place_packages(layout, plans, payload.begin)
    native = environment.platform == settings.builder_platform()
    others = NotOfConda(unmanaged.items, unmanaged.sources, OWNER, slot=f"{OWNER}, in {live.path}")
    left_to_host = place_installed(layout, plans, others, cache, native=native)
    left_to_host += place_compiled(layout, plans, cache, native=native)
    for path, mode in unmanaged.directories.items():
        layout.make_directory(path)
        layout.modes[path] = mode
    place_conda_meta(layout, plans, environment, date, cache)
    return layout, sorted(set(left_to_host))
