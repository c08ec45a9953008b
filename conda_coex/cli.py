"""The command line of `conda coex`: options are conda's own, by conda's own helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cli_create import configure_create, execute_create
from .cli_inspect import configure_inspect, execute_inspect
from .cli_options import add_verb
from .cli_pack import configure_pack, execute_pack
from .cli_repack import configure_repack, execute_repack

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Callable
    from typing import Any

# What every archive answers itself, see coex_bootstrap.tools: listed here, so that conda need not load that.
TOOLS = {
    "info": "Show what an archive holds, and what it asks of a host.",
    "files": "List the files of an archive.",
    "verify": "Verify every byte of an archive, and of what it was unpacked to.",
    "repair": "Repair what an archive was unpacked to.",
    "unpack": "Unpack to stay: an ordinary environment, or a root in a shared store.",
    "env": "Print what activating the environment changes, for a shell to evaluate.",
    "lock": "Print the explicit list of the packages, from which conda makes them again.",
    "sbom": "Print the software bill of materials, in CycloneDX.",
    "dockerfile": "Print the recipe of a container image that has the archive unpacked in it.",
}
CACHE = "See or clear what builds keep (frames of packages) and what archives were unpacked to (roots)."
CACHE_ABOUT = """\
Builds keep the frames of compressed packages under conda's package cache.
Archives unpack to roots below COEX_ROOT or the user's caches. `list` shows
both; `path` and `clean` mean the frames, with --roots or a condition the
roots. Of roots, `clean` removes those that all conditions fit and that nobody
uses, without a condition only leftovers.
"""
CACHE_MORE = """\
examples:
  conda coex cache list
  conda coex cache clean                   # all frames
  conda coex cache clean --older-than 30d  # roots not started for a month
  conda coex cache clean --roots --all

exit status:
  0 all is well; 1 something failed; 2 the command line was wrong

environment variables:
  COEX_ROOT                     the store of unpacked archives, in the place of
                                the user's caches
  XDG_CACHE_HOME, HOME, TMPDIR  where else stores are looked for
  CONDA_PKGS_DIRS               conda's package caches, where frames are kept
"""


def configure_parser(parser: ArgumentParser) -> None:
    """Add the verbs; conda calls this on every one of its runs."""
    verbs = parser.add_subparsers(dest="coex_verb", metavar="VERB", required=True)
    configure_create(verbs)
    configure_repack(verbs)
    configure_pack(verbs)
    configure_inspect(verbs)
    _configure_cache(verbs)
    _configure_tools(verbs)


def _configure_cache(verbs: _SubParsersAction[ArgumentParser]) -> None:
    from conda.cli.helpers import add_output_and_prompt_options

    parser = add_verb(verbs, "cache", CACHE, CACHE_ABOUT, CACHE_MORE)
    parser.add_argument("action", choices=("list", "clean", "path"), help="Show it, remove it, or print where it is.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--frames", action="store_true", help="Of builds alone.")
    which.add_argument("--roots", action="store_true", help="Of unpacked archives alone.")
    parser.parse_known_args = _later(parser, "configure_cache")  # type: ignore[method-assign]
    add_output_and_prompt_options(parser)


def _configure_tools(verbs: _SubParsersAction[ArgumentParser]) -> None:
    """Add the verbs that archives answer themselves; one that is asked for gets its options then."""
    for name, summary in TOOLS.items():
        parser = verbs.add_parser(name, help=summary)
        parser.parse_known_args = _later(parser, "configure")  # type: ignore[method-assign]


def _later(parser: ArgumentParser, function: str) -> Callable[..., Any]:
    """Return a `parse_known_args` that first has a function of `ask` give the parser its options."""

    def parse(*words: Any, **options: Any) -> Any:
        from . import ask

        del parser.parse_known_args
        getattr(ask, function)(parser)
        return parser.parse_known_args(*words, **options)

    return parse


def execute(arguments: Namespace) -> int:
    """Run the verb, and turn every error of ours, and of the system, into one that conda prints."""
    from conda import CondaError

    from .errors import CoexError
    from .interrupt import interruptible

    try:
        with interruptible():
            return _execute(arguments)
    except CondaError:
        raise  # before OSError, which some of them are too
    except CoexError as error:
        raise _for_conda(error, str(error)) from error
    except OSError as error:
        raise _for_conda(error, f"{error.filename or 'the system'}: {error.strerror or error}") from error


def _for_conda(error: Exception, text: str) -> Exception:
    """Return an error that conda prints, under the name of `error`, without a report."""
    from conda import CondaError

    kind = type(type(error).__name__, (CondaError,), {"return_code": getattr(error, "status", 1)})
    return kind("%(text)s", text=text)  # conda applies % to the text of its errors


def _execute(arguments: Namespace) -> int:
    import signal

    if hasattr(signal, "SIGPIPE") and arguments.coex_verb in (*TOOLS, "inspect"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads, such as `head`, may have read enough
    if arguments.coex_verb in TOOLS:
        from .ask import ask

        return ask(arguments)
    if arguments.coex_verb == "cache":
        from .cache import cache

        return cache(arguments)
    verbs = {"create": execute_create, "inspect": execute_inspect, "pack": execute_pack, "repack": execute_repack}
    return verbs[arguments.coex_verb](arguments)
