"""Resolve entry points: `[NAME=]COMMAND`, whose first word is in the environment or in the app, or a function."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest_check import HOST_SHELLS
from coex_bootstrap.format.values import is_function

from ..errors import EntryPointNotFound
from ..root.app import app_name, version_control
from ..root.content import Content
from .arguments import Arguments
from .command import EXTRAS
from .data_files import data_notes
from .function import check_function, directory_of, find_module, module_of
from .missing_imports import import_notes
from .names import Names, is_program, notes_on_variables, program_name, similar
from .own_files import check_script, own_files, refuse_other
from .script import INTERPRETERS, faulty_programs, nearest_command, run_app_file
from .shell_script import shell_notes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coex_bootstrap.format.manifest import EntryPoint

    from ..inputs.variables import Variable
    from ..root.app import App
    from ..root.layout import Layout
    from .command import EntryCommand

LARGEST = 1 << 20  # bytes of a script to search for notes
ACTIVE = "leave out words that enter an environment: that of the archive is active"
# First words that are not commands, with the remedy for each.
MEANT = {
    "conda": ACTIVE, "mamba": ACTIVE, "micromamba": ACTIVE, "pixi": ACTIVE, "poetry": ACTIVE, "uv": ACTIVE,
    "cd": "it runs where the caller is: name files as they are in the app", "exec": "leave out exec",
    "source": "write a script", ".": "write a script", "export": "set variables with --env",
    "env": "set variables with --env",
}  # fmt: skip


def resolve_all(
    commands: Iterable[EntryCommand], layout: Layout, prefix: str | None, variables: Iterable[Variable] = ()
) -> list[EntryPoint]:
    """Return the entry points for the manifest, the default one first, and add to the notes of the layout."""
    names, variables = Names(layout, prefix), list(variables)
    points = [resolve(command, names) for command in commands]
    python_path = any(variable.name == "PYTHONPATH" for variable in variables)
    for path in dict.fromkeys(f"app/{text}" for point in points for kind, text in point["command"] if kind == "app"):
        entry = layout.entries.get(path)
        if isinstance(entry, Content) and entry.size <= LARGEST:
            layout.notes += import_notes(path, entry, layout, beside_only=not python_path)
            layout.notes += [*shell_notes(path, entry), *data_notes(path, entry, layout)]
    layout.notes += version_control(layout.entries)
    layout.notes += notes_on_variables(variables, names)
    layout.notes += faulty_programs(layout, {"/".join(point["command"][0]) for point in points})
    return points


def own_sources(app: App, commands: Iterable[EntryCommand], layout: Layout, prefix: str | None) -> list[str]:
    """Return the files here that entry points run and the sources of the app do not have.

    A command that `layout` has is not looked for here.
    """
    own: list[str] = []
    names = Names(layout, prefix)
    for command in commands:
        word, *arguments = command.words
        program = [word] if is_program(word) and not _is_of_environment(word, names) else []
        for file in [*program, *own_files(word, arguments, names)]:
            if app_name(file) not in map(app_name, own) and not app.has(file):
                own.append(file)
    return own


def check_here(commands: Iterable[EntryCommand], layout: Layout, prefix: str | None) -> None:
    """Raise EntryPointNotFound for files that do not exist, when `layout` has the app and no environment yet."""
    names = Names(layout, prefix)
    for command in commands:
        word, *arguments = command.words
        if names.in_prefix(word) is None and names.in_app(word) is None and _host_shell(word) is None:
            if program_name(word) != word and not is_program(word):
                continue  # the environment may have it
            _refuse_path(word)
        check_script(word, arguments, names)


def _refuse_path(word: str) -> None:
    """Raise EntryPointNotFound for a path that is not a program."""
    if word.startswith(("./", "../", "/")) and program_name(word) == word and not is_program(word):
        refuse_other(word)
        near = similar(word)
        remedy = f"did you mean {near}?" if near else "name a file, or a command of the environment"
        raise EntryPointNotFound("no such file for the entry point", os.fsencode(word), remedy)


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
    return name if name in HOST_SHELLS else None


def resolve(command: EntryCommand, names: Names) -> EntryPoint:
    """Return an entry point: its command as pairs [kind, word], and where its modules come from.

    A file of the app is made executable. Raises EntryPointNotFound if the first word is not found, or is a file without
    an interpreter, and for files that are here and not in the app.
    """
    word, *rest = command.words
    try:
        program = _program(word, rest, names)
        names.check_executable(*program[0])
    except EntryPointNotFound as error:
        given = command.given_name
        if given is None or not re.fullmatch("[A-Z_]{2,}", given) or not rest:
            raise
        raise EntryPointNotFound(error.what, remedy=f"if {given} is a variable: --env {given}={word}") from error
    arguments = Arguments(command.name, word, rest, names)
    imports = arguments.imports
    if program[-1][0] == "function":
        function = program[-1][1]
        directory = directory_of(function, find_module(function, names.layout)) or "app"
        imports += [directory] if directory not in ("app", *imports) else []
    point: EntryPoint = {
        "name": command.name, "named": command.given_name is not None, "command": [*program, *arguments.words],
    }  # fmt: skip
    if imports:
        point["imports"] = imports
    return point


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
    if is_function(function):
        check_function(function, layout)
        if function == word and rest and EXTRAS.fullmatch(rest[0]):
            rest.pop(0)
        return [["prefix", "bin/python"], ["function", function]]
    _refuse_path(word)
    raise EntryPointNotFound(
        f"the entry point {word!r} is neither a command of the environment nor a file of the app",
        remedy=_remedy(word, layout),
    )


def _remedy(word: str, layout: Layout) -> str:
    """Return the remedy for a word that is not a program."""
    if word in MEANT:
        return MEANT[word]
    if re.fullmatch(r"[\w/]+\.py:[\w.]+", word):  # as servers write an application
        return f"write {word.replace('.py:', ':').replace('/', '.')}"
    if is_function(f"{word}:x") and module_of(word, layout):
        return f"write 'python -m {word}' to run the module, or {word}:NAME to call a function of it"
    nearest = nearest_command(word, layout)
    if nearest is None and posixpath.splitext(word)[1] in INTERPRETERS:
        return "name a file that is here, or that is among the paths of the app"
    return nearest or "add its package to the environment, or name the file"
