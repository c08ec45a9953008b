"""The command line of `conda coex repack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

REPACK = "Replace the app, the entry points or the variables of an archive; its packages stay, byte for byte."
REPACK_MORE = """\
What is not named stays. The new archive is read and checked before it takes its place.

Examples:
  conda coex repack tool.coex tool.py data/             the app is these files now
  conda coex repack tool.coex --keep-app data/new.csv   one file more, or a newer one
  conda coex repack tool.coex --entrypoint python --env MODE=test -o test.coex
  conda coex repack tool.coex --unset MODE --dry-run
"""


def take_paths_anywhere(parser: ArgumentParser) -> None:
    """Have `sources` also after an option that follows others: argparse takes a list of arguments in one piece."""
    parse = parser.parse_known_args

    def gather(args: Any = None, namespace: Any = None) -> Any:
        found, left = parse(args, namespace)
        found.sources += [word for word in left if not word.startswith("-")]
        return found, [word for word in left if word.startswith("-")]

    parser.parse_known_args = gather  # type: ignore[method-assign]


def configure_repack(verbs: _SubParsersAction[ArgumentParser]) -> None:
    from argparse import RawDescriptionHelpFormatter

    from conda.cli.helpers import add_output_and_prompt_options

    parser = verbs.add_parser(
        "repack", help=REPACK, description=REPACK, epilog=REPACK_MORE, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", metavar="ARCHIVE", help="the file")
    parser.add_argument(
        "sources", nargs="*", metavar="PATH[=TARGET]", help="files and directories, as for create: the whole new app"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="the new archive; default: in the place of the old one")
    parser.add_argument(
        "--entrypoint", action="append", default=[], metavar="[NAME=]COMMAND",
        help="as for create: in the place of all entry points",
    )  # fmt: skip
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE",
        help="as for create: one variable more, or another value for it; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--unset", action="append", default=[], metavar="NAME", help="leave a variable out; may be repeated"
    )
    parser.add_argument("--no-env", action="store_true", help="leave all variables out that the archive has now")
    app = parser.add_mutually_exclusive_group()
    app.add_argument("--keep-app", action="store_true", help="add the paths to the app, over files of the same place")
    app.add_argument("--no-app", action="store_true", help="leave the app out")
    parser.add_argument(
        "--compression-level", type=int, metavar="N", help="of the app; default: the one that the archive was made with"
    )
    add_output_and_prompt_options(parser)
    take_paths_anywhere(parser)


def execute_repack(arguments: Namespace) -> int:
    """Run the verb."""
    from .repack import Request as Repack
    from .repack import repack

    return repack(
        Repack(
            archive=arguments.archive,
            sources=tuple(arguments.sources),
            entry_points=tuple(arguments.entrypoint),
            variables=tuple(arguments.env),
            unset=tuple(arguments.unset),
            keep_app=arguments.keep_app,
            no_app=arguments.no_app,
            no_env=arguments.no_env,
            output=arguments.output,
            level=arguments.compression_level,
        )
    )
