"""The command line of `conda coex`: options are conda's own, by conda's own helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cli_options import add_level
from .cli_pack import configure_pack, execute_pack
from .cli_repack import configure_repack, execute_repack, take_paths_anywhere

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Callable
    from typing import Any

CREATE = "Create an executable archive of an environment and an application."
CREATE_MORE = """\
Examples:
  conda coex create -f environment.yml --entrypoint python -o python.coex
  conda coex create -f environment.yml --entrypoint ./tool.py ./data
  conda coex create -f pixi.lock --lock-environment prod --entrypoint ./tool.py
  conda coex create -n myenv --entrypoint ./script
  conda coex create -p /path/to/env --entrypoint "python -m http.server 8000" -o serve.coex
  conda coex create -f environment.yml --entrypoint tool.py --entrypoint "serve=python -m http.server"
  conda coex create -c conda-forge --package python=3.12 --package numpy --entrypoint python -o np.coex
"""
INSPECT = "Show what an archive holds and asks of a host, where its megabytes are, or how two archives differ."
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
CACHE_MORE = """\
Builds keep the frames of compressed packages under conda's package cache. Archives unpack to roots below COEX_ROOT or
the user's caches. `list` shows both; `path` and `clean` mean the frames, with --roots or a condition the roots. Of
roots, `clean` removes those that all conditions fit and that nobody uses, without a condition only leftovers.

Examples:
  conda coex cache list
  conda coex cache clean                          # all frames
  conda coex cache clean --older-than 30d         # roots that were not started for a month
  conda coex cache clean --roots --all
"""


def configure_parser(parser: ArgumentParser) -> None:
    """Add the verbs; conda calls this on every one of its runs."""
    verbs = parser.add_subparsers(dest="coex_verb", metavar="VERB", required=True)
    _configure_create(verbs)
    configure_repack(verbs)
    configure_pack(verbs)
    _configure_inspect(verbs)
    _configure_cache(verbs)
    _configure_tools(verbs)


def _configure_create(verbs: _SubParsersAction[ArgumentParser]) -> None:
    from argparse import RawDescriptionHelpFormatter

    from conda.cli.helpers import (
        add_output_and_prompt_options,
        add_parser_channels,
        add_parser_networking,
        add_parser_platform,
        add_parser_prefix,
        add_parser_solver,
        add_parser_solver_mode,
    )

    parser = verbs.add_parser(
        "create", help=CREATE, description=CREATE, epilog=CREATE_MORE, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "sources", nargs="*", metavar="PATH[=TARGET]",
        help="files and directories of the application, kept under these names or renamed; also a quoted pattern, "
        "where ** is any directories",
    )
    parser.add_argument(
        "--entrypoint", required=True, action="append", metavar="[NAME=]COMMAND",
        help="what to run: a command of the environment, a file of the application, or package.module:function, "
        "with arguments; may be repeated: the first is the default, a link to the archive called NAME runs that one",
    )  # fmt: skip
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE",
        help="a variable to set for the entry points, over the packages' and the caller's; NAME?=VALUE where they have "
        "none; ${COEX_APP} and ${COEX_PREFIX} in it stand for the unpacked places; may be repeated",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", help="the archive; default: the entry point's name and .coex")
    add_level(parser)
    _add_environment(parser)
    add_parser_prefix(parser)
    add_parser_platform(add_parser_channels(parser))
    add_parser_solver(add_parser_solver_mode(parser))
    add_parser_networking(parser)
    add_output_and_prompt_options(parser)
    take_paths_anywhere(parser)


def _add_environment(parser: ArgumentParser) -> None:
    """Add what an environment is made of; where conda looks for it, conda's own options say."""
    inputs = parser.add_argument_group("Environment")
    inputs.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE",
        help="an environment file, which may be repeated, or a lock file",
    )  # fmt: skip
    inputs.add_argument(
        "--package",
        action="append",
        default=[],
        dest="package_specs",
        metavar="SPEC",
        help="a package; may be repeated",
    )
    inputs.add_argument(
        "--lock-environment", metavar="NAME", help="the environment to take of a pixi.lock (default: default)"
    )
    inputs.add_argument(
        "--lock-category", action="append", default=[], dest="lock_categories", metavar="NAME",
        help="a category to take of a conda-lock.yml beside main; may be repeated",
    )  # fmt: skip


def _configure_inspect(verbs: _SubParsersAction[ArgumentParser]) -> None:
    from conda.cli.helpers import add_parser_json

    parser = verbs.add_parser("inspect", help=INSPECT, description=INSPECT)
    parser.add_argument("archive", metavar="ARCHIVE", help="the file")
    parser.add_argument("other", nargs="?", metavar="OTHER", help="a second file: show what came, went, changed")
    parser.add_argument("--sizes", action="store_true", help="show where the megabytes are, by package and file")
    parser.add_argument("--html", metavar="FILE", help="write that as a page with a treemap, which needs no network")
    add_parser_json(parser)


def _configure_cache(verbs: _SubParsersAction[ArgumentParser]) -> None:
    from conda.cli.helpers import add_output_and_prompt_options

    parser = verbs.add_parser("cache", help=CACHE, description=f"{CACHE}\n\n{CACHE_MORE}")
    parser.add_argument("action", choices=("list", "clean", "path"), help="show it, remove it, or print where it is")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--frames", action="store_true", help="of builds alone")
    which.add_argument("--roots", action="store_true", help="of unpacked archives alone")
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
    if arguments.coex_verb == "inspect":
        from .inspect import inspect

        return inspect(arguments.archive, arguments.other, bars=arguments.sizes, page=arguments.html)
    if arguments.coex_verb in TOOLS:
        from .ask import ask

        return ask(arguments)
    if arguments.coex_verb == "repack":
        return execute_repack(arguments)
    if arguments.coex_verb == "pack":
        return execute_pack(arguments)
    if arguments.coex_verb == "cache":
        from .cache import cache

        return cache(arguments)
    from .create import Request, create

    return create(
        Request(
            files=tuple(arguments.file),
            specs=tuple(arguments.package_specs),
            existing=bool(arguments.name or arguments.prefix),
            entry_points=tuple(arguments.entrypoint),
            variables=tuple(arguments.env),
            sources=tuple(arguments.sources),
            output=arguments.output,
            level=arguments.compression_level,
            lock_environment=arguments.lock_environment,
            lock_categories=tuple(arguments.lock_categories),
        )
    )
