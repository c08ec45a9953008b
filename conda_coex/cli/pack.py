"""The command line of `conda coex pack`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .options import BUILD_MORE, add_archive, add_existing, add_output, add_sources, describe, entry_points

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..verbs.outcome import Outcome

ABOUT = """\
Without --from-prefix PREFIX, -n or -p it is the active environment. Paths of
the environment in its files become the host's, and a note names each file that
cannot come along as it is. Post-link scripts do not run again: their results
are in the environment. The application is the files that are named, as for
`conda coex create`, which takes the exact packages of an environment.
"""
EXAMPLES = """\
examples:
  conda coex pack --from-prefix --entrypoint python -o env.coex
  conda coex pack --from-prefix /path/to/env --entrypoint ./tool.py
  conda coex pack -n myenv --entrypoint jupyter --small --exclude '*.ipynb'
  conda coex pack --entrypoint my-tool --editable bring --missing restore
"""


def configure_pack(parser: ArgumentParser) -> None:
    """Add the options."""
    from conda.cli.helpers import add_parser_networking

    describe(parser, "pack", ABOUT, EXAMPLES, *BUILD_MORE)
    add_sources(parser, "Files and directories of the application, as for create.")
    environment = parser.add_argument_group("Environment")
    environment.add_argument(
        "--from-prefix", nargs="?", const="", metavar="PREFIX",
        help="The environment's path. Without PREFIX it is the active one.",
    )  # fmt: skip
    add_existing(environment, "The environment")
    add_archive(parser)
    parser.add_argument(
        "--missing", choices=("ignore", "restore", "refuse"), default="ignore",
        help="What to do when files of conda's packages are missing, which are named in any case: pack without them "
        "(the default), take them from conda's package cache, or end there.",
    )  # fmt: skip
    parser.add_argument(
        "--editable", choices=("refuse", "bring"), default="refuse",
        help="What to do with editable installs, and with .pth files and links that lead Python outside: end there "
        "(the default), or bring the sources they lead to along, into share/coex/editable.",
    )  # fmt: skip
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB",
        help="Leave out files and directories, by path in the environment or by name. May be repeated.",
    )  # fmt: skip
    parser.add_argument(
        "--include", action="append", default=[], metavar="GLOB",
        help="Keep these, whatever --exclude and --small say. May be repeated.",
    )  # fmt: skip
    parser.add_argument(
        "--small", action="store_true",
        help="Leave out compiled Python files, static libraries, headers, documentation and tests; say what that "
        "saved.",
    )  # fmt: skip
    add_parser_networking(parser)
    add_output(parser, asks=False)


def execute_pack(arguments: Namespace) -> Outcome:
    """Run the verb; raises InputError where no environment is named and none is active."""
    from ..errors import InputError
    from ..prefix.filters import Selection
    from ..verbs.create import Request
    from ..verbs.pack import Choices, pack

    named = bool(arguments.name or arguments.prefix)
    for word in arguments.sources:
        if os.path.isdir(f"{word}/conda-meta"):  # noqa: PTH112
            remedy = f"to pack it, use --from-prefix {word}"
            raise InputError("is a conda environment, and no part of the app", os.fsencode(word), remedy)
    if arguments.from_prefix and named:
        raise InputError("--from-prefix names an environment, and so does -n or -p", remedy="leave out one")
    request = Request(
        files=(),
        specs=(),
        existing=True,
        entry_points=entry_points(arguments),
        variables=tuple(arguments.env),
        kept_variables=tuple(arguments.keep_env),
        sources=tuple(arguments.sources),
        output=arguments.output,
        level=arguments.compression_level,
        prefix=os.path.abspath(arguments.from_prefix) if arguments.from_prefix else _prefix(named=named),  # noqa: PTH100
    )
    selection = Selection(tuple(arguments.exclude), tuple(arguments.include), arguments.small)
    return pack(request, selection, Choices(arguments.missing, arguments.editable))


def _prefix(*, named: bool) -> str:
    from conda.base.context import context

    from ..errors import InputError

    if named:
        return str(context.target_prefix)
    if not os.environ.get("CONDA_PREFIX"):
        raise InputError("no environment is active", remedy="name one with --from-prefix PREFIX, -n or -p")
    return os.environ["CONDA_PREFIX"]
