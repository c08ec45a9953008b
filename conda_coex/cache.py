"""See and clear what builds keep, the frames of packages, and what archives were unpacked to, the roots."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from coex_bootstrap import compat, tool_cache
from coex_bootstrap.host_cache import find_roots
from coex_bootstrap.report import Outcome, show
from coex_bootstrap.store import stores

from . import conda_api
from .errors import InputError, OutputError
from .fetch import frame_directory
from .frame_cache import entries, open_entry, size_of, unfinished
from .report import human, table

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from coex_bootstrap.host_cache import Unpacked


def cache(arguments: Namespace) -> int:
    """Do what was asked: `list` shows frames and roots, the others mean frames where nothing says roots."""
    if arguments.frames and tool_cache.has_condition(arguments):
        raise InputError("conditions choose roots, --frames means those of builds", remedy="leave one of them out")
    if arguments.action != "clean" and tool_cache.has_condition(arguments):
        raise InputError("conditions go with clean")
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
    if not context.json:
        for line in tool_cache.list_lines(chosen):
            print(line)
    if context.dry_run:
        found = [tool_cache.fields(root) for root in chosen]
        return show(Outcome({"dry_run": True, "removed": found, "kept": []}, [], 0), context.json)
    if chosen and not context.json:
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
    from conda.cli.common import stdout_json_success

    directory = str(_directory())
    if context.json:
        stdout_json_success(path=directory)
    else:
        print(directory)
    return 0


def show_list(*, with_roots: bool) -> int:
    """Print the frames that are kept, largest first, and the roots."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    rows = [(*_describe(path), size_of(path), path.name) for path in entries(_directory())]
    roots = _find_roots() if with_roots else None
    if context.json:
        names = ("owner", "level", "size", "file")
        more = {} if roots is None else {"roots": [tool_cache.fields(root) for root in roots]}
        entries_found = [dict(zip(names, row, strict=True)) for row in rows]
        stdout_json_success(path=str(_directory()), entries=entries_found, **more)
        return 0
    lines = [(owner, str(level), human(size)) for owner, level, size, _ in rows]
    print("\n".join(table(("frames of", "level", "size"), lines)))
    print(f"{len(rows)} entries, {human(sum(size for _, _, size, _ in rows))}")
    if roots is not None:
        print("", *tool_cache.list_lines(roots), sep="\n")
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
    from conda.cli.common import stdout_json_success

    found = [*entries(_directory()), *unfinished(_directory())]
    size = sum(size_of(path) for path in found)
    if not context.json:
        print(f"{len(found)} files, {human(size)}, in {_directory()}")
    if found and not context.json:
        conda_api.confirm_yn()
    if context.dry_run:
        stdout_json_success(dry_run=True, files=len(found), size=size)
        return 0
    for path in found:
        path.unlink(missing_ok=True)
    if context.json:
        stdout_json_success(removed=len(found), size=size)
    return 0

