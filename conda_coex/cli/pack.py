"""The command line of `conda coex pack`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..conda_api import settings
from ..errors import InputError
from . import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..verbs.outcome import Outcome
    from ..verbs.pack import PackRequest

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

    options.describe(parser, "pack", ABOUT, EXAMPLES, *options.BUILD_MORE)
    options.add_sources(parser, "Files and directories of the application, as for create.")
    environment = parser.add_argument_group("Environment")
    environment.add_argument(
        "--from-prefix", nargs="?", const="", metavar="PREFIX",
        help="The environment's path. Without PREFIX it is the active one.",
    )  # fmt: skip
    options.add_existing(environment, "The environment")
    options.add_built_archive(parser)
    parser.add_argument(
        "--missing", choices=("ignore", "restore", "refuse"), default="ignore",
        help="If files of conda's packages are missing: pack without them (the default), take them from conda's "
        "package cache, or end with an error. They are named in any case.",
    )  # fmt: skip
    parser.add_argument(
        "--editable", choices=("refuse", "bring"), default="refuse",
        help="If editable installs, .pth files or links lead Python outside: end with an error (the default), or bring "
        "their sources along, into share/coex/editable.",
    )  # fmt: skip
    options.add_list(
        parser, "--exclude", "GLOB", "Leave out files and directories, by path in the environment or by name."
    )
    options.add_list(parser, "--include", "GLOB", "Keep these, even if --exclude or --small names them.")
    parser.add_argument(
        "--small", action="store_true",
        help="Leave out compiled Python files, static libraries, headers, documentation and tests; a note tells "
        "how much that saved.",
    )  # fmt: skip
    add_parser_networking(parser)
    options.add_output(parser, asks=False)


def execute_pack(arguments: Namespace) -> Outcome:
    """Run the verb."""
    from ..verbs.pack import pack

    return pack(pack_request(arguments))


def pack_request(arguments: Namespace) -> PackRequest:
    """Return the options of the verb; raises Misuse or InputError, also if there is no environment to pack."""
    from ..prefix.filters import Selection
    from ..verbs.pack import PackRequest

    for word in arguments.sources:
        if os.path.isdir(f"{word}/conda-meta"):  # noqa: PTH112
            remedy = f"to pack it, use --from-prefix {word}"
            raise InputError("is a conda environment, and no part of the app", os.fsencode(word), remedy)
    archive = options.built_archive_options(arguments)
    return PackRequest(
        archive=archive,
        prefix=_prefix(arguments),
        selection=Selection(tuple(arguments.exclude), tuple(arguments.include), arguments.small),
        missing=arguments.missing,
        editable=arguments.editable,
    )


def _prefix(arguments: Namespace) -> str:
    """Return the prefix that the options name, or the active one; raises InputError for two or none."""
    is_named = bool(arguments.name or arguments.prefix)
    if arguments.from_prefix and is_named:
        raise InputError("--from-prefix names an environment, and so does -n or -p", remedy="leave out one")
    if arguments.from_prefix:
        return os.path.abspath(str(arguments.from_prefix))  # noqa: PTH100
    if is_named:
        return settings.target_prefix()
    if not os.environ.get("CONDA_PREFIX"):
        raise InputError("no environment is active", remedy="name one with --from-prefix PREFIX, -n or -p")
    return os.environ["CONDA_PREFIX"]
