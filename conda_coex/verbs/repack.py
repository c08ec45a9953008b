"""Repack an archive: another app, other entry points or variables, around the same frames of packages."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.manifest import LIBZSTD
from coex_bootstrap.format.values import is_function

from ..archive import writer
from ..archive.carried_python import python_of
from ..archive.frame_cache import FrameCache
from ..archive.kept_part import begin, copy, give_sources, keep
from ..archive.new_manifest import Change, change_manifest
from ..archive.read_back import check_relocations
from ..conda_api import settings
from ..entry.function import check_function, module_of
from ..entry.names import files_of
from ..entry.resolve import own_sources, resolve_all
from ..errors import AppError, EntryPointNotFound, InputError
from ..root.activation import STATE
from ..root.app import app_name, notes_on_app_links
from ..root.content import Content
from ..root.layout import Layout
from ..root.pth_file import pth_files
from . import host_bytecode, host_notes
from .assemble import assemble, drafted
from .outcome import Repacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coex_bootstrap.format.index_write import IndexDraft
    from coex_bootstrap.format.manifest import EntryPoint, Manifest, Variable

    from ..archive.carried_python import CarriedPython
    from ..archive.kept_part import Copied
    from ..archive.payload import Payload
    from ..entry.command import EntryCommand
    from .archive_options import ArchiveOptions
    from .assemble import Draft


@dataclass(frozen=True)
class RepackRequest:
    """The options of `conda coex repack`; everything else stays as it is in the archive."""

    path: str  # of the archive to repack
    archive: ArchiveOptions  # variables are added to those of the archive
    unset: tuple[str, ...] = ()  # names of variables
    keep_app: bool = False  # also if sources are named
    no_app: bool = False
    no_env: bool = False


@dataclass(frozen=True)
class LaidOut:
    """The root and the changes of a new archive, and its outcome as far as that is known before it is written."""

    layout: Layout
    rows: dict[str, int]  # of the old archive, by the path of each kept file
    change: Change
    outcome: Repacked


def repack(request: RepackRequest) -> Repacked:
    """Write an archive of the same packages; in a dry run only describe it."""
    options = request.archive
    check(request)
    with closing(Archive(os.fsencode(request.path))) as old:
        writer.check_output(options.output)
        named = host_bytecode.for_named(options.bytecode_for)
        check_relocations(old.index)
        if settings.is_dry_run():
            return lay_out(request, old).outcome
        options.app.find()
        cache = FrameCache(None, options.level_after(old.manifest.level))
        with drafted(options.output, old.manifest.platform, cache) as draft:
            begun = begin(old, draft.payload)
            laid_out = lay_out(request, old)
            python = choose_python(options, old)
            bytecode, more = choose_bytecode(old, python, named)
            manifest = write(draft, old, laid_out, begun, python, bytecode)
    version = python.version if python else None
    size = options.output.stat().st_size
    notes = (*laid_out.outcome.notes, *more)
    return replace(laid_out.outcome, python=version, digest=manifest.digest, size=size, notes=notes)


def lay_out(request: RepackRequest, old: Archive) -> LaidOut:
    """Return the packages of the old archive with the new app, entry points and variables."""
    options, layout = request.archive, Layout()
    layout.platform = old.manifest.platform
    app_stays = (request.keep_app or not options.app.sources) and not request.no_app
    rows = keep(old, layout, app_stays=app_stays)
    place_app(options, old, layout)
    read_sources(options.commands, old, layout, rows)
    points = resolve(request, old, layout)
    env, keep_env = change_variables(request, old)
    name = options.commands[0].name if options.commands else None
    level = options.level_after(old.manifest.level)
    change = Change(name, points, env, keep_env, level)
    return LaidOut(layout, rows, change, outcome(options, points, layout, old))


def check(request: RepackRequest) -> None:
    """Raise InputError for options that contradict each other."""
    options = request.archive
    if request.no_app and (request.keep_app or options.app.sources):
        raise InputError("--no-app leaves the app out", remedy="leave out --no-app, or --keep-app and the paths")
    renews = options.carry_python is not None or options.bytecode_for
    new = (*options.app.sources, *options.commands, *options.variables, *options.kept_variables)
    if not (new or renews or request.unset or request.no_app or request.no_env):
        remedy = "name app files, --entrypoint, --env, --unset, --no-app, --no-env, --carry-python or --bytecode-for"
        raise InputError("no change is requested", remedy=remedy)


def place_app(options: ArchiveOptions, old: Archive, layout: Layout) -> None:
    """Put the files that were named into the layout, over those that stay."""
    own = own_sources(options.app, options.commands, layout, None)
    files, directories = options.app.collect(old.manifest.date, own)
    links = {link.path for link in layout.links()}
    for path in [*(item.path for item in files), *(f"{directory}/" for directory in directories)]:
        above = next((link for link in links if path.startswith(link + "/")), None)
        if above is not None:
            what = f"cannot be put behind {above.removeprefix('app/')}, which is a link in the archive's app"
            raise AppError(what, os.fsencode(path.removeprefix("app/").rstrip("/")), "give it another place")
    layout.place_app(files, directories)


def read_sources(commands: Iterable[EntryCommand], old: Archive, layout: Layout, rows: dict[str, int]) -> None:
    """Read the kept files whose content matters for an entry point; .pth files name the directories of modules."""
    words = [command.without_extras for command in commands]
    own = [word for entry in old.manifest.entry_points for kind, word in entry["command"] if kind == "function"]
    functions = [word for word in (words or own) if is_function(word)]
    give_sources(old, layout, rows, pth_files(layout) if functions else ())
    modules = {path for path in (module_of(word, layout) for word in functions) if path is not None}
    give_sources(old, layout, rows, modules | {f"app/{app_name(word)}" for word in words})


def resolve(request: RepackRequest, old: Archive, layout: Layout) -> list[EntryPoint]:
    """Return the new entry points, or the old ones, whose files must still be there."""
    options = request.archive
    if options.commands:
        return resolve_all(options.commands, layout, None, options.variables)
    for entry in old.manifest.entry_points:
        for kind, word in entry["command"]:
            if kind == "function":
                check_function(word, layout)
            for path in files_of(kind, word):
                if path not in layout.entries and path not in layout.directories and has_path(old, path):
                    needed = path.partition("/")[2]
                    what = f"the entry point {entry['name']!r} needs {needed}, which is not in the new app"
                    remedy = "name it among the paths, use --keep-app, or give --entrypoint"
                    raise EntryPointNotFound(what, os.fsencode(request.path), remedy)
        kind, word = entry["command"][0]
        first = layout.entries.get(f"{kind}/{word}")
        if kind == "app" and isinstance(first, Content):
            layout.entries[first.path] = replace(first, mode=0o755)
    return list(old.manifest.entry_points)


def has_path(old: Archive, path: str) -> bool:
    """Return whether the archive has a file, link or directory."""
    rows = (*old.index.links, *old.index.directories, *old.index.files)
    return any(os.fsdecode(row.path) == path for row in rows)


def change_variables(request: RepackRequest, old: Archive) -> tuple[list[Variable], list[str]]:
    """Return the variables that the new archive sets, and those of the caller it keeps."""
    old_env = {} if request.no_env else {each["name"]: each for each in old.manifest.env}
    old_kept = set() if request.no_env else set(old.manifest.kept_variables)
    for name in request.unset:
        if name not in old_env and name not in old_kept:
            remedy = "they name: " + (", ".join(sorted({*old_env, *old_kept})) or "none")
            if has_path(old, STATE):
                remedy += "; variables of the environment stay, and --env gives them other values"
            what = f"no --env and no --keep-env of the archive names {name!r}"
            raise InputError(what, os.fsencode(request.path), remedy)
    env = {name: each for name, each in old_env.items() if name not in request.unset}
    env.update((variable.name, variable.row) for variable in request.archive.variables)
    keep_env = {*old_kept.difference(request.unset), *request.archive.kept_variables}
    return [env[name] for name in sorted(env)], sorted(keep_env)


def choose_python(options: ArchiveOptions, old: Archive) -> CarriedPython | None:
    """Return the Python that the new archive carries: the old one's, unless another or none is requested."""
    if options.carry_python is None:
        return python_of(old)
    if not options.carry_python:
        return None
    from ..conda_api.python_package import configured_channels
    from . import carry

    packages = old.manifest.packages
    channels = [str(package["channel"]) for package in packages if package.get("channel")]
    own = next((f"python={each['version']}={each['build']}" for each in packages if each["name"] == "python"), None)
    return carry.choose_python(old.manifest.platform, (), (*channels, *configured_channels()), pinned=own)


def choose_bytecode(
    old: Archive, python: CarriedPython | None, named: dict[str, bytes]
) -> tuple[dict[str, bytes], list[str]]:
    """Return the bytecode of the new archive and notes: the old one's, a new carried Python's, and of Pythons named."""
    with host_bytecode.compiling(named, (), python, old.manifest.platform) as making:
        return {**making(), **host_bytecode.of_archive(old)}, making.notes()


def write(
    draft: Draft,
    old: Archive,
    laid_out: LaidOut,
    begun: Copied,
    python: CarriedPython | None,
    bytecode: Mapping[str, bytes],
) -> Manifest:
    """Write the archive; return its manifest."""

    def copy_kept(payload: Payload) -> None:
        copy(old, laid_out.layout, laid_out.rows, payload, begun)

    def describe(payload: Payload, index: IndexDraft) -> Manifest:
        return change_manifest(old.manifest, laid_out.change, payload, index)

    library = old.members.get(LIBZSTD, b"")
    return assemble(draft, laid_out.layout, describe, library, copy_kept, python, lambda: bytecode)


def outcome(options: ArchiveOptions, points: list[EntryPoint], layout: Layout, old: Archive) -> Repacked:
    """Return the outcome, as far as it is known before the archive is written."""
    platform, carried = old.manifest.platform, old.manifest.python
    notes = [*notes_on_app_links(layout.links()), *host_notes.same_names(layout, platform), *layout.notes]
    notes += host_bytecode.notes_on_archive(old)
    names = tuple(entry["name"] for entry in points)
    count = sum(path.startswith("app/") for path in layout.entries)
    if options.carry_python:
        from . import carry

        carry.check(platform)
        notes += ["a Python of the channels would be added"] if settings.is_dry_run() else []
    version = carried["version"] if carried and options.carry_python is None else None
    return Repacked(options.output, platform, names, count, version, tuple(notes))
