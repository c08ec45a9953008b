"""Steps of a build that create and pack share: the checks before any work, and everything from the app to the file."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest_check import LAST_DATE

from ..archive import writer
from ..archive.new_manifest import ManifestValues, make_manifest
from ..archive.new_tail import ZIP_EPOCH
from ..conda_api import settings
from ..conda_api.package_cache import shared_cache_notes
from ..conda_api.zstd_package import fetch_zstd
from ..entry.resolve import check_here, own_sources, resolve_all
from ..errors import FramesDamaged, InputError
from ..root import libzstd
from ..root.app import notes_on_app_links
from ..root.layout import Layout
from ..root.link_rules import find_python
from .assemble import assemble
from .carry import choose_python
from .host_notes import ending_scripts, same_names
from .outcome import Created
from .signature_notes import files_for_codesign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from coex_bootstrap.format.index_write import IndexDraft
    from coex_bootstrap.format.manifest import Manifest

    from ..archive.carried_python import CarriedPython
    from ..archive.payload import Payload
    from ..inputs.environment import Environment
    from ..root.link_rules import PackagePlan
    from ..root.package import Package
    from .archive_options import ArchiveOptions
    from .assemble import Draft

    Made = TypeVar("Made")

DIGITS = 20  # of a date: Python takes long to read a very long number


def check(options: ArchiveOptions, prefix: str | None) -> None:
    """Find the files of the app and the programs of entry points; raises a CoexError for faults that show now.

    `prefix` is that of the existing environment to archive, if there is one.
    """
    chosen_date()
    writer.check_output(options.output)
    layout = Layout()
    _place_app(options, prefix, layout, 0)
    check_here(options.commands, layout, prefix)


def build_date(packages: Iterable[Package]) -> int:
    """Return SOURCE_DATE_EPOCH, else the date of the newest package, in seconds: the date of all files without one."""
    chosen = chosen_date()
    return max([ZIP_EPOCH, *(_seconds(package.timestamp) for package in packages)]) if chosen is None else chosen


def chosen_date() -> int | None:
    """Return SOURCE_DATE_EPOCH, None if it is not set or empty; raises InputError."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return None
    if not (epoch.isascii() and epoch.isdigit() and len(epoch) < DIGITS and int(epoch) <= LAST_DATE):
        what = f"SOURCE_DATE_EPOCH is {epoch[:DIGITS]!r}, and not a number of seconds from 1970 up to the year 9999"
        raise InputError(what, remedy="correct it, or unset it")
    return int(epoch)


def _seconds(stamp: int) -> int:
    """Return a timestamp in seconds: conda writes milliseconds, and long ago wrote seconds; others write less."""
    while stamp > LAST_DATE:
        stamp //= 1000
    return stamp


@dataclass(frozen=True)
class Build:
    """An environment that is laid out in the root, and is not yet an archive."""

    environment: Environment
    plans: list[PackagePlan]
    layout: Layout
    date: int  # seconds since 1970
    compile: list[str]  # sources that the host compiles
    pip: Sequence[Mapping[str, object]]  # rows of the manifest's field of that name
    runs_post_link: bool = True
    python: CarriedPython | None = None  # for hosts without one
    bytecode: Callable[[], Mapping[str, bytes]] = dict  # for hosts with certain Pythons


def choose_carried(
    options: ArchiveOptions, environment: Environment, packages: Sequence[Package], names: Iterable[str] = ()
) -> CarriedPython | None:
    """Return the Python that the archive is to carry; raises PythonNotCarried, so that long steps come after it.

    `names` are the paths of a live prefix.
    """
    if not options.carry_python:
        return None
    return choose_python(environment.platform, packages, environment.channels, names=names)


def renewing(make: Callable[[], Made]) -> Made:
    """Return the outcome of a build; if frames that an earlier one kept were altered, of a second try.

    The altered frames are removed by then: the second try makes them again.
    """
    with contextlib.suppress(FramesDamaged):
        return make()
    return make()


def write(options: ArchiveOptions, prefix: str | None, build: Build, draft: Draft) -> Manifest:
    """Add the app and the entry points to a build, and complete the archive; return its manifest."""
    layout, platform = build.layout, build.environment.platform
    _place_app(options, prefix, layout, build.date)
    layout.notes += [*notes_on_app_links(layout.links()), *same_names(layout, platform)]
    layout.notes += [*ending_scripts(layout), *files_for_codesign(layout, platform)]
    layout.platform = platform
    points = resolve_all(options.commands, layout, prefix, options.variables)
    packages = [plan.package for plan in build.plans]
    library, library_from = libzstd.find_libzstd(build.environment, packages, fetch_zstd, _native_base(platform))
    values = ManifestValues(
        name=options.commands[0].name,
        entry_points=points,
        env=[variable.row for variable in options.variables],
        keep_env=options.kept_variables,
        level=options.level_after(),
        date=build.date,
        environment=build.environment,
        plans=build.plans,
        libzstd=library_from,
        compile=_left_to_host(packages, build.compile),
        runs_post_link=build.runs_post_link,
        pip=build.pip,
    )

    def describe(payload: Payload, index: IndexDraft) -> Manifest:
        return make_manifest(values, layout, payload, index)

    return assemble(draft, layout, describe, library, python=build.python, bytecode=build.bytecode)


def created(output: Path, manifest: Manifest, environment: Environment, notes: Iterable[str]) -> Created:
    """Return the outcome of a build: facts about the archive, and notes on the things that it lacks."""
    others = ", ".join(environment.foreign)
    left_out = [f"not installed by conda, and left out: {others}; `conda coex pack` takes all files"] if others else []
    return Created(
        archive=output,
        platform=manifest.platform,
        digest=manifest.digest,
        size=output.stat().st_size,
        unpacked=manifest.unpacked["content"],
        packages=len(manifest.packages),
        pip_packages=len(manifest.pip),
        entry_point=manifest.entry_points[0],
        python=manifest.python["version"] if manifest.python else None,
        notes=(*notes, *shared_cache_notes(), *left_out),
    )


def _place_app(options: ArchiveOptions, prefix: str | None, layout: Layout, date: int) -> None:
    """Place the app: the named files, and the entry points' own files unless the environment has that command."""
    own = own_sources(options.app, options.commands, layout, prefix)
    layout.place_app(*options.app.collect(date, own))


def _left_to_host(packages: Sequence[Package], sources: list[str]) -> dict[str, object] | None:
    """Return the manifest's field `compile`: the sources that the host compiles, and the Python that does it."""
    python = find_python(packages)
    return {"python": python.program, "sources": sources} if python and sources else None


def _native_base(platform: str) -> Path | None:
    """Return conda's own prefix if it is for the archive's platform."""
    return settings.base_prefix() if platform == settings.builder_platform() else None
