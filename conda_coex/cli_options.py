"""Options and help that several verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

DEFAULT_LEVEL = 9
FAST_LEVEL = 3
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
  CONDA_PREFIX       the active environment, which `pack` takes where none is
                     named
  PIP_*, CFLAGS      settings of pip and of a compiler, where a pip section is
                     installed
"""
BUILD_MORE = (BUILD_STATUS, BUILD_VARIABLES)


def add_verb(
    verbs: _SubParsersAction[ArgumentParser], name: str, summary: str, about: str, *more: str
) -> ArgumentParser:
    """Add a verb whose help begins with its summary and what it does, and ends with `more`."""
    from argparse import RawDescriptionHelpFormatter
    from textwrap import fill

    return verbs.add_parser(
        name, help=summary, description=f"{fill(summary, 79)}\n\n{about}", epilog="\n".join(more),
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip


def add_sources(parser: ArgumentParser, text: str) -> None:
    """Add the files of the app, which may stand anywhere among the options."""
    parser.add_argument("sources", nargs="*", metavar="PATH[=TARGET]", help=text)


def add_archive(parser: ArgumentParser) -> None:
    """Add what a new archive is to be: entry points, variables, where it goes, how hard zstd tries."""
    parser.add_argument(
        "--entrypoint", required=True, action="append", metavar="[NAME=]COMMAND",
        help="What to run, with arguments: a command of the environment, a file of the application, or "
        "package.module:function. May be repeated: the first is the default, a link to the archive that is "
        "called NAME runs the one of that name.",
    )  # fmt: skip
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE",
        help="A variable to set for the entry points, over the packages' and the caller's; NAME?=VALUE sets it where"
        " they have none. ${COEX_APP} and ${COEX_PREFIX} in VALUE stand for the unpacked places. May be "
        "repeated.",
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


def take_paths_anywhere(parser: ArgumentParser) -> None:
    """Have `sources` also after an option that follows others: argparse takes a list of arguments in one piece."""
    parse = parser.parse_known_args

    def gather(args: Any = None, namespace: Any = None) -> Any:
        found, left = parse(args, namespace)
        found.sources += [word for word in left if not word.startswith("-")]
        return found, [word for word in left if word.startswith("-")]

    parser.parse_known_args = gather  # type: ignore[method-assign]
