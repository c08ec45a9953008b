"""The command line of `conda coex create`."""

from __future__ import annotations

import os
import re
import shlex
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from ..errors import AppError
from .options import BUILD_MORE, add_archive, add_existing, add_output, add_sources, describe, entry_points

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from ..verbs.outcome import Outcome

# What conda takes for a package: a name, with a channel before it, and a version or conditions behind it.
SPEC = re.compile(r"([\w.:/-]+::)?[A-Za-z0-9_][\w.-]*( ?[=<>!~].*|\[.*\])?", re.DOTALL)
ABOUT = """\
The environment is one of these: environment files and packages (-f,
--package), which are solved as for `conda create`; a lock file (-f), whose
packages are taken as they are pinned; an existing environment (-n, -p), whose
exact packages are taken. For an environment as it is now, with what pip
installed and what was changed in it, see `conda coex pack`.

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

    describe(parser, "create", ABOUT, EXAMPLES, *BUILD_MORE)
    add_sources(
        parser,
        "Files and directories of the application, which keep the names they are given by, or get the one behind "
        "the =. Also a quoted pattern, in which ** is any directories.",
    )
    add_archive(parser)
    _add_environment(parser)
    add_parser_platform(add_parser_channels(parser))
    add_parser_solver(add_parser_solver_mode(parser))
    add_parser_networking(parser)
    add_output(parser, asks=True)


def _add_environment(parser: ArgumentParser) -> None:
    """Add what an environment is made of; conda's own options say where conda looks for packages."""
    inputs = parser.add_argument_group("Environment")
    inputs.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE",
        help="An environment file, which may be repeated and joined with --package; or a lock file, alone: an "
        "@EXPLICIT list, conda-lock.yml, pixi.lock.",
    )  # fmt: skip
    inputs.add_argument(
        "--package", action="append", default=[], dest="package_specs", metavar="SPEC",
        help="A package, as conda's specs are written. May be repeated.",
    )  # fmt: skip
    inputs.add_argument(
        "--lock-environment", metavar="NAME",
        help="The environment to take of a pixi.lock. The default is the one called default.",
    )  # fmt: skip
    inputs.add_argument(
        "--lock-category", action="append", default=[], dest="lock_categories", metavar="NAME",
        help="A category to take of a conda-lock.yml, beside main. May be repeated.",
    )  # fmt: skip
    add_existing(inputs, "The exact packages of an existing environment")


def execute_create(arguments: Namespace) -> Outcome:
    """Run the verb; raises AppError with a better command line for packages that are named like files."""
    from ..verbs.create import Request, create

    refuse_packages(arguments)
    return create(
        Request(
            files=tuple(arguments.file),
            specs=tuple(arguments.package_specs),
            existing=bool(arguments.name or arguments.prefix),
            entry_points=entry_points(arguments),
            variables=tuple(arguments.env),
            kept_variables=tuple(arguments.keep_env),
            sources=tuple(arguments.sources),
            output=arguments.output,
            level=arguments.compression_level,
            lock_environment=arguments.lock_environment,
            lock_categories=tuple(arguments.lock_categories),
        )
    )


def _paths(word: str) -> tuple[str, str]:
    """Return the paths that a word may be about: itself, or PATH of `PATH=TARGET`."""
    return word, word.rpartition("=")[0]


def refuse_packages(arguments: Namespace) -> None:
    """Raise AppError for words that are not files and look like packages, with the command that was meant."""
    found = [word for word in arguments.sources if SPEC.fullmatch(word) and not any(map(os.path.lexists, _paths(word)))]
    if not found:
        return
    values = _values_of_options(arguments.coex_words)
    words: list[str] = []
    for number, word in enumerate(arguments.coex_words):
        words += ["--package", word] if word in found and number not in values else [word]
    command = shlex.join(["conda", "coex", "create", *words])
    what = "no such file or directory for the app"
    raise AppError(what, os.fsencode(", ".join(found)), f"if packages were meant: {command}")


def _values_of_options(words: Sequence[str]) -> set[int]:
    """Return the numbers of the words that are values of the options before them."""
    parser = ArgumentParser(add_help=False)
    configure_create(parser)
    options = parser._option_string_actions
    return {
        number
        for number, word in enumerate(words[:-1], start=1)
        if word.startswith("-") and "=" not in word and not (word in options and options[word].nargs == 0)
    }
