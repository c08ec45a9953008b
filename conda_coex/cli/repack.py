"""The command line of `conda coex repack`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import BUILD_STATUS, add_config, add_output, add_sources, describe

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..verbs.outcome import Outcome

ABOUT = """\
What is not named stays. Frames of packages are copied as they are, each
compared with its sha256, and nothing is solved or downloaded. The new archive
is read as a host will read it before it takes its place, by one rename. It is
the one that `create` or `pack` would have made, and has a root of its own.
"""
EXAMPLES = """\
examples:
  conda coex repack tool.coex tool.py data/            # the app is these files
  conda coex repack tool.coex --keep-app data/new.csv  # one more, or newer
  conda coex repack tool.coex --entrypoint python --env MODE=test -o test.coex
  conda coex repack tool.coex --unset MODE --dry-run
"""


def configure_repack(parser: ArgumentParser) -> None:
    """Add the options."""
    describe(parser, "repack", ABOUT, EXAMPLES, BUILD_STATUS)
    parser.add_argument("archive", metavar="ARCHIVE", help="The archive to take the packages of.")
    add_sources(parser, "Files and directories, as for create: the whole new app, unless --keep-app is given.")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="The new archive. By default it takes the place of the old one."
    )
    parser.add_argument(
        "--entrypoint", action="append", default=[], metavar="[NAME=]COMMAND",
        help="As for create, in the place of all entry points. May be repeated.",
    )  # fmt: skip
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE",
        help="As for create: one variable more, or another value for it. May be repeated.",
    )  # fmt: skip
    parser.add_argument(
        "--unset", action="append", default=[], metavar="NAME", help="Leave a variable out. May be repeated."
    )
    parser.add_argument("--no-env", action="store_true", help="Leave out all variables that the archive has now.")
    parser.add_argument(
        "--keep-env", action="append", default=[], metavar="NAME",
        help="As for create: one variable more that is not removed. --unset and --no-env count for these, too. May be "
        "repeated.",
    )  # fmt: skip
    app = parser.add_mutually_exclusive_group()
    app.add_argument("--keep-app", action="store_true", help="Add the paths to the app, over files of the same place.")
    app.add_argument("--no-app", action="store_true", help="Leave the app out.")
    parser.add_argument(
        "--compression-level", type=int, metavar="N",
        help="How hard zstd tries at the app, 1 to 19. The default is what the archive was made with.",
    )  # fmt: skip
    add_config(parser)
    add_output(parser, asks=False)


def execute_repack(arguments: Namespace) -> Outcome:
    """Run the verb."""
    from ..verbs.repack import Request as Repack
    from ..verbs.repack import repack

    return repack(
        Repack(
            archive=arguments.archive,
            sources=tuple(arguments.sources),
            entry_points=tuple(arguments.entrypoint),
            variables=tuple(arguments.env),
            kept_variables=tuple(arguments.keep_env),
            unset=tuple(arguments.unset),
            keep_app=arguments.keep_app,
            no_app=arguments.no_app,
            no_env=arguments.no_env,
            output=arguments.output,
            level=arguments.compression_level,
        )
    )
