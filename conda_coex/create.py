"""Create an archive: the numbered flow of the README, and the only place that knows its order."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import app, archive, baked, bytecode, conda_api, entry_point, inputs, libzstd, pip_stage, records, solve
from .environment import DryRun
from .fetch import fetch, settle
from .frame_cache import FrameCache
from .host_notes import fetching_scripts, same_names
from .layout import Group, Layout
from .lock_file import Choice
from .manifest import make_manifest
from .outcome import Created
from .package_cache import frame_directory, package_cache
from .payload import Payload, make_index
from .pip_packages import OWNER
from .plan import broken_commands, find_python, links_outside, plan_package
from .read_back import read_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import IO

    from coex_bootstrap.format import Manifest

    from .environment import Environment
    from .packages import Package
    from .pip_packages import Installed
    from .plan import PackagePlan

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
    output = check(request)
    choice = Choice(target_platform(), request.lock_environment, request.lock_categories)
    settle()
    environment = inputs.read(request.files, request.specs, choice, existing_prefix(request), output)
    if isinstance(environment, DryRun):
        return environment
    packages = fetch(environment.records, environment.specs)
    date = build_date(packages)
    cache = FrameCache(frame_directory(), request.level)
    installed = pip_stage.install(environment, packages, date, package_cache(), staging)
    plans, layout, pyc_left = plan(environment, packages, cache, date, installed)
    fields: dict[str, object] = {"pip": installed.lock} if installed.lock else {}
    fields["compile"] = left_to_compile(plans, pyc_left)
    manifest = write(request, output, environment, plans, layout, cache, date, fields)
    return created(
        output, manifest, environment, [*links_outside(plans), *environment.notes, *installed.notes, *layout.notes]
    )


def created(output: Path, manifest: Manifest, environment: Environment, notes: Iterable[str]) -> Created:
    """Return what was made, with notes on what is not in it."""
    return Created(
        archive=output,
        platform=manifest.platform,
        digest=manifest.digest,
        size=output.stat().st_size,
        unpacked=manifest.fields["unpacked"]["content"],
        packages=len(manifest.packages),
        entry_point=manifest.entry_points[0],
        notes=(*notes, *(f"{name} was not installed by conda and is left out" for name in environment.foreign)),
    )


def write(
    request: Request,
    output: Path,
    environment: Environment,
    plans: list[PackagePlan],
    layout: Layout,
    cache: FrameCache,
    date: int,
    fields: dict[str, object],
) -> Manifest:
    """Add the app to what was laid out and write the archive; `fields` are added to its manifest."""
    layout.place_app(*app.collect(app_sources(request, layout), date, output))
    layout.notes += [*app.leaving(layout.links()), *same_names(layout, environment.platform)]
    layout.platform = environment.platform
    points = entry_point.resolve_all(request.entry_points, layout, existing_prefix(request), request.variables)
    packages = [each.package for each in plans]
    library, library_from = libzstd.find_libzstd(environment, packages, solve_zstd, native_base(environment.platform))
    with archive.output_file(output) as stream:
        stream.seek(archive.prelude_size(environment.platform))
        payload = write_payload(stream, layout, cache)
        index = make_index(payload, layout)
        manifest = make_manifest(
            entry_point.name_of(request.entry_points[0]), points, environment, plans, layout, payload, index, date
        )
        manifest.fields.update(libzstd=library_from, env=baked.parse(request.variables), level=request.level)
        manifest.fields.update(keep_env=baked.parse_kept(request.kept_variables))
        manifest.fields.update(fields)
        archive.finish(stream, manifest, index, library)
        read_back(stream, output, payload)
    return manifest


def check(request: Request) -> Path:
    """Return the output; raises for what can be seen to be wrong before any work."""
    from .errors import InputError, OutputError

    if request.existing and (request.files or request.specs):
        raise InputError("-n and -p take an environment as it is", remedy="leave out -f and --package, or -n and -p")
    if not 1 <= request.level <= 19:
        raise InputError(f"the compression level {request.level} is not between 1 and 19")
    baked.parse(request.variables)
    baked.parse_kept(request.kept_variables)
    name = request.output or entry_point.name_of(request.entry_points[0]) + ".coex"
    if name.endswith("/"):
        raise OutputError("the output is a directory", os.fsencode(name), "name a file with -o")
    output = Path(name)
    archive.check_output(output)
    layout = Layout()
    layout.place_app(*app.collect(app_sources(request, layout), 0, output))
    entry_point.check_here(request.entry_points, layout, existing_prefix(request))
    return output


def app_sources(request: Request, layout: Layout) -> list[str]:
    """Return what was named for the app, and the entry points' own files, unless the environment has that command."""
    return entry_point.with_own_files(request.sources, request.entry_points, layout, existing_prefix(request))


def target_platform() -> str:
    """Return the platform that the archive is for, as far as nothing pins another one."""
    from conda.base.context import context

    return str(context.subdir)


def existing_prefix(request: Request) -> str | None:
    """Return the prefix that -n or -p names."""
    if request.prefix is not None:
        return request.prefix
    if not request.existing:
        return None
    from conda.base.context import context

    return str(context.target_prefix)


def build_date(packages: tuple[Package, ...]) -> int:
    """Return the date of everything that has none: SOURCE_DATE_EPOCH, else the newest package's."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    stamps = [int(package.record.get("timestamp") or 0) for package in packages]
    # conda writes milliseconds, and long ago wrote seconds
    return max([archive.ZIP_EPOCH, *(stamp // 1000 if stamp > 253402300799 else stamp for stamp in stamps)])


def plan(
    environment: Environment, packages: tuple[Package, ...], cache: FrameCache, date: int, installed: Installed
) -> tuple[list[PackagePlan], Layout, list[str]]:
    """Return the plans of all packages, the root they make, and the sources that the host has to compile."""
    from conda.base.context import context

    python = find_python(packages)
    plans = [plan_package(package, python, date) for package in packages]
    layout = Layout()
    for each in plans:
        layout.place(Group(each.package.dist, each.identity, packaged=True), each.files)
    for each in plans:
        layout.place(SCRIPTS, each.entry_points)
    layout.notes += [*broken_commands(plans), *fetching_scripts(plans)]
    native = environment.platform == context._native_subdir()
    compiled, left = bytecode.Compiler(python, native, cache).compile_plans(plans)
    for made in compiled:
        layout.place(made.group, made.contents)
    layout.remove(installed.removed)
    layout.place(Group(OWNER, packaged=True), installed.items)
    left = sorted([*left, *(item.path.removeprefix("prefix/") for item in installed.sources)])
    meta = records.plan_records(plans, date, installed.removed)
    meta.append(records.plan_history(plans, environment.specs, conda_api.version(), date))
    layout.place(META, meta + records.plan_state(environment.variables, date))
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
    from conda.base.context import context

    return Path(context.root_prefix) if platform == context._native_subdir() else None


def write_payload(stream: IO[bytes], layout: Layout, cache: FrameCache) -> Payload:
    """Compress all contents: package by package, then what only this environment has, then the app."""
    groups = layout.groups()
    total = sum(content.size for group in groups for content in group.contents) or 1
    done = 0

    with conda_api.progress_bar("Compressing") as update:

        def progress(size: int) -> None:
            nonlocal done
            done += size
            update(min(1, done / total))

        payload = Payload(stream, cache, progress)
        payload.add(groups)
    cache.sweep()
    return payload
