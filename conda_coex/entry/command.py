"""Split the command of an entry point, `[NAME=]COMMAND`, into words, once."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from coex_bootstrap.format.values import is_function, is_module

from ..errors import EntryPointNotFound
from .script import INTERPRETERS
from .words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

EXTRAS = re.compile(r"\[[\w.,\s-]*\]")  # behind module:function, as in the metadata of Python packages


@dataclass(frozen=True)
class EntryCommand:
    """An entry point as the user wrote it: the name before `=`, if there is one, and the words of its command."""

    given_name: str | None
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def without_extras(self) -> str:
        """The first word without the extras of a function, such as `[cli]`."""
        return EXTRAS.sub("", self.program)

    @cached_property
    def name(self) -> str:
        """The given name, or that of the script, module, function or program, without a suffix."""
        if self.given_name is not None:
            return self.given_name
        if is_function(self.program):
            return self.program.split(":")[0].split(".")[0]
        name = posixpath.basename(self.program.rstrip("/"))
        for word in words_of(self.program, self.words[1:]):
            if word.role == "module" and is_module(word.text):
                return word.text.split(".")[0]
            if word.role == "script" and posixpath.basename(word.text).strip(".").isprintable():
                name = posixpath.basename(word.text).strip(".") or name
        stem, suffix = posixpath.splitext(name)
        return stem if suffix in INTERPRETERS else name


def parse_commands(values: Iterable[str]) -> tuple[EntryCommand, ...]:
    """Return entry points in the order in which they were given; raises EntryPointNotFound if two have one name."""
    commands = tuple(map(parse_command, values))
    names = [command.name for command in commands]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise EntryPointNotFound(f"two entry points are called {name!r}", remedy="name one, as in NAME=COMMAND")
    return commands


def parse_command(value: str) -> EntryCommand:
    """Split `[NAME=]COMMAND` as a shell would; the name ends at the first `=` of the first word, if that has no `/`.

    Raises EntryPointNotFound for a value that is empty, has an open quote, or is not text.
    """
    try:
        words = _exec_form(value) or shlex.split(value)
        value.encode()
    except ValueError as error:
        raise EntryPointNotFound(f"the entry point {value!r} cannot be split into words: {error}") from error
    if words[1:2] == ["="]:  # NAME = COMMAND, as in the metadata of Python packages
        words[:3] = [f"{words[0]}={''.join(words[2:3])}"]
    name, equals, rest = words[0].partition("=") if words else ("", "", "")
    if equals and "/" not in name:
        if not name or not name.isprintable():
            raise EntryPointNotFound(f"the entry point {value!r} has no name before its =")
        words[0] = rest
    if not words or not words[0]:
        raise EntryPointNotFound("the entry point is empty", remedy="name a command, as in --entrypoint python")
    return EntryCommand(name if equals and "/" not in name else None, tuple(words))


def _exec_form(value: str) -> list[str]:
    """Return the words of a command that is written as in a Dockerfile: `["python", "app.py"]`."""
    if not value.lstrip().startswith('["'):
        return []
    words: object = json.loads(value)
    texts = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    return texts if texts == words else []
