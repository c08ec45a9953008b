"""Resolve entry points: `[NAME=]COMMAND`, whose first word is in the environment or in the app, or a function."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coex_bootstrap.format.manifest_check import FUNCTION, MODULE

from ..errors import EntryPointNotFound
from .app import app_name, places, version_control
from .entry_arguments import Arguments
from .entry_files import Names, is_program, notes_on_variables, place, program_name, similar
from .entry_function import check_function, directory_of, find_module
from .entry_imports import missing_modules
from .entry_local import check_script, own_files
from .entry_script import INTERPRETERS, faulty_programs, nearest_command, run_app_file
from .entry_words import SHELLS, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .layout import Layout

EXTRAS = re.compile(r"\[[\w.,\s-]*\]")  # behind module:function, as in the metadata of Python packages
ACTIVE = "leave out what runs it in an environment: that of the archive is active"
# What people write that begins no command, and what it means here.
MEANT = {
    "conda": ACTIVE, "mamba": ACTIVE, "micromamba": ACTIVE, "pixi": ACTIVE, "poetry": ACTIVE, "uv": ACTIVE,
    "cd": "it runs where the caller is: name files as they are in the app", "exec": "leave out exec",
    "source": "write a script", ".": "write a script", "export": "set variables with --env",
    "env": "set variables with --env",
}  # fmt: skip


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
        words = _exec_form(value) or shlex.split(value)
        value.encode()
    except ValueError as error:
        raise EntryPointNotFound(f"the entry point {value!r} cannot be split into words: {error}") from error
    if words[1:2] == ["="]:  # NAME = COMMAND, as in the metadata of Python packages
        words[:3] = [f"{words[0]}={''.join(words[2:3])}"]
    name, equals, rest = words[0].partition("=") if words else ("", "", "")
    if equals and "/" not in name:
        if not name or not name.isprintable():
            raise EntryPointNotFound(f"the entry point {value!r} has no name before its =")
        words[0] = rest
    if not words or not words[0]:
        raise EntryPointNotFound("the entry point is empty", remedy="name a command, as in --entrypoint python")
    return Named(name if equals and "/" not in name else None, tuple(words))


def _exec_form(value: str) -> list[str]:
    """Return the words of a command that is written as in a Dockerfile: `["python", "app.py"]`."""
    if not value.lstrip().startswith('["'):
        return []
    words = json.loads(value)
    return words if all(isinstance(word, str) for word in words) else []


def split(value: str) -> tuple[str, ...]:
    """Return the words of the command of an entry point."""
    return parse(value).words


def name_of(value: str) -> str:
    """Return the name of an entry point: as given, or of its script, module, function or program, without a suffix."""
    named = parse(value)
    if named.given is not None:
        return named.given
    if FUNCTION.match(named.words[0]):
        return named.words[0].split(":")[0].split(".")[0]
    name = posixpath.basename(named.words[0].rstrip("/"))
    for word in words_of(named.words[0], named.words[1:]):
        if word.role == "module" and MODULE.match(word.text):
            return word.text.split(".")[0]
        if word.role == "script" and posixpath.basename(word.text).strip(".").isprintable():
            name = posixpath.basename(word.text).strip(".") or name
    stem, suffix = posixpath.splitext(name)
    return stem if suffix in INTERPRETERS else name


def resolve_all(
    values: Sequence[str], layout: Layout, prefix: str | None, variables: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the entry points for the manifest, the default one first; raises EntryPointNotFound for one name twice."""
    names = [name_of(value) for value in values]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise EntryPointNotFound(f"two entry points are called {name!r}", remedy="name one, as in NAME=COMMAND")
    known = Names(layout, prefix)
    points = [
        {"name": name, "named": parse(value).given is not None, **resolve(value, known)}
        for name, value in zip(names, values, strict=True)
    ]
    layout.notes += version_control(layout.entries)
    layout.notes += notes_on_variables(variables, known)
    layout.notes += faulty_programs(layout, {"/".join(point["command"][0]) for point in points})
    return points


def with_own_files(sources: Sequence[str], values: Sequence[str], layout: Layout, prefix: str | None) -> list[str]:
    """Return the sources of the app with the local files that entry points run, unless `layout` has that command."""
    found = list(sources)
    names = Names(layout, prefix)
    named: set[str] | None = None
    for value in values:
        word, *arguments = split(value)
        own = [word] if is_program(word) and not _is_of_environment(word, names) else []
        for local in [*own, *own_files(word, arguments, names)]:
            if app_name(local) in map(app_name, found):
                continue
            if named is None:
                named = places(sources)
            if place(local) not in named:
                found.append(local)
    return found


def check_here(values: Sequence[str], layout: Layout, prefix: str | None) -> None:
    """Raise EntryPointNotFound for files that are nowhere, when `layout` has the app and no environment yet."""
    names = Names(layout, prefix)
    for value in values:
        word, *arguments = split(value)
        is_path = word.startswith(("./", "../", "/")) and names.in_prefix(word) is None
        if is_path and names.in_app(word) is None and not is_program(word) and _host_shell(word) is None:
            if program_name(word) != word:
                continue  # the environment may have it
            near = similar(word)
            remedy = f"did you mean {near}?" if near else "name a file, or a command of the environment"
            raise EntryPointNotFound("no such file for the entry point", os.fsencode(word), remedy)
        check_script(word, arguments, names)


def is_command(command: str, layout: Layout) -> bool:
    """Return whether an entry point names a command of the environment."""
    return _command(split(command)[0], layout) is not None


def _is_of_environment(word: str, names: Names) -> bool:
    """Return whether a word is a command or a file of the environment, or a shell of every host by its path."""
    is_shell = word.startswith("/") and _host_shell(word) is not None
    return is_shell or names.in_prefix(word) is not None or _command(word, names.layout) is not None


def _command(word: str, layout: Layout) -> str | None:
    """Return the command of the environment that a word names, as `python` or as `/opt/conda/bin/python`."""
    name = program_name(word)
    return name if name and "/" not in name and f"prefix/bin/{name}" in layout.entries else None


def _host_shell(word: str) -> str | None:
    name = program_name(word)
    return name if name in SHELLS else None


def resolve(value: str, names: Names) -> dict[str, Any]:
    """Return an entry point's command as pairs [kind, word] for the manifest, and where its modules come from.

    An app's file is made executable. Raises EntryPointNotFound if the first word is nowhere, or is a file that
    nothing runs, and for files that are here and not in the app.
    """
    word, *rest = split(value)
    try:
        command = _program(word, rest, names)
        names.check_executable(*command[0])
    except EntryPointNotFound as error:
        given = parse(value).given
        if given is None or not re.fullmatch("[A-Z_]{2,}", given) or not rest:
            raise
        raise EntryPointNotFound(error.what, remedy=f"if {given} is a variable: --env {given}={word}") from error
    arguments = Arguments(name_of(value), word, rest, names)
    imports = arguments.imports
    for kind, text in [*command, *arguments.words]:
        for missing in missing_modules(f"app/{text}", names.layout) if kind == "app" else ():
            note = f"{text} imports {missing}, which is not in the app; name it among the paths of the app"
            names.layout.notes.append(note)
    if command[-1][0] == "function":
        function = command[-1][1]
        directory = directory_of(function, find_module(function, names.layout)) or "app"
        imports += [directory] if directory not in ("app", *imports) else []
    return {"command": [*command, *arguments.words], **({"imports": imports} if imports else {})}


def _program(word: str, rest: list[str], names: Names) -> list[list[str]]:
    """Return the words that begin a command; takes extras of a function from the `rest`."""
    layout = names.layout
    inside = names.in_prefix(word)
    if inside is not None and f"prefix/{inside}" in layout.entries:
        return [["prefix", inside]]
    name = _command(word, layout)
    if name is not None:
        if name != word:
            layout.notes.append(f"the entry point {word} is {name} of the environment")
        return [["prefix", f"bin/{name}"]]
    in_app = names.in_app(word)
    if in_app is not None and (f"app/{in_app}" in layout.entries or f"app/{in_app}/__main__.py" in layout.entries):
        return run_app_file(f"app/{in_app}", layout)
    if "/" in word and f"prefix/{word}" in layout.entries:
        return [["prefix", word]]
    shell = _host_shell(word)
    if shell is not None:
        return [["host", shell]]
    function = EXTRAS.sub("", word)
    if FUNCTION.match(function):
        check_function(function, layout)
        if function == word and rest and EXTRAS.fullmatch(rest[0]):
            rest.pop(0)
        return [["prefix", "bin/python"], ["function", function]]
    raise EntryPointNotFound(
        f"the entry point {word!r} is neither a command of the environment nor a file of the app",
        remedy=_remedy(word, layout),
    )


def _remedy(word: str, layout: Layout) -> str:
    """Return what to do about a word that is not a program."""
    if word in MEANT:
        return MEANT[word]
    if re.fullmatch(r"[\w/]+\.py:[\w.]+", word):  # as servers write an application
        return f"write {word.replace('.py:', ':').replace('/', '.')}"
    return nearest_command(word, layout) or "add its package to the environment, or name the file"


def program_of(value: str) -> str:
    """Return the first word of an entry point, without the extras of a function."""
    return EXTRAS.sub("", split(value)[0])
