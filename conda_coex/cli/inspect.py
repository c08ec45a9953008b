"""The command line of `conda coex inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import describe

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..verbs.outcome import Outcome

ABOUT = """\
One archive: its platform, entry points, variables, size, needs of the host,
digest, every package with its sizes, and the files of the application. Two
archives: additions, removals and changes of all these. Files that differ are
listed for packages of the same version and build, for the application, and for
files that do not belong to a package. The path of a packed environment and the
compression level make no difference.
"""
MORE = """\
examples:
  conda coex inspect tool.coex
  conda coex inspect tool.coex --json
  conda coex inspect tool.coex --sizes --html sizes.html
  conda coex inspect old.coex new.coex

exit status:
  0 it was shown, whether two archives differ or not; 1 something failed, as
  for a damaged archive; 2 the command line was wrong
"""


def configure_inspect(parser: ArgumentParser) -> None:
    """Add the options."""
    from conda.cli.helpers import add_parser_json

    describe(parser, "inspect", ABOUT, MORE)
    parser.add_argument("archive", metavar="ARCHIVE", help="The archive.")
    parser.add_argument("other", nargs="?", metavar="OTHER", help="A second one, to compare it with.")
    parser.add_argument("--sizes", action="store_true", help="Show sizes by package and file.")
    parser.add_argument(
        "--html", metavar="FILE",
        help="Write that as a page with a treemap, which loads nothing from elsewhere. An earlier page is replaced.",
    )  # fmt: skip
    add_parser_json(parser)


def execute_inspect(arguments: Namespace) -> Outcome:
    """Run the verb."""
    from ..verbs.inspect import inspect

    return inspect(arguments.archive, arguments.other, bars=arguments.sizes, page=arguments.html)
