"""The command line of `conda coex create`."""

from __future__ import annotations

import os
import re
import shlex
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from ..errors import AppError, InputError
from . import options

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Collection, Sequence

    from ..verbs.create import CreateRequest
    from ..verbs.outcome import Outcome

# A package as conda reads it: a name, with a channel before it, and a version or conditions after it.
SPEC = re.compile(r"([\w.:/-]+::)?[A-Za-z0-9_][\w.-]*( ?[=<>!~].*|\[.*\])?", re.DOTALL)
ABOUT = """\
The environment is one of these: environment files and packages (-f,
--package), which are solved as for `conda create`; a lock file (-f), whose
packages are taken as they are pinned; an existing environment (-n, -p), whose
exact packages are taken. For an environment as it is now, with the packages
of pip and your changes, see `conda coex pack`.

The application is the files that are named. The first start of the archive
unpacks it, for which the host needs a POSIX shell and any Python from 2.7 on;
later starts need the shell alone.
"""
EXAMPLES = """\
examples:
  conda coex create -f environment.yml --entrypoint python -o python.coex
  conda coex create -f environment.yml --entrypoint ./tool.py data/
  conda coex create -f a.yml -f b.yml --entrypoint tool "src/**/*.csv=tables/"
  conda coex create -f pixi.lock --lock-environment prod --entrypoint ./tool.py
  conda coex create -n myenv --entrypoint ./script --env 'MODE?=fast'
  conda coex create -f e.yml --entrypoint tool --entrypoint "py=python -X dev"
  conda coex create -c conda-forge --package numpy --entrypoint python -o n.coex
"""


def configure_create(parser: ArgumentParser) -> None:
    """Add the options."""
    from conda.cli.helpers import (
        add_parser_channels,
        add_parser_networking,
        add_parser_platform,
        add_parser_solver,
        add_parser_solver_mode,
    )

    options.describe(parser, "create", ABOUT, EXAMPLES, *options.BUILD_MORE)
    options.add_sources(
        parser,
        "Files and directories of the application, which keep the names they are given by, or get the one behind "
        "the =. Also a quoted pattern, in which ** is any directories.",
    )
    options.add_built_archive(parser)
    _add_environment(parser)
    add_parser_platform(add_parser_channels(parser))
    add_parser_solver(add_parser_solver_mode(parser))
    add_parser_networking(parser)
    options.add_output(parser, asks=True)


def _add_environment(parser: ArgumentParser) -> None:
    """Add the options for the parts of an environment. conda's own options choose the channels."""
    inputs = parser.add_argument_group("Environment")
    inputs.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE",
        help="An environment file, which may be repeated and joined with --package; or a lock file, alone: an "
        "@EXPLICIT list, conda-lock.yml, pixi.lock.",
    )  # fmt: skip
    options.add_list(inputs, "--package", "SPEC", "A package, as conda's specs are written.", "package_specs")
    inputs.add_argument(
        "--lock-environment", metavar="NAME",
        help="The environment to take of a pixi.lock. The default is the one called default.",
    )  # fmt: skip
    lock_category = "A category to take of a conda-lock.yml, beside main."
    options.add_list(inputs, "--lock-category", "NAME", lock_category, "lock_categories")
    options.add_existing(inputs, "The exact packages of an existing environment")


def execute_create(arguments: Namespace) -> Outcome:
    """Run the verb; raises AppError with a better command line for packages that are named like files."""
    from ..verbs.create import create

    refuse_packages(arguments)
    return create(create_request(arguments))


def create_request(arguments: Namespace) -> CreateRequest:
    """Return the options of the verb; raises Misuse or InputError for options that exclude each other."""
    from ..conda_api import settings
    from ..verbs.create import CreateRequest

    archive = options.built_archive_options(arguments)
    is_existing = bool(arguments.name or arguments.prefix)
    if is_existing and (arguments.file or arguments.package_specs):
        remedy = "leave out -f and --package, or -n and -p; -o names the archive"
        raise InputError("-n and -p take an environment as it is", remedy=remedy)
    if not (is_existing or arguments.file or arguments.package_specs):
        _refuse_environment_files(arguments.sources)
    return CreateRequest(
        archive=archive,
        platform=settings.target_platform(),
        files=tuple(arguments.file),
        specs=tuple(arguments.package_specs),
        prefix=settings.target_prefix() if is_existing else None,
        lock_environment=arguments.lock_environment,
        lock_categories=tuple(arguments.lock_categories),
    )


def _refuse_environment_files(words: Sequence[str]) -> None:
    """Raise InputError for a file that looks like an environment, and that is named like one of the app."""
    for word in words:
        if word.endswith((".yml", ".yaml", ".lock", ".txt")) and os.path.isfile(word):  # noqa: PTH113
            remedy = f"if {word} is the environment: -f {word}"
            raise InputError("no package is requested", remedy=remedy)


def _paths(word: str) -> tuple[str, str]:
    """Return the paths that a word may be about: itself, or PATH of `PATH=TARGET`."""
    return word, word.rpartition("=")[0]


def refuse_packages(arguments: Namespace) -> None:
    """Raise AppError for words that are not files and look like packages, with the command that was meant."""
    specs = [word for word in arguments.sources if SPEC.fullmatch(word) and not any(map(os.path.lexists, _paths(word)))]
    if not specs:
        return
    values = _values_of_options(arguments.coex_words)
    words: list[str] = []
    for number, word in enumerate(arguments.coex_words):
        words += ["--package", word] if word in specs and number not in values else [word]
    command = shlex.join(["conda", "coex", "create", *words])
    what = "no such file or directory for the app"
    raise AppError(what, os.fsencode(", ".join(specs)), f"if packages were meant: {command}")


def _values_of_options(words: Sequence[str]) -> set[int]:
    """Return the numbers of the words that are values of the options before them."""
    parser = ArgumentParser(add_help=False)
    configure_create(parser)
    known = parser._option_string_actions
    takes_none = {option for option, action in known.items() if action.nargs == 0}
    return {number for number, word in enumerate(words[:-1], start=1) if _wants_value(word, takes_none)}


def _wants_value(word: str, takes_none: Collection[str]) -> bool:
    """Return whether the next word is the value of an option: of the last letter in `-qyo`, but not in `-ofile`."""
    if word.startswith("--"):
        return "=" not in word and word not in takes_none
    letters = [f"-{letter}" for letter in word[1:]] if word.startswith("-") else []
    first = next((number for number, letter in enumerate(letters, start=1) if letter not in takes_none), 0)
    return first > 0 and first == len(letters)
