"""Options and help that several verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Misuse
from .verb_parser import VERBS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ArgumentGroup

DEFAULT_LEVEL = 9
FAST_LEVEL = 3
QUIET = "Print the result alone, without progress and without the plan."
BUILD_STATUS = """\
exit status:
  0 the archive was written, or a dry run ended well; 1 something failed, and
  nothing was written; 2 the command line was wrong; 128 + N: signal N ended it
"""
BUILD_VARIABLES = """\
environment variables:
  SOURCE_DATE_EPOCH  the date of everything that has none, in seconds; default:
                     that of the newest package
  CONDA_*            conda's settings, as for its other commands, such as
                     CONDA_PKGS_DIRS, CONDA_CHANNELS, CONDA_OVERRIDE_GLIBC
  CONDA_PREFIX       the active environment, which `pack` takes if none is
                     named
  PIP_*, CFLAGS      settings of pip and of a compiler, if a pip section is
                     installed
"""
BUILD_MORE = (BUILD_STATUS, BUILD_VARIABLES)


def describe(parser: ArgumentParser, verb: str, about: str, *more: str) -> None:
    """Have the help of a verb begin with its summary and what it does, and end with `more`."""
    from textwrap import fill

    parser.description = f"{fill(VERBS[verb], 79)}\n\n{about}"
    parser.epilog = "\n".join(more)


def add_sources(parser: ArgumentParser, text: str) -> None:
    """Add the files of the app, which may stand anywhere among the options."""
    parser.add_argument("sources", nargs="*", metavar="PATH[=TARGET]", help=text)


def add_config(parser: ArgumentParser) -> None:
    """Add the option that names a file of options."""
    parser.add_argument(
        "--config", metavar="FILE", dest="coex_config",
        help="Read options from FILE: coex.toml, or [tool.coex] of pyproject.toml. The default is the one in this "
        "directory. Options of the command line win.",
    )  # fmt: skip


def add_archive(parser: ArgumentParser) -> None:
    """Add what a new archive is to be: entry points, variables, where it goes, how hard zstd tries."""
    add_config(parser)
    parser.add_argument(
        "--entrypoint", action="append", default=[], metavar="[NAME=]COMMAND",
        help="What to run, with arguments: a command of the environment, a file of the application, or "
        "package.module:function. Words that name files of the application become their paths on the host, and "
        "${COEX_APP} and ${COEX_PREFIX} are expanded. May be repeated: the first is the default, a link to the archive "
        "that is called NAME runs the one of that name.",
    )  # fmt: skip
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE",
        help="A variable to set for the entry points, over the packages' and the caller's; NAME?=VALUE sets it if"
        " they have none. ${COEX_APP} and ${COEX_PREFIX} in VALUE stand for the unpacked places. May be "
        "repeated.",
    )  # fmt: skip
    parser.add_argument(
        "--keep-env", action="append", default=[], metavar="NAME",
        help="A variable of the caller's, such as PYTHONPATH or R_LIBS, that the archive's start is not to remove. May "
        "be repeated.",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="The archive to write. The default is the entry point's name and .coex."
    )
    level = parser.add_mutually_exclusive_group()
    level.add_argument(
        "--compression-level", type=int, default=DEFAULT_LEVEL, metavar="N",
        help="How hard zstd tries, 1 to 19: smaller archives take longer to build, not to start. The default is "
        f"{DEFAULT_LEVEL}.",
    )  # fmt: skip
    level.add_argument(
        "--fast", action="store_const", const=FAST_LEVEL, dest="compression_level",
        help=f"Build quickly, while developing: --compression-level {FAST_LEVEL}.",
    )  # fmt: skip


def add_existing(group: _ArgumentGroup, text: str) -> None:
    """Add -n and -p, which conda offers under a heading that is for the environment to be made."""
    which = group.add_mutually_exclusive_group()
    which.add_argument("-n", "--name", metavar="ENVIRONMENT", help=f"{text}, by its name.")
    which.add_argument("-p", "--prefix", metavar="PATH", help=f"{text}, by its path.")


def add_output(parser: ArgumentParser, *, asks: bool) -> None:
    """Add conda's options for output and prompts; a verb that never asks takes `--yes`, and does not offer it."""
    from argparse import SUPPRESS

    from conda.cli.helpers import add_output_and_prompt_options

    add_output_and_prompt_options(parser)
    for action in parser._actions:
        if "--yes" in action.option_strings and not asks:
            action.help = SUPPRESS
        if "--quiet" in action.option_strings:
            action.help = QUIET


def entry_points(arguments: Namespace) -> tuple[str, ...]:
    """Return the entry points of a new archive; raises Misuse if there is none."""
    if not arguments.entrypoint:
        raise Misuse("no entry point", remedy="name the command to run, such as --entrypoint python, or in coex.toml")
    return tuple(arguments.entrypoint)
