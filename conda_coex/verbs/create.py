"""Create an archive: the numbered flow of the architecture page, and the only place that knows its order."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archive import writer
from ..archive.frame_cache import FrameCache
from ..archive.manifest import Description, make_manifest
from ..conda_api import settings, solve, versions
from ..conda_api.downloads import fetch, prepare_caches
from ..conda_api.package_cache import frame_directory, own_directory, shared_cache_notes
from ..conda_api.staging import DIRECTORY as STAGING
from ..inputs.environment import DryRun
from ..inputs.lock_file import Choice
from ..inputs.variables import parse_env, parse_keep_env
from ..pypi.pip_changes import OWNER
from ..root import bytecode, conda_meta, libzstd
from ..root.app import App
from ..root.app import notes_on_leaving_links as notes_on_leaving_app_links
from ..root.entry_command import parse_commands
from ..root.entry_point import check_here, own_sources, resolve_all
from ..root.layout import Group, Layout
from ..root.link_rules import broken_commands, find_python, notes_on_leaving_links, plan_package
from . import pip_stage, requested
from .assemble import assemble
from .host_notes import ending_scripts, fetching_scripts, same_names
from .outcome import Created

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coex_bootstrap.format.index import Index
    from coex_bootstrap.format.manifest import Manifest

    from ..archive.payload import Payload
    from ..inputs.environment import Environment
    from ..inputs.variables import Variable
    from ..pypi.pip_changes import Installed
    from ..root.entry_command import EntryCommand
    from ..root.link_rules import PackagePlan
    from ..root.package import Package

# Owners of files that belong to no one package.
SCRIPTS, META = "console scripts", "conda-meta"


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    files: tuple[str, ...]
    specs: tuple[str, ...]
    existing: bool  # -n or -p: take that environment's records as they are
    entry_points: tuple[str, ...]  # the first is the default
    variables: tuple[str, ...]
    sources: tuple[str, ...]
    output: str | None
    level: int
    lock_environment: str | None = None
    lock_categories: tuple[str, ...] = ()
    prefix: str | None = None  # the live prefix to pack
    kept_variables: tuple[str, ...] = ()  # of the caller, which a start would remove


def create(request: Request) -> Created | DryRun:
    """Create the archive that was asked for; in a dry run return the plan for it."""
    with contextlib.ExitStack() as staging:  # what has to last until the payload is written
        return _create(request, staging)


def _create(request: Request, staging: contextlib.ExitStack) -> Created | DryRun:
    checked = check(request)
    choice = Choice(settings.target_platform(), request.lock_environment, request.lock_categories)
    prepare_caches()
    environment = requested.read(request.files, request.specs, choice, checked.prefix, checked.app.output)
    if isinstance(environment, DryRun):
        return environment
    packages = fetch(environment.records, environment.specs)
    date = build_date(packages)
    cache = FrameCache(frame_directory(), request.level)
    installed = pip_stage.install(environment, packages, date, own_directory(STAGING), staging)
    plans, layout, pyc_left = plan(environment, packages, cache, date, installed)
    manifest = write(checked, Build(environment, plans, layout, cache, date, pyc_left, installed.lock))
    notes = [*notes_on_leaving_links(plans), *environment.notes, *installed.notes, *layout.notes]
    return created(checked.app.output, manifest, environment, notes)


def created(output: Path, manifest: Manifest, environment: Environment, notes: Iterable[str]) -> Created:
    """Return what was made, with notes on what is not in it."""
    left_out = [f"{name} was not installed by conda and is left out" for name in environment.foreign]
    return Created(
        archive=output,
        platform=manifest.platform,
        digest=manifest.digest,
        size=output.stat().st_size,
        unpacked=manifest.fields["unpacked"]["content"],
        packages=len(manifest.packages),
        entry_point=manifest.entry_points[0],
        notes=(*notes, *shared_cache_notes(), *left_out),
    )


@dataclass(frozen=True)
class Build:
    """What is left to be made an archive when packages are laid out."""

    environment: Environment
    plans: list[PackagePlan]
    layout: Layout
    cache: FrameCache
    date: int  # seconds since 1970
    compile: list[str]  # sources that the host compiles
    pip: list[dict[str, Any]]
    runs_post_link: bool = True


def write(checked: Checked, build: Build) -> Manifest:
    """Add the app to what was laid out and write the archive; return its manifest."""
    layout, platform = build.layout, build.environment.platform
    own = own_sources(checked.app, checked.commands, layout, checked.prefix)
    layout.place_app(*checked.app.collect(build.date, own))
    layout.notes += [*notes_on_leaving_app_links(layout.links()), *same_names(layout, platform)]
    layout.notes += ending_scripts(layout)
    layout.platform = platform
    points = resolve_all(checked.commands, layout, checked.prefix, checked.variables)
    packages = [each.package for each in build.plans]
    library, library_from = libzstd.find_libzstd(build.environment, packages, solve_zstd, native_base(platform))
    description = Description(
        name=checked.commands[0].name,
        entry_points=points,
        env=[variable._asdict() for variable in checked.variables],
        keep_env=checked.kept_variables,
        level=checked.level,
        date=build.date,
        environment=build.environment,
        plans=build.plans,
        libzstd=library_from,
        compile=left_to_compile(build.plans, build.compile),
        runs_post_link=build.runs_post_link,
        pip=build.pip,
    )

    def describe(payload: Payload, index: Index) -> Manifest:
        return make_manifest(description, layout, payload, index)

    return assemble(checked.app.output, platform, layout, build.cache, describe, library)


@dataclass(frozen=True)
class Checked:
    """A request whose words are parsed, and whose files are found."""

    app: App
    commands: tuple[EntryCommand, ...]  # the first is the default
    variables: list[Variable]
    kept_variables: list[str]
    level: int
    prefix: str | None  # of an existing environment


def check(request: Request) -> Checked:
    """Parse a request and find the files of the app; raises for all faults that show before any work."""
    from ..errors import InputError, OutputError

    if request.existing and (request.files or request.specs):
        raise InputError("-n and -p take an environment as it is", remedy="leave out -f and --package, or -n and -p")
    if not 1 <= request.level <= 19:
        raise InputError(f"the compression level {request.level} is not between 1 and 19")
    variables, kept_variables = parse_env(request.variables), parse_keep_env(request.kept_variables)
    commands = parse_commands(request.entry_points)
    name = request.output or f"{commands[0].name}.coex"
    if name.endswith("/"):
        raise OutputError("the output is a directory", os.fsencode(name), "name a file with -o")
    output = Path(name)
    writer.check_output(output)
    prefix = existing_prefix(request)
    app = App(request.sources, output)
    layout = Layout()
    layout.place_app(*app.collect(0, own_sources(app, commands, layout, prefix)))
    check_here(commands, layout, prefix)
    return Checked(app, commands, variables, kept_variables, request.level, prefix)


def existing_prefix(request: Request) -> str | None:
    """Return the prefix that -n or -p names."""
    if request.prefix is not None:
        return request.prefix
    return settings.target_prefix() if request.existing else None


def build_date(packages: tuple[Package, ...]) -> int:
    """Return the date of everything that has none: SOURCE_DATE_EPOCH, else the newest package's."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    stamps = [package.timestamp for package in packages]
    # conda writes milliseconds, and long ago wrote seconds
    return max([writer.ZIP_EPOCH, *(stamp // 1000 if stamp > 253402300799 else stamp for stamp in stamps)])


def plan(
    environment: Environment, packages: tuple[Package, ...], cache: FrameCache, date: int, installed: Installed
) -> tuple[list[PackagePlan], Layout, list[str]]:
    """Return the plans of all packages, the root they make, and the sources that the host has to compile."""
    python = find_python(packages)
    plans = [plan_package(package, python, date) for package in packages]
    layout = Layout()
    for each in plans:
        layout.place(Group(each.package.dist, each.identity, of_package=True), each.files)
    for each in plans:
        layout.place(SCRIPTS, each.entry_points)
    layout.notes += [*broken_commands(plans), *fetching_scripts(plans)]
    native = environment.platform == settings.builder_platform()
    compiled, left = bytecode.Compiler(python, native, cache).compile_plans(plans)
    for made in compiled:
        layout.place(made.group, made.files)
    layout.remove(installed.removed)
    layout.place(Group(OWNER, of_package=True), installed.items)
    left = sorted([*left, *(item.path.removeprefix("prefix/") for item in installed.sources)])
    meta = conda_meta.plan_records(plans, date, installed.removed)
    meta.append(conda_meta.plan_history(plans, environment.specs, versions.version(), date))
    layout.place(META, meta + conda_meta.plan_state(environment.variables, date))
    return plans, layout, left


def left_to_compile(plans: list[PackagePlan], sources: list[str]) -> dict[str, object] | None:
    """Return what the host has to compile, for the manifest."""
    python = find_python([each.package for each in plans])
    return {"python": python.program, "sources": sources} if python and sources else None


def solve_zstd(channels: Sequence[str]) -> tuple[Package, ...]:
    """Return the package zstd of the target platform, from these channels."""
    found = solve.solve_records(("zstd",), channels)
    return fetch([record for record in found if record.name == "zstd"], ())


def native_base(platform: str) -> Path | None:
    """Return conda's own prefix where its platform is the archive's."""
    return settings.base_prefix() if platform == settings.builder_platform() else None
