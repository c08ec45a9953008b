"""Show and remove the frames of packages, which builds keep, and the roots, to which archives were unpacked."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from coex_bootstrap.base import compat
from coex_bootstrap.store.ladder import stores
from coex_bootstrap.tools import cache as tool_cache
from coex_bootstrap.tools.clean_conditions import choose, has_condition
from coex_bootstrap.tools.output import Outcome, counted, human, table
from coex_bootstrap.tools.roots import find_roots

from ..archive.cache_entry import open_entry
from ..archive.frame_cache import entries, last_use, size_of, unfinished
from ..conda_api import settings, versions
from ..conda_api.package_cache import frame_directory, shared_cache_notes
from ..errors import InputError, Misuse, OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from coex_bootstrap.tools.roots import Unpacked


def cache(arguments: Namespace) -> Outcome:
    """Run one action: `list` shows frames and roots, the others act on frames unless roots are named."""
    if arguments.frames and has_condition(_without_age(arguments)):
        remedy = "leave the others out, or --frames"
        raise InputError("of the conditions, only --older-than chooses frames", remedy=remedy)
    if arguments.action != "clean" and has_condition(arguments):
        raise Misuse("conditions go with clean")
    if arguments.roots or (has_condition(arguments) and not arguments.frames):
        return _roots(arguments.action, arguments)
    if arguments.action == "list":
        return list_all(with_roots=not arguments.frames)
    return clean(arguments.older_than) if arguments.action == "clean" else path_of_frames()


def _without_age(arguments: Namespace) -> Namespace:
    return Namespace(**{**vars(arguments), "older_than": None})


def _find_roots() -> list[Unpacked]:
    return find_roots(stores(compat.environ_bytes()))


def _roots(action: str, arguments: Namespace) -> Outcome:
    """Run the verb `cache` of an archive for roots, but let conda ask the questions."""
    if action != "clean":
        return tool_cache.execute(None, arguments, compat.environ_bytes())
    roots = _find_roots()
    chosen, in_use = choose(roots, arguments, time.time())
    if settings.is_dry_run():
        return tool_cache.would_remove(chosen, in_use)
    if chosen:
        versions.show_and_confirm(lambda: tool_cache.list_lines(chosen))
    return tool_cache.clean(roots, chosen, in_use)


def _directory() -> Path:
    directory = frame_directory()
    if directory is None:
        why = next(iter(shared_cache_notes()), "conda has no package cache that is writable, so nothing is kept")
        raise OutputError(why)
    return directory


def path_of_frames() -> Outcome:
    """Return the directory of the frames."""
    directory = str(_directory())
    return Outcome({"path": directory}, [directory], 0)


def list_all(*, with_roots: bool) -> Outcome:
    """Return the frames that are kept, largest first, and the roots."""
    rows = [(*_describe(path), size_of(path), path.name, int(last_use(path))) for path in entries(_directory())]
    names = ("owner", "level", "size", "file", "used")
    fields = {"path": str(_directory()), "entries": [dict(zip(names, row, strict=True)) for row in rows]}
    cells = [(owner, str(level or ""), human(size), _day(used)) for owner, level, size, _, used in rows]
    lines = [*table(("frames of", "level", "size", "last use"), cells)]
    total = human(sum(row[2] for row in rows))
    noun = "entry" if len(rows) == 1 else "entries"
    lines.append(f"{len(rows)} {noun}, {total}, in {_directory()}" if rows else "no frames are kept")
    if with_roots:
        roots = _find_roots()
        fields["roots"] = [tool_cache.fields(root) for root in roots]
        lines += ["", *tool_cache.list_lines(roots)]
    return Outcome(fields, lines, 0)


def _day(seconds: int) -> str:
    """Return a day: a use is noted once a day."""
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def _describe(path: Path) -> tuple[str, int]:
    """Return the owner of an entry's frames, and their level."""
    entry = open_entry(path)
    if entry is None:
        return "another version, or damaged", 0
    entry.close()
    return entry.owner, entry.level


def clean(older_than: int | None = None) -> Outcome:
    """Remove all frames, or entries that no build used for some seconds, after asking; builds under way go on."""
    paths = [*entries(_directory()), *unfinished(_directory())]
    if older_than is not None:
        paths = [path for path in paths if time.time() - last_use(path) >= older_than]
    size = sum(map(size_of, paths))
    files = f"{counted(len(paths), 'file')} of frames, {human(size)}, in {_directory()}"
    which = "no frames are kept" if older_than is None else "no frames are kept that were not used for so long"
    nothing = f"{which}: nothing to remove"
    if settings.is_dry_run():
        planned = {"dry_run": True, "files": len(paths), "size": size}
        return Outcome(planned, [f"would remove {files}" if paths else nothing], 0)
    if paths:
        versions.show_and_confirm(lambda: [files])
    kept = {str(path): why for path in paths if (why := _remove(path))}
    fields: dict[str, object] = {"removed": len(paths) - len(kept), "kept": kept, "size": size}
    if kept:
        return Outcome(fields, [f"not removed: {path}: {why}" for path, why in kept.items()], 1)
    return Outcome(fields, [f"removed {files}" if paths else nothing], 0)


def _remove(path: Path) -> str | None:
    """Remove a file, or return why that is not possible."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None
