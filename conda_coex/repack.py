"""Repack an archive: another app, other entry points or variables, around the same frames of packages."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard
from coex_bootstrap.archive import Archive
from coex_bootstrap.errors import ArchiveDamaged
from coex_bootstrap.format import FORMAT_VERSION, LIBZSTD
from coex_bootstrap.index import Frame

from . import __version__, app, archive, baked, entry_point
from .create import make_index
from .errors import EntryPointNotFound, InputError
from .frame_cache import FrameCache
from .layout import Layout
from .manifest import unpacked_size
from .payload import Payload
from .plan import Content, Link
from .report import human

if TYPE_CHECKING:
    from typing import IO

    from coex_bootstrap.index import File

KEPT, APP = "kept", "app"


@dataclass(frozen=True)
class Request:
    """What the command line asks for; what is not named stays as it is in the archive."""

    archive: str
    sources: tuple[str, ...]
    entry_points: tuple[str, ...]
    variables: tuple[str, ...]
    keep_app: bool  # also where sources are named
    no_app: bool
    no_env: bool
    output: str | None
    level: int | None


def repack(request: Request) -> int:
    """Write the archive that was asked for and say what came of it; returns the status."""
    output = Path(request.output or request.archive)
    check(request, output)
    with closing(Archive(os.fsencode(request.archive))) as old:
        layout = Layout()
        kept = keep(old, layout, app_stays=(request.keep_app or not request.sources) and not request.no_app)
        sources = entry_point.with_own_files(request.sources, request.entry_points, layout, None)
        files, directories = app.collect(sources, old.manifest.date, output)
        layout.place(APP, files)
        for directory in directories:
            layout.make_directory(directory)
        give_heads(old, layout, request.entry_points)
        points = resolve(request, old, layout)
        level = request.level or int(old.manifest.fields.get("level") or 9)
        with archive.output_file(output) as stream:
            stream.seek(archive.prelude_size(old.manifest.platform))
            payload = Payload(stream, FrameCache(None, level), lambda _: None)
            payload.placeholders = [placeholder.decode() for placeholder in old.index.placeholders]
            copy(old, layout, kept, payload)
            payload.add(group for group in layout.groups() if group.owner == APP)
            fields = new_fields(request, old, points, payload, level)
            write(stream, old, layout, payload, fields)
    report(output, fields, layout)
    return 0


def check(request: Request, output: Path) -> None:
    """Raise for what can be seen to be wrong before any work."""
    baked.parse(request.variables)
    if request.level is not None and not 1 <= request.level <= 19:
        raise InputError(f"the compression level {request.level} is not between 1 and 19")
    if request.no_app and (request.keep_app or request.sources):
        raise InputError("--no-app leaves the app out", remedy="leave out --no-app, or --keep-app and the paths")
    if request.no_env and request.variables:
        raise InputError("--no-env leaves out all variables", remedy="leave out --no-env, or --env")
    if not (request.sources or request.entry_points or request.variables or request.no_app or request.no_env):
        raise InputError("nothing is asked for", remedy="name app files, --entrypoint, --env, --no-app or --no-env")
    archive.check_output(output)


def keep(old: Archive, layout: Layout, *, app_stays: bool) -> dict[str, int]:
    """Put what stays of the archive into the layout; return the row of each file's path."""
    rows = {}
    items: list[Content | Link] = []
    for number, row in enumerate(old.index.files):
        if app_stays or not row.path.startswith(b"app/"):
            path = os.fsdecode(row.path)
            rows[path] = number
            items.append(Content(path, row.mode, row.mtime.decode(), None, row.size))
    for link in old.index.links:
        if app_stays or not link.path.startswith(b"app/"):
            items.append(Link(os.fsdecode(link.path), os.fsdecode(link.target)))
    for directory in old.index.directories:
        if app_stays or not directory.path.startswith(b"app/"):
            layout.directories.add(os.fsdecode(directory.path))
    layout.place(KEPT, items)
    return rows


def give_heads(old: Archive, layout: Layout, values: tuple[str, ...]) -> None:
    """Have the first bytes of the files of a kept app that entry points name: they say what runs them."""
    wanted = {f"app/{app.app_name(entry_point.split(value)[0])}" for value in values}
    for row in old.index.files:
        path = os.fsdecode(row.path)
        entry = layout.entries.get(path)
        if path in wanted and isinstance(entry, Content) and entry.source is None:
            data = zstandard.ZstdDecompressor().decompress(checked_frame(old, row.frame)) if row.size else b""
            layout.entries[path] = replace(entry, source=data[row.offset :][: min(row.size, 4)])


def resolve(request: Request, old: Archive, layout: Layout) -> list[dict[str, Any]]:
    """Return the new entry points, or the old ones, whose files must be there still."""
    if request.entry_points:
        return entry_point.resolve_all(request.entry_points, layout, None)
    for entry in old.manifest.entry_points:
        for kind, word in entry["command"]:
            path = f"{kind}/{word}"
            if kind in ("app", "prefix") and path not in layout.entries:
                raise EntryPointNotFound(
                    f"the entry point {entry['name']!r} runs {word}, which is not in the new app",
                    os.fsencode(request.archive), "name it among the paths, use --keep-app, or give --entrypoint",
                )  # fmt: skip
        kind, word = entry["command"][0]
        first = layout.entries[f"{kind}/{word}"]
        if kind == "app" and isinstance(first, Content):
            layout.entries[first.path] = replace(first, mode=0o755)
    points: list[dict[str, Any]] = old.manifest.entry_points
    return points


def checked_frame(old: Archive, number: int) -> bytes:
    """Return the bytes of a frame, compared with the sha256 that the index has of it."""
    data: bytes = old.frame(number)
    if hashlib.sha256(data).hexdigest().encode() != old.index.frames[number].sha256:
        raise ArchiveDamaged("a frame of it was altered", old.path)
    return data


def frames_of(old: Archive, row: File) -> range:
    """Return the numbers of the frames that hold a file."""
    end, done = row.frame, -row.offset
    while row.size and done < row.size:
        done += old.index.frames[end].content
        end += 1
    return range(row.frame, end)


def copy(old: Archive, layout: Layout, kept: dict[str, int], payload: Payload) -> None:
    """Copy the frames of what stays, byte for byte, and make the rows again that tell of it."""
    rows = list(old.index.files)
    staying = [n for path, n in kept.items() if is_kept(layout.entries.get(path))]
    numbers = sorted({number for n in staying for number in frames_of(old, rows[n])})
    for number in numbers:
        data, frame = checked_frame(old, number), old.index.frames[number]
        payload.frames.append(Frame(payload.size, frame.size, frame.content, frame.sha256))
        payload.stream.write(data)
        payload.size += frame.size
    frames = {number: new for new, number in enumerate(numbers)}
    payload.packaged += [frames[number] for number in old.index.packaged if number in frames]
    moved = {n: new for new, n in enumerate(staying)}
    for n in staying:
        row = rows[n]
        entry = layout.entries[os.fsdecode(row.path)]
        assert isinstance(entry, Content)
        relocation = row.relocation
        if relocation.startswith(b"h:"):
            slots = (slot.partition(b"@") for slot in relocation[2:].split(b","))
            relocation = b"h:" + b",".join(b"%d@%s" % (moved[int(slot[0])], slot[2]) for slot in slots)
        payload.rows.append(row._replace(frame=frames.get(row.frame, 0), mode=entry.mode, relocation=relocation))


def is_kept(entry: Content | Link | None) -> bool:
    """Return whether a file is of the old archive: its content has no source of its own, or only its head."""
    return isinstance(entry, Content) and (entry.source is None or isinstance(entry.source, bytes))


def new_fields(
    request: Request, old: Archive, points: list[dict[str, Any]], payload: Payload, level: int
) -> dict[str, Any]:
    """Return the fields of the new manifest that differ from the old one's."""
    fields: dict[str, Any] = {
        "format": FORMAT_VERSION, "builder": f"conda-coex {__version__}", "entry_points": points, "level": level,
        "prelude": archive.prelude_size(old.manifest.platform), "payload": payload.size,
    }  # fmt: skip
    if request.entry_points:
        fields["name"] = entry_point.name_of(request.entry_points[0])
    if request.variables or request.no_env:
        fields["env"] = baked.parse(request.variables)
    return fields


def write(stream: IO[bytes], old: Archive, layout: Layout, payload: Payload, fields: dict[str, Any]) -> None:
    """Seal the archive, and read it as a host will before it takes its place."""
    index = make_index(payload, layout)
    modes = {directory.path: directory.mode for directory in old.index.directories}
    index.directories = [each._replace(mode=modes.get(each.path, each.mode)) for each in index.directories]
    manifest = type(old.manifest)({**old.manifest.fields, **fields, "unpacked": unpacked_size(index)})
    archive.finish(stream, manifest, index, old.members.get(LIBZSTD, b""))
    stream.flush()
    archive.check_written(stream)
    fields.update(digest=manifest.digest)


def report(output: Path, fields: dict[str, Any], layout: Layout) -> None:
    """Say what was made."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    size, digest = output.stat().st_size, fields["digest"]
    names = [entry["name"] for entry in fields["entry_points"]]
    count = sum(path.startswith("app/") for path in layout.entries)
    if context.json:
        stdout_json_success(archive=str(output), digest=digest, size=size, entry_points=names, app_files=count)
    else:
        print(f"{output}: {human(size)}, {count} app file{'s' * (count != 1)}, entry points: {', '.join(names)}")
