"""Walk a live prefix: its files, links and directories, without caches, logs and special files."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import FileChanged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Files and directories of conda and pip in the prefix that do not belong to the environment; settings may have a token.
OF_CONDA = {".condarc", "pip.conf", "pkgs", "envs", "conda-bld", "locks", ".condatmp", ".conda", ".cph_tmp"}
# Files of conda for which an archive has its own, and pixi's notes on the place of its project.
RECORDS = re.compile(r"conda-meta/([^/]+\.json|created_at|history|state|[^/]+\.log|pixi\w*)\Z")
CACHES = {".cache", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints", ".DS_Store"}
VERSION_CONTROL = {".git", ".hg", ".svn", ".bzr"}
TRASH = re.compile(r".*\.(conda_trash(_\d+)?|c~)\Z|\.(nfs|wh\.)\w+\Z|\.lock\Z")
KINDS = {
    stat.S_IFSOCK: "socket", stat.S_IFIFO: "fifo", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
}  # fmt: skip


@dataclass
class Tree:
    """The files of a prefix, by paths relative to it."""

    prefix: Path
    files: dict[str, os.stat_result] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # path, target
    directories: dict[str, os.stat_result] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # path, kind of file


def is_environment(path: str) -> bool:
    """Return whether a path of a prefix belongs to the environment: it is not a cache, a log, or conda's own."""
    name = path.rpartition("/")[2]
    is_other = path in OF_CONDA or name in CACHES or name in VERSION_CONTROL or RECORDS.match(path) or TRASH.match(name)
    return not is_other


def walk(prefix: Path, is_selected: Callable[[str], bool] = is_environment) -> Tree:
    """Return the selected files below a directory, sorted, without those that vanish meanwhile; do not follow links.

    Raises FileChanged for a directory that cannot be read.
    """
    tree = Tree(prefix)
    _walk(tree, "", is_selected)
    return tree


def _walk(tree: Tree, directory: str, is_selected: Callable[[str], bool]) -> None:
    try:
        with os.scandir(tree.prefix / directory) as iterator:
            entries = sorted(iterator, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        place = os.fsencode(tree.prefix / directory)
        raise FileChanged(f"cannot be read: {error.strerror or error}", place) from error
    for entry in entries:
        path = f"{directory}/{entry.name}" if directory else entry.name
        if not is_selected(path):
            continue
        try:
            _add(tree, path, entry, is_selected)
        except FileNotFoundError:
            continue


def _add(tree: Tree, path: str, entry: os.DirEntry[str], is_selected: Callable[[str], bool]) -> None:
    state = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(state.st_mode):
        tree.links[path] = os.readlink(entry.path)
    elif stat.S_ISDIR(state.st_mode):
        tree.directories[path] = state
        _walk(tree, path, is_selected)
    elif stat.S_ISREG(state.st_mode):
        tree.files[path] = state
    else:
        tree.left_out.append((path, KINDS.get(stat.S_IFMT(state.st_mode), "special file")))
