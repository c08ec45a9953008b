"""Read one file of a live prefix: its content, and the places in it that name the prefix."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import FileChanged
from ..root.content import Content, relocation_of, script_of
from ..root.source import InMemory, OnDisk, Patched, Staged, mapped, sha256_of
from .mentions import find_prefix, respelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..root.source import Searched, Source

SCRIPT = 64 << 10  # bytes: console scripts are smaller
# The first lines of a console script of Python as conda, pip, setuptools and uv write them; the long form is for paths
# with spaces, and for paths that are too long for a #! line.
LAUNCH = re.compile(
    rb"#!/bin/sh\n'''exec' (?P<quote>[\"']?)(?P<long>/[^\"'\n]*?)(?P=quote) \"\$0\" \"\$@\"(?: #'''\n|\n' '''\n)"
    rb"|#!(?P<short>/[^\n]*)\n"
)
PYTHON = re.compile(r"(.*/)?bin/python[\d.]*\Z")  # also of a virtual environment in the prefix


@dataclass(frozen=True)
class Reading:
    """A file as it will be in the archive, and how many places in it name the prefix and cannot be changed."""

    content: Content
    fixed: int = 0


def read_live(path: Path, target: str, names: Sequence[str]) -> Reading | None:
    """Return the file at `path` as the content of `target`; None if it does not exist any more.

    `names` are paths by which files name the prefix, the most frequent one first; they become the placeholder. Raises
    FileChanged if the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            state = os.fstat(stream.fileno())
            with mapped(stream.fileno()) as data:
                return examine(data, OnDisk(path), target, state, names)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileChanged(f"cannot be read: {error.strerror or error}", os.fsencode(path)) from error


def staged_file(path: str, target: str, state: os.stat_result, sha256: str) -> Content:
    """Return a file of a staging environment, which does not name it, as the content of `target`."""
    return Content(target, safe_mode(state), state.st_mtime_ns, Staged(path), state.st_size, sha256)


@contextlib.contextmanager
def opened(source: Source) -> Iterator[Searched]:
    """Yield the bytes of a file of a live prefix; raises FileChanged if it cannot be read."""
    try:
        with source.searched() as data:
            yield data
    except OSError as error:
        raise FileChanged(f"cannot be read: {error.strerror or error}", source.name) from error


def examine(data: Searched, source: Source, target: str, state: os.stat_result, names: Sequence[str]) -> Reading:
    """Return `data` of a live file, which are those of `source`, as the content of `target`, a path of the root."""
    plain = Content(target, safe_mode(state), state.st_mtime_ns, source, len(data), sha256_of(data))
    named = {name: mentions for name in names if (mentions := find_prefix(data, name)) is not None}
    if not named:
        return Reading(plain)
    if len(named) > 1 and all(mentions.file_mode == "text" for mentions in named.values()):
        spelled = Patched(source, tuple(respelled(data, named, names[0])))  # a file has one placeholder
        with spelled.searched() as patched:
            return examine(patched, spelled, target, state, names[:1])
    name, mentions = max(named.items(), key=lambda each: each[1].places - each[1].fixed)
    fixed = mentions.fixed + sum(other.places for other in named.values() if other is not mentions)
    script = _console_script(data[:], plain, name) if _is_command(plain) else None
    if script is not None:
        return Reading(script)
    if not mentions.edits:
        return Reading(plain, fixed)
    return Reading(replace(plain, relocation=relocation_of(name, mentions.file_mode, mentions.edits)), fixed)


def with_data(path: Path, data: bytes, target: str, names: Sequence[str]) -> Content:
    """Return `data` as the content of `target`, with the mode and time of the file at `path`."""
    return examine(data, InMemory(data), target, path.stat(), names).content


def _is_command(content: Content) -> bool:
    return posixpath.dirname(content.path).endswith("/bin") and content.size < SCRIPT


def safe_mode(state: os.stat_result) -> int:
    """Return the permissions of a file or directory, without those of group and others to write."""
    return stat.S_IMODE(state.st_mode) & ~0o022


def _console_script(data: bytes, plain: Content, prefix: str) -> Content | None:
    """Return a console script of the prefix's Python without its first lines, which hosts write; None for others."""
    match = LAUNCH.match(data)
    if match is None:
        return None
    interpreter = os.fsdecode(match["short"] or match["long"])
    rest = data[match.end() :]
    python = interpreter.removeprefix(prefix + "/")
    if python == interpreter or not PYTHON.match(python) or find_prefix(rest, prefix) is not None:
        return None
    return replace(plain, source=InMemory(rest), size=len(rest), sha256=sha256_of(rest), relocation=script_of(python))
