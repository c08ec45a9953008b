"""Fill the options of a verb from the file of the project; those of the command line win."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, NoReturn

from ..inputs import config_file
from .print_outcome import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..inputs.config_file import Config

# An environment that is named on the command line is the whole environment.
MADE = {"file", "package", "lock-environment", "lock-category"}
EXISTING = {"name", "prefix"}
# Options that change something in `repack`; if none is given, the file's are taken.
CHANGES = {"sources", "entrypoint", "env", "unset", "no_env", "no_app", "keep_app", "carry_python", "bytecode_for"}
# Paths of the command line, which stay relative to the user's directory.
PATHS = ("output", "prefix", "from_prefix")
LISTS_OF_PATHS = ("file", "channel", "bytecode_for")


def fill(arguments: Namespace, configure: Callable[[ArgumentParser], None]) -> Namespace:
    """Return the options of a command line with those of the file; `configure` adds the verb's to a parser.

    With --config, the rest of the build happens in the directory of that file. Raises InputError.
    """
    from conda.base.context import context

    named = arguments.coex_config
    config = config_file.read_config(named) if named else config_file.find()
    if config is None:
        return arguments
    parser = _Parser(prog=f"conda coex {arguments.coex_verb}", add_help=False)
    configure(parser)
    given = _given(parser, arguments.coex_words)
    if arguments.coex_verb == "repack" and not named and given & CHANGES:
        return arguments  # only the requested changes are made
    used = [key for key in config.values if _has(parser, key) and not _is_replaced(parser, key, given)]
    if arguments.coex_verb == "repack":
        used = [key for key in used if key != "output"]  # the new archive takes the place of the old one
    _apply(parser, config, used, arguments)
    if used:
        notify([f"options of {config.path}: {', '.join(used)}"])
    if named and os.path.abspath(config.directory) != os.getcwd():  # noqa: PTH100, PTH109
        _go_to(config.directory, arguments, given)
    context.__init__(argparse_args=arguments)
    return arguments


class _Parser(ArgumentParser):
    """A parser whose errors are errors."""

    def error(self, message: str) -> NoReturn:
        from ..errors import InputError

        raise InputError(message)


def _given(parser: ArgumentParser, words: tuple[str, ...]) -> set[str]:
    """Return the names of the options that the command line has."""
    names = [action.dest for action in parser._actions]
    end = words.index("--") if "--" in words else len(words)
    options, paths = parser.parse_known_args(words[:end], Namespace(**dict.fromkeys(names)))
    given = {name for name in names if getattr(options, name) not in (None, [])}
    return given | {"sources"} if paths or words[end + 1 :] else given


def _has(parser: ArgumentParser, key: str) -> bool:
    return key == "app" or f"--{key}" in parser._option_string_actions


def _dest(parser: ArgumentParser, key: str) -> str:
    return "sources" if key == "app" else str(parser._option_string_actions[f"--{key}"].dest)


def _is_replaced(parser: ArgumentParser, key: str, given: set[str]) -> bool:
    """Return whether the command line has this option, or another environment; variables are joined by name."""
    if key in MADE | EXISTING and given & {"name", "prefix", "from_prefix"}:
        return True
    if key in EXISTING and given & {"file", "package_specs"}:
        return True
    return key != "env" and _dest(parser, key) in given


def _apply(parser: ArgumentParser, config: Config, used: list[str], arguments: Namespace) -> None:
    from ..errors import InputError

    words = [word for key in used if key != "app" for word in config.words(key)]
    places = ["x" for action in parser._actions if not action.option_strings and action.nargs is None]
    try:
        options, _ = parser.parse_known_args([*words, *places])
    except InputError as error:
        raise InputError(error.what, os.fsencode(config.path)) from error
    for key in used:
        name = _dest(parser, key)
        if key == "env":
            arguments.env = [*options.env, *arguments.env]
        else:
            setattr(arguments, name, config.values[key] if key == "app" else getattr(options, name))


def _go_to(directory: str, arguments: Namespace, given: set[str]) -> None:
    """Build in a directory; paths of the command line that do not belong to the app keep their meaning."""
    for name in given & set(PATHS):
        if getattr(arguments, name):
            setattr(arguments, name, os.path.abspath(getattr(arguments, name)))  # noqa: PTH100
    for name in given & set(LISTS_OF_PATHS):
        values = getattr(arguments, name)
        setattr(arguments, name, [os.path.abspath(value) if _is_path(name, value) else value for value in values])  # noqa: PTH100
    if getattr(arguments, "archive", None):
        arguments.archive = os.path.abspath(arguments.archive)  # noqa: PTH100
    os.chdir(directory)


def _is_path(name: str, value: str) -> bool:
    """Return whether a value of an option is a path: channels and Pythons may have names."""
    if name == "bytecode_for":  # as shells decide it for a command
        return "/" in value
    return name == "file" or value.startswith((".", "/"))
