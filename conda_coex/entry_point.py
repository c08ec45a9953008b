"""Resolve an entry point: a command line whose first word is in the environment or in the app."""

from __future__ import annotations

import os
import posixpath
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .app import app_name
from .errors import EntryPointNotFound
from .plan import Link

if TYPE_CHECKING:
    from .layout import Layout

# What runs a file of the app that has no #! line, by its suffix.
INTERPRETERS = {
    ".py": "python", ".pyw": "python", ".R": "Rscript", ".r": "Rscript", ".js": "node", ".mjs": "node",
    ".cjs": "node", ".sh": "sh", ".bash": "bash", ".pl": "perl", ".rb": "ruby", ".jl": "julia", ".lua": "lua",
}  # fmt: skip
BINARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")


def split(command: str) -> list[str]:
    """Split a command line as a shell would; raises EntryPointNotFound for an empty or unbalanced one."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise EntryPointNotFound(f"the entry point {command!r} cannot be split into words: {error}") from error
    if not words or not words[0]:
        raise EntryPointNotFound("the entry point is empty", remedy="name a command, as in --entrypoint python")
    return words


def name_of(command: str) -> str:
    """Return the name of an entry point: of its program, without a source's suffix."""
    name = posixpath.basename(split(command)[0].rstrip("/"))
    stem, suffix = posixpath.splitext(name)
    return stem if suffix in INTERPRETERS else name


def local_file(command: str, prefix: str | None) -> str | None:
    """Return the path of the local file that an entry point names, if it does, outside the existing environment."""
    word = split(command)[0]
    return word if Path(word).is_file() and _inside(word, prefix) is None else None


def is_command(command: str, layout: Layout) -> bool:
    """Return whether an entry point names a command of the environment."""
    word = split(command)[0]
    return "/" not in word and f"prefix/bin/{word}" in layout.entries


def _inside(word: str, prefix: str | None) -> str | None:
    """Return the path in the existing environment that a word leads into, relative to its prefix."""
    path = posixpath.abspath(word)
    return posixpath.relpath(path, prefix) if prefix and "/" in word and path.startswith(prefix + "/") else None


def resolve(command: str, layout: Layout, prefix: str | None) -> list[list[str]]:
    """Return the words of the entry point as pairs [prefix|app|text, word], for the manifest.

    `prefix` is the path of the existing environment that is packed, if any. An app's file is made
    executable. Raises EntryPointNotFound where the first word is nowhere, or is a file that nothing runs.
    """
    word, *arguments = split(command)
    rest = [["text", argument] for argument in arguments]
    if is_command(command, layout):
        return [["prefix", f"bin/{word}"], *rest]
    inside = _inside(word, prefix)
    if inside is not None and f"prefix/{inside}" in layout.entries:
        return [["prefix", inside], *rest]
    in_app = posixpath.join("app", app_name(word))
    if in_app in layout.entries:
        return [*_run_app_file(in_app, layout), *rest]
    if "/" in word and f"prefix/{word}" in layout.entries:
        return [["prefix", word], *rest]
    raise EntryPointNotFound(
        f"the entry point {word!r} is neither a command of the environment nor a file of the app",
        remedy="add its package to the environment, or name the file",
    )


def _run_app_file(path: str, layout: Layout) -> list[list[str]]:
    entry = layout.entries[path]
    relative = path.removeprefix("app/")
    if isinstance(entry, Link):
        return [["app", relative]]
    assert isinstance(entry.source, Path)
    with entry.source.open("rb") as stream:
        start = stream.read(4)
    if start.startswith(BINARIES):
        layout.entries[path] = replace(entry, mode=0o755)
        return [["app", relative]]
    suffix = posixpath.splitext(path)[1]
    interpreter = INTERPRETERS.get(suffix)
    if interpreter is None:
        raise EntryPointNotFound(
            "the entry point is no program: it has no #! line and no suffix of a known language",
            os.fsencode(entry.source), "begin it with a line such as #!/usr/bin/env python",
        )  # fmt: skip
    if f"prefix/bin/{interpreter}" not in layout.entries:
        raise EntryPointNotFound(
            f"the environment has no {interpreter} to run it", os.fsencode(entry.source),
            "add a package that has it, or begin the file with a #! line",
        )  # fmt: skip
    return [["prefix", f"bin/{interpreter}"], ["app", relative]]
