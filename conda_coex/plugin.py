"""Register `conda coex` with conda, which imports this module on every call: nothing heavy here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conda.plugins import hookimpl
from conda.plugins.types import CondaSubcommand

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from conda.plugins.types import CondaEnvironmentSpecifier, CondaErrorHint

SUMMARY = "Turn a conda environment and an application into one executable file."

VIRTUAL = ("__archspec", "__cuda", "__glibc", "__linux", "__osx")
OVERRIDE = "This machine is solved for: CONDA_OVERRIDE_CUDA, CONDA_OVERRIDE_GLIBC and so on describe other hosts."


@hookimpl  # type: ignore[untyped-decorator]
def conda_subcommands() -> Iterator[CondaSubcommand]:
    """Add `conda coex` to conda's commands."""
    yield CondaSubcommand(name="coex", summary=SUMMARY, action=execute, configure_parser=configure_parser)


@hookimpl  # type: ignore[untyped-decorator]
def conda_environment_specifiers() -> Iterator[CondaEnvironmentSpecifier]:
    """Let `conda create -f` and `conda env create -f` read archives, if conda has a model of environments."""
    from dataclasses import fields

    from conda.plugins import types

    if not hasattr(getattr(types, "EnvironmentSpecBase", None), "env"):
        return
    from .cli.archive_spec import ArchiveSpec

    known = {field.name for field in fields(types.CondaEnvironmentSpecifier)}
    more = {"default_filenames": ("*.coex",), "description": "archives of conda-coex: their packages alone"}
    yield types.CondaEnvironmentSpecifier(
        name="coex",
        environment_spec=ArchiveSpec,
        **{name: value for name, value in more.items() if name in known},
    )


@hookimpl  # type: ignore[untyped-decorator]
def conda_error_hints(error: Exception) -> Iterator[CondaErrorHint]:
    """Name the variables by which conda solves for other machines than this one."""
    from conda.base.context import context
    from conda.plugins import types

    if "coex_verb" in (context._argparse_args or {}) and any(name in str(error) for name in VIRTUAL):
        yield types.CondaErrorHint(text=OVERRIDE, hint_code="coex_virtual_packages")


def configure_parser(parser: ArgumentParser) -> None:
    """Add the verbs, which get their options when they are looked at: conda calls this on every one of its runs."""
    from .cli.verb_parser import add_verbs

    add_verbs(parser, configure_verb)


def configure_verb(parser: ArgumentParser, verb: str) -> None:
    """Give the parser of a verb its options."""
    from .cli.main import configure

    configure(parser, verb)


def execute(arguments: Namespace) -> int:
    """Run the verb that the command line names, and return its exit status."""
    from .cli.main import execute

    return execute(arguments)


def main(words: Sequence[str]) -> int:
    """Run conda's own command line with `coex` in front, so that options mean the same."""
    from conda.cli import main as conda_main

    return int(conda_main("coex", *words) or 0)
