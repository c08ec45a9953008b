"""Register `conda coex` with conda, which imports this module on every call: nothing heavy here."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    """Add the verbs, which get their options when they are looked at: conda calls this on every one of its runs."""
    from .verb_parser import add_verbs

    add_verbs(parser, configure_verb)


def configure_verb(parser: ArgumentParser, verb: str) -> None:
    """Give the parser of a verb its options."""
    from .cli import configure

    configure(parser, verb)


def execute(arguments: Namespace) -> int:
    from .cli import execute

    return execute(arguments)


def main(words: Sequence[str]) -> int:
    """Run conda's own command line with `coex` in front, so that options mean the same."""
    from conda.cli import main as conda_main

    return int(conda_main("coex", *words) or 0)
