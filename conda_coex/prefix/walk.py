"""Walk a live prefix: its files, links and directories, without caches, logs and what no archive can hold."""

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

# Directories and files of the prefix itself that are conda's and pip's own; settings may hold a token.
OF_CONDA = {".condarc", "pip.conf", "pkgs", "envs", "conda-bld", "locks", ".condatmp", ".conda", ".cph_tmp"}
# conda's own, which are written anew, and pixi's of where its project is
RECORDS = re.compile(r"conda-meta/([^/]+\.json|created_at|history|state|[^/]+\.log|pixi\w*)\Z")
CACHES = {".cache", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints", ".DS_Store"}
VERSION_CONTROL = {".git", ".hg", ".svn", ".bzr"}
TRASH = re.compile(r".*\.(conda_trash(_\d+)?|c~)\Z|\.(nfs|wh\.)\w+\Z|\.lock\Z")
KINDS = {
    stat.S_IFSOCK: "socket", stat.S_IFIFO: "fifo", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
}  # fmt: skip


@dataclass
class Tree:
    """What is in a prefix, by paths relative to it."""

    prefix: Path
    files: dict[str, os.stat_result] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # path, target
    directories: dict[str, os.stat_result] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # path, what it is


def is_environment(path: str) -> bool:
    """Return whether a path of a prefix is part of the environment, and no cache, no log, and not conda's own."""
    name = path.rpartition("/")[2]
    left = path in OF_CONDA or name in CACHES or name in VERSION_CONTROL or RECORDS.match(path) or TRASH.match(name)
    return not left


def walk(prefix: Path, wanted: Callable[[str], bool] = is_environment) -> Tree:
    """Return what is in a directory, sorted; no link is followed, and what vanishes meanwhile is not there.

    Raises FileChanged for a directory that cannot be read.
    """
    tree = Tree(prefix)
    _walk(tree, "", wanted)
    return tree


def _walk(tree: Tree, directory: str, wanted: Callable[[str], bool]) -> None:
    try:
        with os.scandir(tree.prefix / directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        place = os.fsencode(tree.prefix / directory)
        raise FileChanged(f"cannot be read: {error.strerror or error}", place) from error
    for entry in entries:
        path = f"{directory}/{entry.name}" if directory else entry.name
        if not wanted(path):
            continue
        try:
            _add(tree, path, entry, wanted)
        except FileNotFoundError:
            continue


def _add(tree: Tree, path: str, entry: os.DirEntry[str], wanted: Callable[[str], bool]) -> None:
    state = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(state.st_mode):
        tree.links[path] = os.readlink(entry.path)
    elif stat.S_ISDIR(state.st_mode):
        tree.directories[path] = state
        _walk(tree, path, wanted)
    elif stat.S_ISREG(state.st_mode):
        tree.files[path] = state
    else:
        tree.left_out.append((path, KINDS.get(stat.S_IFMT(state.st_mode), "special file")))
