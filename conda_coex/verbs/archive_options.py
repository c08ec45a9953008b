"""The options that create, pack and repack share: parsed once, into one type."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest_check import LEVELS

from ..archive.compression_level import DEFAULT_LEVEL
from ..entry.command import parse_commands
from ..errors import InputError, OutputError
from ..inputs.variables import parse_env, parse_keep_env
from ..root.app import App

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..entry.command import EntryCommand
    from ..inputs.variables import Variable


@dataclass(frozen=True)
class ArchiveOptions:
    """The parsed options of a new archive."""

    app: App  # the files that the user named, and the path of the new archive
    commands: tuple[EntryCommand, ...]  # the first is the default
    variables: list[Variable]
    kept_variables: list[str]  # variables of the caller that a start does not remove
    carry_python: bool | None  # None: nothing is said of it
    bytecode_for: tuple[str, ...]  # Pythons of this machine: paths, and names on PATH
    level: int | None  # of zstd; None: nothing is said of it

    @property
    def output(self) -> Path:
        """The path of the new archive."""
        return self.app.output

    def level_after(self, old: int | None = None) -> int:
        """Return the level of zstd: the chosen one, else that of the archive to repack, else the default."""
        return self.level or old or DEFAULT_LEVEL


def parse_options(
    *,
    sources: Iterable[str] = (),
    entry_points: Iterable[str] = (),
    variables: Iterable[str] = (),
    kept_variables: Iterable[str] = (),
    output: str | None = None,
    carry_python: bool | None = None,
    bytecode_for: Iterable[str] = (),
    level: int | None = None,
) -> ArchiveOptions:
    """Parse the words of a command line; the default output is the name of the first entry point and `.coex`.

    Raises InputError, EntryPointNotFound or OutputError.
    """
    if level is not None and level not in LEVELS:
        raise InputError(f"the compression level {level} is not between {LEVELS[0]} and {LEVELS[-1]}")
    env, keep_env = parse_env(variables), parse_keep_env(kept_variables)
    commands = parse_commands(entry_points)
    name = output or f"{commands[0].name}.coex"
    if name.endswith("/"):
        raise OutputError("the output is a directory", os.fsencode(name), "name a file with -o")
    app = App(sources, Path(name))
    return ArchiveOptions(app, commands, env, keep_env, carry_python, tuple(bytecode_for), level)
