"""Create an archive: the numbered flow of the architecture page. `new_archive` has the steps that pack shares."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..archive.frame_cache import FrameCache
from ..conda_api import settings
from ..conda_api.downloads import fetch, prepare_caches
from ..conda_api.package_cache import frame_directory, own_directory
from ..conda_api.staging import DIRECTORY as STAGING
from ..inputs.environment import DryRun, Environment
from ..inputs.lock_file import Choice
from ..pypi.installed import OWNER, Installed
from ..root.layout import Layout
from ..root.link_rules import broken_commands, find_python, notes_on_prefix_links, plan_package
from . import carry, host_bytecode, new_archive, requested
from .assemble import drafted
from .host_notes import fetching_scripts
from .lay_out import place_compiled, place_conda_meta, place_packages, with_files
from .new_archive import Build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coex_bootstrap.format.manifest import Manifest

    from ..archive.payload import Payload
    from ..root.link_rules import PackagePlan
    from ..root.package import Package
    from .archive_options import ArchiveOptions
    from .assemble import Draft
    from .outcome import Created


@dataclass(frozen=True)
class CreateRequest:
    """The options of `conda coex create`."""

    archive: ArchiveOptions
    platform: str  # to solve for; a lock file or an existing environment may have another
    files: tuple[str, ...] = ()  # environment files, or one lock file
    specs: tuple[str, ...] = ()
    prefix: str | None = None  # of an existing environment, whose records are taken as they are
    lock_environment: str | None = None
    lock_categories: tuple[str, ...] = ()


def create(request: CreateRequest) -> Created | DryRun:
    """Create an archive; in a dry run return the plan for it."""
    with contextlib.ExitStack() as staging:  # directories that have to last until the payload is written
        return _create(request, staging)


def _create(request: CreateRequest, staging: contextlib.ExitStack) -> Created | DryRun:
    options, prefix = request.archive, request.prefix
    new_archive.check(options, prefix)
    named = host_bytecode.for_named(options.bytecode_for)
    prepare_caches()
    # 1. Read the inputs. 2. Solve, or take pinned packages
    choice = Choice(request.platform, request.lock_environment, request.lock_categories)
    environment = requested.read(request.files, request.specs, choice, prefix, options.output)
    if options.carry_python:
        carry.check(environment.platform if isinstance(environment, Environment) else request.platform)
    if isinstance(environment, DryRun):
        return carry.planned(environment) if options.carry_python else environment
    cache = FrameCache(frame_directory(), options.level_after())
    draft = staging.enter_context(drafted(options.output, environment.platform, cache))
    packages, plans = _fetch(environment, draft.payload)
    carried = new_archive.choose_carried(options, environment, packages)
    compiling = host_bytecode.compiling(named, packages, carried, environment.platform)
    bytecode = staging.enter_context(compiling)
    date = new_archive.build_date(packages)
    # 3. Install packages of pip
    installed = Installed()
    if environment.pip:
        from . import pip_stage

        installed = pip_stage.install(environment, packages, date, own_directory(STAGING), staging)
    # 4. Apply conda's link rules. 5. Add .pyc files and conda-meta
    plans = [plan.dated(date) for plan in plans]
    another = drafted(options.output, environment.platform, cache)
    drafts: Iterator[contextlib.AbstractContextManager[Draft]] = iter((contextlib.nullcontext(draft), another))

    def make() -> tuple[Manifest, Layout]:
        with next(drafts) as draft:
            layout, left_to_host = _lay_out(environment, plans, installed, draft.payload, date)
            # 5. Add the app. 6. Resolve the entry points. 7. Compress. 8. Prepare the activation. 9. Write
            build = Build(
                environment, plans, layout, date, left_to_host, installed.lock, python=carried, bytecode=bytecode
            )
            return new_archive.write(options, prefix, build, draft), layout

    manifest, layout = new_archive.renewing(make)
    notes = [*notes_on_prefix_links(plans), *environment.notes, *installed.notes, *layout.notes, *bytecode.notes()]
    return new_archive.created(options.output, manifest, environment, notes)


def _fetch(environment: Environment, payload: Payload) -> tuple[list[Package], list[PackagePlan]]:
    """Return the packages and their plans, in which console scripts have no date yet.

    The frames that the cache has of a package are copied while the next packages are read.
    """
    packages: list[Package] = []
    plans: list[PackagePlan] = []
    python = None
    for package in fetch(environment.records, environment.specs):
        packages.append(package)
        python = python or find_python([package])
        if len(plans) + 1 == len(packages) and (python or package.noarch != "python"):
            plans.append(plan_package(package, python, 0))
            payload.begin(with_files(plans[-1]))
    return packages, plans + [plan_package(package, python, 0) for package in packages[len(plans) :]]


def _lay_out(
    environment: Environment, plans: Sequence[PackagePlan], installed: Installed, payload: Payload, date: int
) -> tuple[Layout, list[str]]:
    """Return the root without the app, and the sources that the host has to compile."""
    layout, cache = Layout(), payload.cache
    place_packages(layout, plans)
    layout.notes += [*broken_commands(plans), *fetching_scripts(plans)]
    native = environment.platform == settings.builder_platform()
    left_to_host = place_compiled(layout, plans, cache, native=native)
    layout.remove(installed.removed)
    if installed.items:
        left_to_host += _place_pip(layout, plans, installed, cache, native=native)
    place_conda_meta(layout, plans, environment, date, cache, installed.removed)
    return layout, sorted(left_to_host)


def _place_pip(
    layout: Layout, plans: Sequence[PackagePlan], installed: Installed, cache: FrameCache, *, native: bool
) -> list[str]:
    from .lay_out_installed import NotOfConda, place_installed

    items, sources, program, removed = installed.items, installed.sources, installed.program, installed.removed
    of_pip = NotOfConda(items, sources, OWNER, of_packages=True, program=program, removed=removed)
    return place_installed(layout, plans, of_pip, cache, native=native)
