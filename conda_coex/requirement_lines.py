"""Gather the lines of pip sections into one requirements file, whatever directories their paths are relative to."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .environment import PipSection

# As pip's `req/req_file.py` reads them.
COMMENT = re.compile(r"(^|\s+)#.*$")
CONTINUED = re.compile(r"\\\n")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
FILES, CONSTRAINTS = ("-r", "--requirement"), ("-c", "--constraint")
PATHS = (*CONSTRAINTS, "-e", "--editable", "-f", "--find-links")
ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz")


def gather(sections: Iterable[PipSection]) -> list[str]:
    """Return the lines of all sections, with those of the files that they include, and with absolute paths.

    Paths of packages are relative to the environment file, as for conda, which starts pip there; those of files and
    directories of an included file are relative to that file, as for pip. Raises InputError for a file that cannot
    be read, or that includes itself.
    """
    found: list[str] = []
    for section in sections:
        home = Path(section.directory)
        for text in section.lines:
            found += _text(text, home, home, ())
    return found


def _text(text: str, home: Path, near: Path, within: tuple[Path, ...]) -> Iterator[str]:
    """Yield the lines of a text, as one finds them in a file."""
    for line in CONTINUED.sub("", text.replace("\r\n", "\n")).split("\n"):
        plain = COMMENT.sub("", line).strip()
        if plain:
            yield from _line(plain, home, near, within)


def _line(line: str, home: Path, near: Path, within: tuple[Path, ...]) -> Iterator[str]:
    """Yield what becomes of a line; `near` is the directory of the file that it is in, `within` that and its like."""
    if not line.startswith("-"):
        yield _package(line, home)
        return
    words: list[str] = []
    for option, value in _options(line):
        if option in FILES and value is not None and "://" not in value:
            yield from _included(Path(near, _expanded(value)), home, within)
        elif option in PATHS and value is not None and "://" not in value:
            words += [option, str(_place(option, value, home, near))]
        else:
            words += [option] if value is None else [option, value]
    if words:
        yield shlex.join(words)


def _options(line: str) -> Iterator[tuple[str, str | None]]:
    """Yield the options of a line, each with its value, in whichever way they are written."""
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


def _included(path: Path, home: Path, within: tuple[Path, ...]) -> Iterator[str]:
    path = Path(os.path.normpath(path))
    if path in within:
        raise InputError("the requirements file includes itself", os.fsencode(path), "leave out that line")
    yield from _text(_read(path), home, path.parent, (*within, path))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the requirements file is no UTF-8 text", os.fsencode(path)) from error
    except OSError as error:
        raise InputError(f"the requirements file cannot be read: {error.strerror}", os.fsencode(path)) from error


def _place(option: str, value: str, home: Path, near: Path) -> str | Path:
    """Return the absolute form of an option's path."""
    if option in ("-e", "--editable"):
        return value if value.startswith("file:") else f"{home}/{value}" if not value.startswith("/") else value
    path = Path(near, _expanded(value))
    if option in CONSTRAINTS:
        _read(path)
        return path
    return path if path.exists() else value if value.startswith("~") else Path(home, _expanded(value))


def _package(line: str, home: Path) -> str:
    """Return a requirement; one that is a path, as pip tells it, becomes absolute."""
    name = re.split(r"\s*(?:[;\[]|\s-)", line, maxsplit=1)[0]
    inside = "/" in name or name.endswith(ARCHIVES)
    if line.startswith(".") or (inside and "://" not in name and "@" not in name and Path(home, name).exists()):
        return line if line.startswith("/") else f"{home}/{line}"
    return line


def _expanded(value: str) -> str:
    """Return text with the variables that pip puts in: those that are not set stay as they are."""
    return VARIABLE.sub(lambda found: os.environ.get(found[1]) or found[0], value)
