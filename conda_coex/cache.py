"""See and clear the cache of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import conda_api
from .errors import OutputError
from .fetch import frame_directory
from .frame_cache import entries, open_entry, unfinished
from .report import human, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


def show_list() -> int:
    """Print what is kept, largest first."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    rows = [(*_describe(path), path.stat().st_size, path.name) for path in entries(_directory())]
    if context.json:
        names = ("owner", "level", "size", "file")
        stdout_json_success(path=str(_directory()), entries=[dict(zip(names, row, strict=True)) for row in rows])
        return 0
    lines = [(owner, str(level), human(size)) for owner, level, size, _ in rows]
    print("\n".join(table(("frames of", "level", "size"), lines)))
    print(f"{len(rows)} entries, {human(sum(size for _, _, size, _ in rows))}")
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
    size = sum(path.stat().st_size for path in found)
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


ACTIONS: dict[str, Callable[[], int]] = {"list": show_list, "clean": clean, "path": show_path}
