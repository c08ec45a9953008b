"""Repack an archive: another app, other entry points or variables, around the same frames of packages."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.manifest import LIBZSTD
from coex_bootstrap.format.manifest_check import FUNCTION

from ..archive import writer
from ..archive.carry_over import copy, give_sources, keep
from ..archive.frame_cache import FrameCache
from ..archive.manifest import Change, change_manifest
from ..archive.read_back import check_relocations
from ..conda_api import settings
from ..errors import AppError, EntryPointNotFound, InputError
from ..inputs.variables import parse_env, parse_keep_env
from ..root.app import App, app_name, notes_on_leaving_links
from ..root.content import Content
from ..root.entry_command import parse_commands
from ..root.entry_files import files_of
from ..root.entry_function import check_function, module_of, pth_files
from ..root.entry_point import own_sources, resolve_all
from ..root.layout import Layout
from . import host_notes
from .assemble import assemble
from .outcome import Repacked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coex_bootstrap.format.index import Index
    from coex_bootstrap.format.manifest import Manifest

    from ..archive.payload import Payload
    from ..inputs.variables import Variable
    from ..root.entry_command import EntryCommand


@dataclass(frozen=True)
class Request:
    """What the command line asks for; what is not named stays as it is in the archive."""

    archive: str
    sources: tuple[str, ...]
    entry_points: tuple[str, ...]
    variables: tuple[str, ...]  # over those that the archive has
    kept_variables: tuple[str, ...]  # beside those that the archive keeps
    unset: tuple[str, ...]
    keep_app: bool  # also where sources are named
    no_app: bool
    no_env: bool
    output: str | None
    level: int | None


def repack(request: Request) -> Repacked:
    """Write the archive that was asked for; in a dry run only return what it would be."""
    checked = check(request)
    output = checked.app.output
    with closing(Archive(os.fsencode(request.archive))) as old:
        check_relocations(old.index)
        layout = Layout()
        layout.platform = old.manifest.platform
        kept = keep(old, layout, app_stays=(request.keep_app or not request.sources) and not request.no_app)
        place_app(checked, old, layout)
        read_sources(checked.commands, old, layout)
        points = resolve(checked, old, layout)
        env, kept_variables = change_variables(checked, old)
        made = outcome(output, points, layout, old.manifest.platform)
        if settings.is_dry_run():
            return made
        name = checked.commands[0].name if checked.commands else None
        level = request.level or int(old.manifest.fields.get("level") or 9)
        manifest = write(old, layout, kept, Change(name, points, env, kept_variables, level), output)
    return replace(made, digest=manifest.digest, size=output.stat().st_size)


@dataclass(frozen=True)
class Checked:
    """A request whose words are parsed."""

    request: Request
    app: App
    commands: tuple[EntryCommand, ...]
    variables: list[Variable]
    kept_variables: list[str]


def check(request: Request) -> Checked:
    """Parse a request; raises for all faults that show before any work."""
    variables, kept_variables = parse_env(request.variables), parse_keep_env(request.kept_variables)
    output = Path(request.output or request.archive)
    if request.level is not None and not 1 <= request.level <= 19:
        raise InputError(f"the compression level {request.level} is not between 1 and 19")
    if request.no_app and (request.keep_app or request.sources):
        raise InputError("--no-app leaves the app out", remedy="leave out --no-app, or --keep-app and the paths")
    changes = (*request.variables, *request.unset, *request.kept_variables)
    asked = (request.sources, request.entry_points, changes, request.no_app, request.no_env)
    if not any(asked):
        remedy = "name app files, --entrypoint, --env, --unset, --no-app or --no-env"
        raise InputError("nothing is asked for", remedy=remedy)
    writer.check_output(output)
    commands = parse_commands(request.entry_points)
    return Checked(request, App(request.sources, output), commands, variables, kept_variables)


def place_app(checked: Checked, old: Archive, layout: Layout) -> None:
    """Put the files that were named into the layout, over those that stay."""
    own = own_sources(checked.app, checked.commands, layout, None)
    files, directories = checked.app.collect(old.manifest.date, own)
    links = {link.path for link in layout.links()}
    for path in [*(item.path for item in files), *(f"{directory}/" for directory in directories)]:
        above = next((link for link in links if path.startswith(link + "/")), None)
        if above is not None:
            what = f"cannot be put behind {above.removeprefix('app/')}, which is a link in the archive's app"
            raise AppError(what, os.fsencode(path.removeprefix("app/").rstrip("/")), "give it another place")
    layout.place_app(files, directories)


def read_sources(commands: Iterable[EntryCommand], old: Archive, layout: Layout) -> None:
    """Read the files that stay and whose content decides about an entry point; .pth files say where a module is."""
    words = [command.without_extras for command in commands]
    own = [word for entry in old.manifest.entry_points for kind, word in entry["command"] if kind == "function"]
    functions = [word for word in (words or own) if FUNCTION.match(word)]
    give_sources(old, layout, pth_files(layout) if functions else ())
    modules = {path for path in (module_of(word, layout) for word in functions) if path is not None}
    give_sources(old, layout, modules | {f"app/{app_name(word)}" for word in words})


def resolve(checked: Checked, old: Archive, layout: Layout) -> list[dict[str, Any]]:
    """Return the new entry points, or the old ones, whose files must be there still."""
    if checked.commands:
        return resolve_all(checked.commands, layout, None, checked.variables)
    there = {os.fsdecode(row.path) for row in [*old.index.files, *old.index.links, *old.index.directories]}
    for entry in old.manifest.entry_points:
        for kind, word in entry["command"]:
            if kind == "function":
                check_function(word, layout)
            for path in files_of(kind, word):
                if path in there and path not in layout.entries and path not in layout.directories:
                    needed = path.partition("/")[2]
                    what = f"the entry point {entry['name']!r} needs {needed}, which is not in the new app"
                    remedy = "name it among the paths, use --keep-app, or give --entrypoint"
                    raise EntryPointNotFound(what, os.fsencode(checked.request.archive), remedy)
        kind, word = entry["command"][0]
        first = layout.entries.get(f"{kind}/{word}")
        if kind == "app" and isinstance(first, Content):
            layout.entries[first.path] = replace(first, mode=0o755)
    points: list[dict[str, Any]] = old.manifest.entry_points
    return points


def change_variables(checked: Checked, old: Archive) -> tuple[list[dict[str, object]], list[str]]:
    """Return the variables that the new archive sets, and those of the caller that it keeps.

    These are the old ones without those to unset, and those that were given. Raises InputError for one to unset that
    the archive does not have.
    """
    request = checked.request
    env = {} if request.no_env else {str(each["name"]): each for each in old.manifest.env}
    kept = set() if request.no_env else set(old.manifest.kept_variables)
    for name in request.unset:
        if env.pop(name, None) is None and name not in kept:
            names = ", ".join(sorted({*env, *kept})) or "none"
            raise InputError(f"the archive sets no variable {name!r}", os.fsencode(request.archive), f"it has: {names}")
        kept.discard(name)
    env.update((variable.name, variable._asdict()) for variable in checked.variables)
    return [env[name] for name in sorted(env)], sorted({*kept, *checked.kept_variables})


def write(old: Archive, layout: Layout, kept: dict[str, int], change: Change, output: Path) -> Manifest:
    """Write the archive; return its manifest."""

    def describe(payload: Payload, index: Index) -> Manifest:
        return change_manifest(old.manifest, change, payload, index)

    cache, library = FrameCache(None, change.level), old.members.get(LIBZSTD, b"")
    return assemble(
        output,
        old.manifest.platform,
        layout,
        cache,
        describe,
        library,
        lambda payload: copy(old, layout, kept, payload),
    )


def outcome(output: Path, points: list[dict[str, Any]], layout: Layout, platform: str) -> Repacked:
    """Return what is made, before it is."""
    notes = [*notes_on_leaving_links(layout.links()), *host_notes.same_names(layout, platform), *layout.notes]
    names = tuple(entry["name"] for entry in points)
    count = sum(path.startswith("app/") for path in layout.entries)
    return Repacked(output, platform, names, count, tuple(notes))
