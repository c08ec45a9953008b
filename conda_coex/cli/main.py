"""The command line of `conda coex`: options are conda's own, by conda's own helpers."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import without_credentials
from coex_bootstrap.tools.output import write_text

from .create import configure_create, execute_create
from .image import configure_image, execute_image
from .inspect import configure_inspect, execute_inspect
from .libraries import check_libraries
from .options import add_output, describe
from .pack import configure_pack, execute_pack
from .repack import configure_repack, execute_repack

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..errors import CoexError
    from ..verbs.outcome import Outcome

SWITCH = 0.0005  # seconds after which a thread of Python lets others run
OBJECTS = 2_000_000  # new ones, after which Python looks for some that it can free: more than most builds make
# The verbs that every archive answers (`coex_bootstrap.tools`), listed here so that conda need not load that.
TOOLS = ("info", "files", "verify", "repair", "unpack", "env", "lock", "sbom", "dockerfile", "kernelspec")
BUILDERS = {"create": configure_create, "pack": configure_pack, "repack": configure_repack}
CACHE_ABOUT = """\
Builds keep the frames of compressed packages under conda's package cache,
until none has used them for 60 days. Archives unpack to roots below COEX_ROOT
or the user's caches. `list` shows both. `path` and `clean` mean the frames, or
with --roots or a condition the roots. `clean` removes the roots that fit all
conditions and that nobody uses; without a condition it removes leftovers
alone. With --frames, --older-than means frames that no build used for so long.
"""
CACHE_MORE = """\
examples:
  conda coex cache list
  conda coex cache clean                   # all frames
  conda coex cache clean --older-than 30d  # roots not started for a month
  conda coex cache clean --frames --older-than 30d
  conda coex cache clean --roots --all

exit status:
  0 all is well; 1 something failed; 2 the command line was wrong

environment variables:
  COEX_ROOT                     the store of unpacked archives, in the place of
                                the user's caches
  XDG_CACHE_HOME, HOME, TMPDIR  other places of stores
  CONDA_PKGS_DIRS               conda's package caches, which hold the frames
"""


def configure(parser: ArgumentParser, verb: str) -> None:
    """Give the parser of a verb its options and its help."""
    from conda.cli.helpers import add_parser_help

    add_parser_help(parser)
    if verb in BUILDERS:
        BUILDERS[verb](parser)
    elif verb == "inspect":
        configure_inspect(parser)
    elif verb == "image":
        configure_image(parser)
    elif verb == "cache":
        _configure_cache(parser)
    else:
        from .archive_verbs import configure as configure_tool

        configure_tool(parser)


def _configure_cache(parser: ArgumentParser) -> None:
    from coex_bootstrap.tools.cache import ACTIONS

    from .archive_verbs import configure_cache

    describe(parser, "cache", CACHE_ABOUT, CACHE_MORE)
    about = "Show it, remove it, or print its directory."
    parser.add_argument("action", choices=ACTIONS, metavar=f"{{{','.join(ACTIONS)}}}", help=about)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--frames", action="store_true", help="Only the frames of packages, which builds keep.")
    which.add_argument("--roots", action="store_true", help="Only the roots of archives.")
    configure_cache(parser)
    add_output(parser, asks=True)


def execute(arguments: Namespace) -> int:
    """Run the verb, and turn every error of ours, and of the system, into one that conda prints."""
    from coex_bootstrap.base.errors import unforeseen
    from conda import CondaError

    from ..errors import CoexError
    from .signals import interruptible, let_conda_say, open_closed_streams

    if arguments.coex_verb is None:
        return _show_help()
    open_closed_streams()
    try:
        with interruptible():
            return _execute_and_flush(arguments)
    except CondaError as error:
        let_conda_say(error)
        raise  # before OSError, which some of them are too
    except CoexError as error:
        let_conda_say(error)
        raise _for_conda(error, str(_advised(error))) from error
    except OSError as error:
        let_conda_say(error)
        raise _for_conda(error, f"{error.filename or 'the system'}: {error.strerror or error}") from error
    except Exception as error:
        archive = _read_archive(arguments)
        if archive is None:
            raise  # conda says how to report a fault of ours
        let_conda_say(error)
        coex_error = unforeseen(error, archive)
        raise _for_conda(coex_error, str(coex_error)) from error


def _read_archive(arguments: Namespace) -> bytes | None:
    """Return the archive that a verb reads and that anyone may have made, None if there is none, or with -v.

    An unexpected error is more likely a fault of such a file than one of ours.
    """
    from conda.base.context import context

    archive = getattr(arguments, "archive", None)
    return None if archive is None or context.verbosity else os.fsencode(archive)


def _execute_and_flush(arguments: Namespace) -> int:
    """Run the verb; raises also if the output of conda cannot be written."""
    from conda.exceptions import CondaExitZero

    try:
        status = _execute(arguments)
    except CondaExitZero:
        write_text("")
        raise
    write_text("")
    return status


def _show_help() -> int:
    """Print the help, as conda does if only its first word is given."""
    from conda.cli.conda_argparse import generate_parser

    generate_parser().parse_args(["coex", "--help"])
    return 0


def _advised(error: CoexError) -> CoexError:
    """Return the error with advice that depends on conda's package caches."""
    from conda.base.context import context

    from ..errors import PackageDamaged
    from .damage import with_advice

    return with_advice(error, context.pkgs_dirs) if isinstance(error, PackageDamaged) else error


def _for_conda(error: Exception, text: str) -> Exception:
    """Return an error that conda prints, under the name of `error`, without a report."""
    from conda import CondaError

    from ..errors import Misuse

    if isinstance(error, Misuse):
        name, status = "ArgumentError", 2
    else:
        name, status = type(error).__name__, getattr(error, "status", 1)
    kind = type(name, (CondaError,), {"return_code": status})
    shown: Exception = kind("%(text)s", text=without_credentials(text))  # conda applies % to the text of its errors
    return shown


def _execute(arguments: Namespace) -> int:
    """Run the verb, and print its outcome."""
    from conda.base.context import context

    from .print_outcome import show

    outcome = _run(arguments)
    return show(outcome, as_json=bool(arguments.json) if arguments.coex_verb in TOOLS else context.json)


def _run(arguments: Namespace) -> Outcome:
    atexit.register(gc.freeze)  # Python would look through all objects again as it ends, for a tenth of a second
    if arguments.coex_verb in TOOLS:
        from .archive_verbs import ask

        return ask(arguments)
    if arguments.coex_verb == "cache":
        from ..verbs.cache import cache

        return cache(arguments)
    check_libraries()
    # A build keeps some objects for each file, until its end: Python would look through all of them again and again.
    gc.set_threshold(OBJECTS)
    # Threads that copy and hash frames need Python for a moment in between, and would wait for ten times as long.
    sys.setswitchinterval(SWITCH)
    if arguments.coex_verb in BUILDERS:
        from .config import fill

        arguments = fill(arguments, BUILDERS[arguments.coex_verb])
    verbs = {
        "create": execute_create, "image": execute_image, "inspect": execute_inspect, "pack": execute_pack,
        "repack": execute_repack,
    }  # fmt: skip
    return verbs[arguments.coex_verb](arguments)
