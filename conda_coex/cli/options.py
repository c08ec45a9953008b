"""Options and help that several verbs share."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from typing import TYPE_CHECKING

from ..archive.compression_level import DEFAULT_LEVEL, FAST_LEVEL
from ..errors import Misuse
from .verb_parser import VERBS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ArgumentGroup, _MutuallyExclusiveGroup

    from ..verbs.archive_options import ArchiveOptions

QUIET = "Print the result alone, without progress."
PLAN = " conda still shows its plan when it asks: add --yes."
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
  PIP_*, CFLAGS,     settings of pip and of a compiler, if a pip section is
  LDFLAGS            installed
"""
BUILD_MORE = (BUILD_STATUS, BUILD_VARIABLES)
HELP_OF_BUILDS = {
    "entrypoint": "The command to run, with arguments: a command of the environment, a file of the application, or "
    "package.module:function. Words that name files of the application become their paths on the host, and "
    "${COEX_APP} and ${COEX_PREFIX} are expanded. The first is the default; a link to the archive that is called NAME "
    "runs the one of that name.",
    "env": "A variable to set for the entry points, over the packages' and the caller's; NAME?=VALUE sets it if they "
    "have none. ${COEX_APP} and ${COEX_PREFIX} in VALUE stand for the unpacked places.",
    "keep-env": "A variable of the caller's, such as PYTHONPATH or R_LIBS, that the archive's start is not to remove.",
    "carry-python": "Put a small Python into the archive, about 3 MB, for Linux hosts that have none.",
    "bytecode-for": "A Python of this machine, such as python3.12: first starts on hosts with a Python of that version "
    "are faster, for 0.1 MB. The versions of the environment's own and of --carry-python are there anyway.",
    "output": "The archive to write. The default is the entry point's name and .coex.",
    "compression-level": "How hard zstd tries, 1 to 19: smaller archives take longer to build, not to start. The "
    f"default is {DEFAULT_LEVEL}.",
}


def describe(parser: ArgumentParser, verb: str, about: str, *more: str) -> None:
    """Begin the help of a verb with its summary and description, and end it with `more`."""
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


def add_list(
    parser: ArgumentParser | _ArgumentGroup, option: str, metavar: str, text: str, dest: str | None = None
) -> None:
    """Add an option that may be repeated."""
    name = dest or option.lstrip("-").replace("-", "_")
    parser.add_argument(
        option, action="append", default=[], dest=name, metavar=metavar, help=f"{text} May be repeated."
    )


def add_archive(parser: ArgumentParser, help_texts: dict[str, str]) -> _MutuallyExclusiveGroup:
    """Add the options of every new archive; return the group of the compression level.

    `archive_options` reads these options. The help of `repack` differs: there they change an archive.
    """
    add_config(parser)
    add_list(parser, "--entrypoint", "[NAME=]COMMAND", help_texts["entrypoint"])
    add_list(parser, "--env", "NAME=VALUE", help_texts["env"])
    add_list(parser, "--keep-env", "NAME", help_texts["keep-env"])
    parser.add_argument("--carry-python", action=BooleanOptionalAction, help=help_texts["carry-python"])
    add_list(parser, "--bytecode-for", "PYTHON", help_texts["bytecode-for"])
    parser.add_argument("-o", "--output", metavar="FILE", help=help_texts["output"])
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--compression-level", type=int, metavar="N", help=help_texts["compression-level"])
    return level


def add_built_archive(parser: ArgumentParser) -> None:
    """Add the options of an archive that is built from an environment."""
    add_archive(parser, HELP_OF_BUILDS).add_argument(
        "--fast", action="store_const", const=FAST_LEVEL, dest="compression_level",
        help=f"Build quickly, while developing: --compression-level {FAST_LEVEL}.",
    )  # fmt: skip


def archive_options(arguments: Namespace, default_output: str | None = None) -> ArchiveOptions:
    """Return the options that `add_sources` and `add_archive` declare; raises a CoexError for values that are wrong."""
    from ..verbs.archive_options import parse_options

    return parse_options(
        sources=arguments.sources,
        entry_points=arguments.entrypoint,
        variables=arguments.env,
        kept_variables=arguments.keep_env,
        output=arguments.output or default_output,
        carry_python=arguments.carry_python,
        bytecode_for=arguments.bytecode_for,
        level=arguments.compression_level,
    )


def built_archive_options(arguments: Namespace) -> ArchiveOptions:
    """Return the same for an archive that is built from an environment; raises Misuse without an entry point."""
    if not arguments.entrypoint:
        raise Misuse("no entry point", remedy="name the command to run, such as --entrypoint python, or in coex.toml")
    return archive_options(arguments)


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
            action.help = QUIET + (PLAN if asks else "")
