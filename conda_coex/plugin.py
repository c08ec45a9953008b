"""Register `conda coex` with conda, which imports this module on every call: nothing heavy here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conda.plugins import hookimpl
from conda.plugins.types import CondaSubcommand

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

SUMMARY = "Turn a conda environment and an application into one executable file."


@hookimpl  # type: ignore[untyped-decorator]
def conda_subcommands() -> Iterator[CondaSubcommand]:
    yield CondaSubcommand(name="coex", summary=SUMMARY, action=execute, configure_parser=configure_parser)


def configure_parser(parser: ArgumentParser) -> None:
    """Have the verbs added when `parser` is first used: conda asks for them on every one of its runs."""
    parse = parser.parse_known_args

    def configure_and_parse(*arguments: Any, **options: Any) -> Any:
        from .cli import configure_parser

        parser.parse_known_args = parse  # type: ignore[method-assign]
        configure_parser(parser)
        return parse(*arguments, **options)

    parser.parse_known_args = configure_and_parse  # type: ignore[method-assign]


def execute(arguments: Namespace) -> int:
    from .cli import execute

    return execute(arguments)


def main(words: Sequence[str]) -> int:
    """Run conda's own command line with `coex` in front, so that options mean the same."""
    from conda.cli import main as conda_main

    return int(conda_main("coex", *words) or 0)
