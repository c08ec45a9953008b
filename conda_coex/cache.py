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

    rows = []
    for path in entries(_directory()):
        entry = open_entry(path)
        owner = entry.owner if entry is not None else "not readable"
        level = entry.level if entry is not None else 0
        if entry is not None:
            entry.close()
        rows.append({"owner": owner, "level": level, "size": path.stat().st_size, "file": path.name})
    if context.json:
        stdout_json_success(path=str(_directory()), entries=rows)
        return 0
    lines = [(str(row["owner"]), str(row["level"]), human(int(str(row["size"])))) for row in rows]
    print("\n".join(table(("frames of", "level", "size"), lines)))
    print(f"{len(rows)} entries, {human(sum(path.stat().st_size for path in entries(_directory())))}")
    return 0


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
