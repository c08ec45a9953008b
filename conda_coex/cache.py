"""See and clear what builds keep, the frames of packages, and what archives were unpacked to, the roots."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from coex_bootstrap import compat, tool_cache
from coex_bootstrap.host_cache import find_roots
from coex_bootstrap.report import counted, show, write_text
from coex_bootstrap.store import stores

from . import conda_api
from .errors import InputError, Misuse, OutputError
from .frame_cache import entries, open_entry, size_of, unfinished
from .package_cache import frame_directory
from .report import human, table

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from coex_bootstrap.host_cache import Unpacked


def cache(arguments: Namespace) -> int:
    """Do what was asked: `list` shows frames and roots, the others mean frames if nothing says roots."""
    if arguments.frames and tool_cache.has_condition(arguments):
        raise InputError("conditions choose roots, --frames means those of builds", remedy="leave one of them out")
    if arguments.action != "clean" and tool_cache.has_condition(arguments):
        raise Misuse("conditions go with clean")
    if arguments.roots or tool_cache.has_condition(arguments):
        return _roots(arguments.action, arguments)
    if arguments.action == "list":
        return show_list(with_roots=not arguments.frames)
    return {"clean": clean, "path": show_path}[arguments.action]()


def _find_roots() -> list[Unpacked]:
    return find_roots(stores(compat.environ_bytes()))


def _roots(action: str, arguments: Namespace) -> int:
    """Do with roots what archives do with them themselves, but let conda ask."""
    from conda.base.context import context

    if action != "clean":
        outcome = tool_cache.execute(None, arguments, compat.environ_bytes())
        return show(outcome, context.json)
    roots = _find_roots()
    chosen = tool_cache.choose(roots, arguments, time.time())
    if context.dry_run:
        return show(tool_cache.would_remove(chosen), context.json)
    if chosen and not context.json:
        if not (context.quiet and context.always_yes):
            _say(*tool_cache.list_lines(chosen))
        conda_api.confirm_yn()
    return show(tool_cache.clean(roots, chosen), context.json)


def _directory() -> Path:
    directory = frame_directory()
    if directory is None:
        raise OutputError("conda has no package cache that is writable, so nothing is kept")
    return directory


def show_path() -> int:
    """Print where the frames are kept."""
    from conda.base.context import context

    directory = str(_directory())
    if context.json:
        conda_api.print_json(path=directory)
    else:
        _say(directory)
    return 0


def show_list(*, with_roots: bool) -> int:
    """Print the frames that are kept, largest first, and the roots."""
    from conda.base.context import context

    rows = [(*_describe(path), size_of(path), path.name) for path in entries(_directory())]
    roots = _find_roots() if with_roots else None
    if context.json:
        names = ("owner", "level", "size", "file")
        more = {} if roots is None else {"roots": [tool_cache.fields(root) for root in roots]}
        entries_found = [dict(zip(names, row, strict=True)) for row in rows]
        conda_api.print_json(path=str(_directory()), entries=entries_found, **more)
        return 0
    lines = [(owner, str(level), human(size)) for owner, level, size, _ in rows]
    _say(*table(("frames of", "level", "size"), lines))
    total = human(sum(size for _, _, size, _ in rows))
    noun = "entry" if len(rows) == 1 else "entries"
    _say(f"{len(rows)} {noun}, {total}, in {_directory()}" if rows else "no frames are kept")
    if roots is not None:
        _say("", *tool_cache.list_lines(roots))
    return 0


def _describe(path: Path) -> tuple[str, int]:
    """Return whose frames an entry has, and their level."""
    entry = open_entry(path)
    if entry is None:
        return "not readable", 0
    entry.close()
    return entry.owner, entry.level


def clean() -> int:
    """Remove everything that is kept, after asking; builds under way go on."""
    from conda.base.context import context

    found = [*entries(_directory()), *unfinished(_directory())]
    size = sum(size_of(path) for path in found)
    files = f"{counted(len(found), 'file')} of frames, {human(size)}, in {_directory()}"
    if context.json and context.dry_run:
        conda_api.print_json(dry_run=True, files=len(found), size=size)
        return 0
    if not found and not context.json:
        _say("no frames are kept: nothing to remove")
        return 0
    if context.dry_run:
        _say(f"would remove {files}")
        return 0
    if not context.json:
        if not (context.quiet and context.always_yes):
            _say(files)
        conda_api.confirm_yn()
    for path in found:
        path.unlink(missing_ok=True)
    if context.json:
        conda_api.print_json(removed=len(found), size=size)
    else:
        _say(f"removed {files}")
    return 0


def _say(*lines: str) -> None:
    write_text("".join(f"{line}\n" for line in lines))
