"""Resolve entry points: `[NAME=]COMMAND`, whose first word is in the environment or in the app, or a function."""

from __future__ import annotations

import os
import posixpath
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coex_bootstrap.manifest_check import FUNCTION

from .app import app_name
from .entry_function import check_function
from .errors import EntryPointNotFound
from .plan import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .layout import Layout

# What runs a file of the app that has no #! line, by its suffix.
INTERPRETERS = {
    ".py": "python", ".pyw": "python", ".R": "Rscript", ".r": "Rscript", ".js": "node", ".mjs": "node",
    ".cjs": "node", ".sh": "sh", ".bash": "bash", ".pl": "perl", ".rb": "ruby", ".jl": "julia", ".lua": "lua",
}  # fmt: skip
BINARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")


@dataclass(frozen=True)
class Named:
    """One entry point as it was asked for: the name it was given, if any, and the words of its command."""

    given: str | None
    words: tuple[str, ...]


def parse(value: str) -> Named:
    """Split `[NAME=]COMMAND` as a shell would; the name ends at the first `=` of the first word, if that has no `/`.

    Raises EntryPointNotFound for what is empty, unbalanced, or no text.
    """
    try:
        words = shlex.split(value)
        value.encode()
    except ValueError as error:
        raise EntryPointNotFound(f"the entry point {value!r} cannot be split into words: {error}") from error
    name, equals, rest = words[0].partition("=") if words else ("", "", "")
    if equals and "/" not in name:
        if not name or not name.isprintable():
            raise EntryPointNotFound(f"the entry point {value!r} has no name before its =")
        words[0] = rest
    if not words or not words[0]:
        raise EntryPointNotFound("the entry point is empty", remedy="name a command, as in --entrypoint python")
    return Named(name if equals and "/" not in name else None, tuple(words))


def split(value: str) -> tuple[str, ...]:
    """Return the words of the command of an entry point."""
    return parse(value).words


def name_of(value: str) -> str:
    """Return the name of an entry point: as given, or of its program or function, without a source's suffix."""
    named = parse(value)
    if named.given is not None:
        return named.given
    if FUNCTION.match(named.words[0]):
        return named.words[0].split(":")[0].split(".")[0]
    name = posixpath.basename(named.words[0].rstrip("/"))
    stem, suffix = posixpath.splitext(name)
    return stem if suffix in INTERPRETERS else name


def resolve_all(values: Sequence[str], layout: Layout, prefix: str | None) -> list[dict[str, Any]]:
    """Return the entry points for the manifest, the default one first; raises EntryPointNotFound for one name twice."""
    names = [name_of(value) for value in values]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise EntryPointNotFound(f"two entry points are called {name!r}", remedy="name one, as in NAME=COMMAND")
    return [
        {"name": name, "named": parse(value).given is not None, "command": resolve(value, layout, prefix)}
        for name, value in zip(names, values, strict=True)
    ]


def local_file(command: str, prefix: str | None) -> str | None:
    """Return the path of the local file that an entry point names, if it does, outside the existing environment."""
    word = split(command)[0]
    return word if Path(word).is_file() and _inside(word, prefix) is None else None


def with_own_files(sources: Sequence[str], values: Sequence[str], layout: Layout, prefix: str | None) -> list[str]:
    """Return the sources of the app with the local files that entry points name, unless `layout` has that command."""
    found = list(sources)
    for value in values:
        local = local_file(value, prefix)
        if local is None or is_command(value, layout):
            continue
        if app_name(local) not in map(app_name, found):
            found.append(local)
    return found


def is_command(command: str, layout: Layout) -> bool:
    """Return whether an entry point names a command of the environment."""
    word = split(command)[0]
    return "/" not in word and f"prefix/bin/{word}" in layout.entries


def _inside(word: str, prefix: str | None) -> str | None:
    """Return the path in the existing environment that a word leads into, relative to its prefix."""
    path = posixpath.abspath(word)
    return posixpath.relpath(path, prefix) if prefix and "/" in word and path.startswith(prefix + "/") else None


def resolve(command: str, layout: Layout, prefix: str | None) -> list[list[str]]:
    """Return the words of the entry point as pairs [prefix|app|text|function, word], for the manifest.

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
    if FUNCTION.match(word):
        check_function(word, layout)
        return [["prefix", "bin/python"], ["function", word], *rest]
    raise EntryPointNotFound(
        f"the entry point {word!r} is neither a command of the environment nor a file of the app",
        remedy="add its package to the environment, or name the file",
    )


def _run_app_file(path: str, layout: Layout) -> list[list[str]]:
    entry = layout.entries[path]
    relative = path.removeprefix("app/")
    if isinstance(entry, Link):
        return [["app", relative]]
    if isinstance(entry.source, Path):
        with entry.source.open("rb") as stream:
            start = stream.read(4)
    else:
        start = (entry.source or b"")[:4]
    if start.startswith(BINARIES):
        layout.entries[path] = replace(entry, mode=0o755)
        return [["app", relative]]
    suffix = posixpath.splitext(path)[1]
    interpreter = INTERPRETERS.get(suffix)
    if interpreter is None:
        raise EntryPointNotFound(
            "the entry point is no program: it has no #! line and no suffix of a known language",
            os.fsencode(relative), "begin it with a line such as #!/usr/bin/env python",
        )  # fmt: skip
    if f"prefix/bin/{interpreter}" not in layout.entries:
        raise EntryPointNotFound(
            f"the environment has no {interpreter} to run it", os.fsencode(relative),
            "add a package that has it, or begin the file with a #! line",
        )  # fmt: skip
    return [["prefix", f"bin/{interpreter}"], ["app", relative]]
