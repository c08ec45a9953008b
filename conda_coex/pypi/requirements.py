"""Gather the lines of pip sections, with paths relative to several directories, into one requirements file."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..inputs.document import as_utf8, lines_of, read_limited
from ..inputs.suffixes import PIP_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..inputs.environment import PipSection

# As pip's `req/req_file.py` reads them.
COMMENT = re.compile(r"(^|\s+)#.*$")
CONTINUED = re.compile(r"\\\n")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
FILES, CONSTRAINTS = ("-r", "--requirement"), ("-c", "--constraint")
PATHS = (*CONSTRAINTS, "-e", "--editable", "-f", "--find-links")


def gather(sections: Iterable[PipSection]) -> list[str]:
    """Return the lines of all sections, with those of the files that they include, and with absolute paths.

    Paths of packages are relative to the environment file, as for conda, which starts pip there; those of files and
    directories of an included file are relative to that file, as for pip. Raises InputError for a file that cannot
    be read, or that includes itself.
    """
    lines: list[str] = []
    for section in sections:
        home = Path(section.directory)
        for text in section.lines:
            lines += _text(text, _Place(home, home, section.file))
    return lines


@dataclass(frozen=True)
class _Place:
    """The place of a line."""

    home: Path  # of the environment file
    near: Path  # the directory of the file that the line is in
    file: str | None  # that file, if it has a name
    within: tuple[Path, ...] = ()  # the requirements files around it, its own last

    def included(self, path: Path) -> _Place:
        return _Place(self.home, path.parent, str(path), (*self.within, path))


def _text(text: str, place: _Place) -> Iterator[str]:
    """Yield the lines of a text, as of a file."""
    for line in CONTINUED.sub("", text.replace("\r\n", "\n")).split("\n"):
        plain = COMMENT.sub("", line).strip()
        if plain:
            yield from _line(plain, place)


def _line(line: str, place: _Place) -> Iterator[str]:
    """Yield the lines that take the place of a line."""
    if not line.startswith("-"):
        yield _package(line, place.home)
        return
    words: list[str] = []
    for option, value in _options(line):
        if option in FILES and value is not None and "://" not in value:
            yield from _included(Path(place.near, _expanded(value)), place)
        elif option in PATHS and value is not None and "://" not in value:
            words += [option, str(_located(option, value, place))]
        else:
            words += [option] if value is None else [option, value]
    if words:
        yield shlex.join(words)


def _options(line: str) -> Iterator[tuple[str, str | None]]:
    """Yield the options of a line, each with its value, in each way of writing them."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(f"the pip section has {line!r}, which cannot be split into words: {error}") from error
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if equals and word.startswith("--"):
            yield option, value
        elif word[:2] in ("-r", "-c", "-e", "-f", "-i") and len(word) > 2:
            yield word[:2], word[2:].removeprefix("=")
        elif words and not words[0].startswith("-") and word.startswith("-"):
            yield word, words.pop(0)
        else:
            yield word, None


def _included(path: Path, place: _Place) -> Iterator[str]:
    path = Path(os.path.normpath(path))
    if path in place.within:
        raise InputError("the requirements file includes itself", os.fsencode(path), "leave out that line")
    yield from _text(_read(path, place), place.included(path))


def _read(path: Path, place: _Place) -> str:
    try:
        return "\n".join(lines_of(as_utf8(read_limited(path)).decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise InputError("the requirements file is not UTF-8 text", os.fsencode(path), "save it as UTF-8") from error
    except OSError as error:
        what = f"the requirements file cannot be read: {error.strerror}"
        remedy = f"{place.file} names it; paths there are relative to {place.near}" if place.file else None
        raise InputError(what, os.fsencode(path), remedy) from error


def _located(option: str, value: str, place: _Place) -> str | Path:
    """Return the absolute form of an option's path."""
    if option in ("-e", "--editable"):
        return value if value.startswith("file:") else f"{place.home}/{value}" if not value.startswith("/") else value
    path = Path(place.near, _expanded(value))
    if option in CONSTRAINTS:
        _read(path, place)
        return path
    return path if path.exists() else value if value.startswith("~") else Path(place.home, _expanded(value))


def _package(line: str, home: Path) -> str:
    """Return a requirement; a path, by the rules of pip, becomes absolute."""
    name = re.split(r"\s*(?:[;\[]|\s-)", line, maxsplit=1)[0]
    inside = "/" in name or name.endswith(PIP_SUFFIXES)
    if line.startswith(".") or (inside and "://" not in name and "@" not in name and Path(home, name).exists()):
        return line if line.startswith("/") else f"{home}/{line}"
    return line


def _expanded(value: str) -> str:
    """Return text with the variables that pip puts in: those that are not set stay as they are."""
    return VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[0], value)
