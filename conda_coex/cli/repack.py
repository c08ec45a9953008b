"""The command line of `conda coex repack`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import BUILD_STATUS, add_archive, add_list, add_output, add_sources, archive_options, describe

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..verbs.outcome import Outcome
    from ..verbs.repack import RepackRequest

ABOUT = """\
Everything that you do not name stays. Frames of packages are copied as they
are, each compared with its sha256, and nothing is solved or downloaded, except
for --carry-python. The new archive is read as a host will read it before it
takes its place, by one rename. It is the one that `create` or `pack` would
have made, and has a root of its own.
"""
EXAMPLES = """\
examples:
  conda coex repack tool.coex tool.py data/            # the app is these files
  conda coex repack tool.coex --keep-app data/new.csv  # one more, or newer
  conda coex repack tool.coex --entrypoint python --env MODE=test -o test.coex
  conda coex repack tool.coex --unset MODE --dry-run
  conda coex repack tool.coex --carry-python           # for hosts without one
"""


HELP = {
    "entrypoint": "As for create, in the place of all entry points.",
    "env": "As for create: one variable more, or another value for it.",
    "keep-env": "As for create: one variable more that is not removed. --unset and --no-env count for these, too.",
    "carry-python": "Put a small Python of the packages' channels into the archive, as for create, or leave out the "
    "one that it carries. By default that stays.",
    "bytecode-for": "As for create, for one Python more. The archive keeps the bytecode that it has, unless another "
    "version of conda-coex made it.",
    "output": "The new archive. By default it takes the place of the old one.",
    "compression-level": "How hard zstd tries at the app, 1 to 19. The default is the archive's own level.",
}


def configure_repack(parser: ArgumentParser) -> None:
    """Add the options."""
    from conda.cli.helpers import add_parser_channels, add_parser_networking

    describe(parser, "repack", ABOUT, EXAMPLES, BUILD_STATUS)
    parser.add_argument("archive", metavar="ARCHIVE", help="The archive to take the packages of.")
    add_sources(parser, "Files and directories, as for create: the whole new app, unless --keep-app is given.")
    add_archive(parser, HELP)
    add_list(parser, "--unset", "NAME", "Leave out a variable of --env or --keep-env.")
    parser.add_argument("--no-env", action="store_true", help="Leave out all of those that the archive has.")
    app = parser.add_mutually_exclusive_group()
    app.add_argument("--keep-app", action="store_true", help="Add the paths to the app, over files of the same place.")
    app.add_argument("--no-app", action="store_true", help="Leave the app out.")
    add_parser_channels(parser)
    add_parser_networking(parser)
    add_output(parser, asks=False)


def execute_repack(arguments: Namespace) -> Outcome:
    """Run the verb."""
    from ..verbs.repack import repack

    return repack(repack_request(arguments))


def repack_request(arguments: Namespace) -> RepackRequest:
    """Return the options of the verb."""
    from ..verbs.repack import RepackRequest

    return RepackRequest(
        path=arguments.archive,
        archive=archive_options(arguments, default_output=arguments.archive),
        unset=tuple(arguments.unset),
        keep_app=arguments.keep_app,
        no_app=arguments.no_app,
        no_env=arguments.no_env,
    )
