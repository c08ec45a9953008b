"""Ask something of a built archive: the verbs that it answers itself, run by this conda's Python."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coex_bootstrap.base import compat
from coex_bootstrap.tools import command_line
from coex_bootstrap.tools.clean_conditions import add_conditions

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from coex_bootstrap.tools.output import Outcome


def configure(parser: ArgumentParser) -> None:
    """Give the parser of a verb its options and its help, and those that all commands of conda have."""
    from conda.cli.helpers import add_parser_verbose
    from conda.common.constants import NULL

    verb = command_line.VERBS[parser.prog.split()[-1]]
    parser.add_argument("archive", metavar="ARCHIVE", help="the file")
    command_line.configure(parser, verb, f"conda coex {verb.name} ARCHIVE")
    add_parser_verbose(parser)
    parser.add_argument("-q", "--quiet", action="store_true", default=NULL, help="do not show progress")


def configure_cache(parser: ArgumentParser) -> None:
    """Add the conditions that choose roots."""
    add_conditions(parser)


def ask(arguments: Namespace) -> Outcome:
    """Return the outcome of the archive's own verb; raises CoexError."""
    from conda.base.context import context

    environ = compat.environ_bytes()
    if context.quiet:
        environ[b"COEX_QUIET"] = b"1"
    verb = command_line.VERBS[arguments.coex_verb]
    outcome = verb.execute(os.fsencode(arguments.archive), arguments, environ)
    if arguments.coex_verb == "unpack" and arguments.prefix:
        from conda.core.envs_manager import register_env

        register_env(outcome.fields["prefix"])  # as conda does with every environment that it makes
    return outcome
