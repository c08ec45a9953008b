"""Read the options that a project keeps in a file: `coex.toml`, or the table `[tool.coex]` of `pyproject.toml`."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.tools.output import did_you_mean

from ..errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from typing import TypeAlias

    Value: TypeAlias = str | int | list[str]  # a flag is a whole number, too

LARGEST = 1 << 20  # bytes of a file of options: it is read whole
PARTS = 100  # of a key
QUOTED, WORDS, DOTTED = map(re.compile, (r""""[^"\n]*"|'[^'\n]*'""", r"[\w. \t-]+", r"[\w-][ \t]*\."))
OWN, SHARED = "coex.toml", "pyproject.toml"
TEXT, TEXTS, FLAG, NUMBER = "a string", "a string or a list of strings", "true or false", "a number"
# Keys are the long options. Options for downloads, for confirmation, and for a program to run (--bytecode-for) are not
# here: only the user may give these.
KEYS = {
    "app": TEXTS, "entrypoint": TEXTS, "env": TEXTS, "output": TEXT, "compression-level": NUMBER, "fast": FLAG,
    "file": TEXTS, "package": TEXTS, "lock-environment": TEXT, "lock-category": TEXTS, "name": TEXT, "prefix": TEXT,
    "channel": TEXTS, "override-channels": FLAG, "platform": TEXT, "missing": TEXT, "editable": TEXT,
    "exclude": TEXTS, "include": TEXTS, "small": FLAG, "keep-env": TEXTS, "carry-python": FLAG,
}  # fmt: skip
TABLES = {"entrypoint", "env"}  # which may be tables of names
OTHER_WORDS = {
    "files": "app", "sources": "app", "paths": "app", "entry-point": "entrypoint", "entry_point": "entrypoint",
    "entrypoints": "entrypoint", "variables": "env", "environment": "file", "environment-file": "file",
    "packages": "package", "dependencies": "package", "level": "compression-level",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The options of a file, by their keys: lists of words, numbers, and flags that are set."""

    path: str
    values: dict[str, Value]

    @property
    def directory(self) -> str:
        """Return the directory that the paths in the file are relative to."""
        return os.path.dirname(self.path) or "."  # noqa: PTH120 - as it was given

    def words(self, key: str) -> list[str]:
        """Return an option as words of a command line."""
        value = self.values[key]
        if isinstance(value, bool):
            return [f"--{key}"]
        return [f"--{key}={each}" for each in (value if isinstance(value, list) else [value])]


def find() -> Config | None:
    """Return the options of this directory's file, if it has one: `coex.toml` before `pyproject.toml`.

    Nothing is read from directories above this one. Raises InputError for a file that others could have written.
    """
    for path in (OWN, SHARED):
        if not os.path.lexists(path) or (path == SHARED and not os.path.isfile(path)):  # noqa: PTH113
            continue
        if not os.path.isfile(path):  # noqa: PTH113 - a pipe would have no end
            raise InputError("is not a file", os.fsencode(path), "remove it, or name another file with --config")
        if path == OWN:
            _refuse_others(path)
        table = _table(path)
        if table is not None:
            _refuse_others(path)
            return Config(path, _checked(path, table))
    return None


def read_config(path: str) -> Config:
    """Return the options of a file that the user named."""
    table = _table(path)
    if table is None:
        raise InputError("has no table [tool.coex]", os.fsencode(path), "add one, or name another file")
    return Config(path, _checked(path, table))


def _table(path: str) -> dict[str, object] | None:
    """Return the table of options; of a `pyproject.toml` None if it has none."""
    is_shared = posixpath.basename(path) == SHARED
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if is_shared and b"coex" not in data:
            return None  # other faults of it are reported by other tools
        if len(data) > LARGEST:
            raise InputError("is larger than 1 MiB, which no file of options is", os.fsencode(path))
        text = data.decode()
        if any(len(DOTTED.findall(words[0])) >= PARTS for words in WORDS.finditer(QUOTED.sub("x", text))):
            raise InputError(f"has a key of more than {PARTS} parts", os.fsencode(path))  # too slow for tomllib
        table = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", os.fsencode(path)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not TOML: {error}", os.fsencode(path)) from error
    if is_shared:
        tools = table.get("tool", {})
        table = tools.get("coex") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise InputError("`tool.coex` is not a table", os.fsencode(path), "write [tool.coex]")
    return table


def _refuse_others(path: str) -> None:
    state = os.stat(path)  # noqa: PTH116
    if state.st_uid not in (os.getuid(), 0) or state.st_mode & 0o002:
        what = "belongs to another user, or everybody may write to it, and it would decide about the archive"
        raise InputError(what, os.fsencode(path), f"look at it, and use --config {path}")


def _checked(path: str, table: dict[str, object]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, value in table.items():
        if key not in KEYS:
            guess = _guess(key)
            remedy = None if guess else f"known are: {', '.join(KEYS)}"
            if key == "tool":
                remedy = "write its keys at the top, without [tool.coex], which is a table of pyproject.toml"
            raise InputError(f"unknown key `{key}`{guess}", os.fsencode(path), remedy)
        option = _value(key, value)
        if option is None:
            also = ", or a table of names" if key in TABLES else ""
            raise InputError(f"`{key}` has to be {KEYS[key]}{also}", os.fsencode(path))
        if any("\0" in word for word in (option if isinstance(option, list) else [option]) if isinstance(word, str)):
            raise InputError(f"`{key}` has a NUL, which no command line could have", os.fsencode(path))
        if option is not False and option != []:
            values[key] = option
    _refuse_outside(Config(path, values))
    return values


def _guess(key: str) -> str:
    known = OTHER_WORDS.get(key.lower())
    return f" (did you mean {known}?)" if known else did_you_mean(key, KEYS)


def _value(key: str, value: object) -> Value | None:
    """Return the value of a key in the form that Config has, or None if it is not of the key's kind."""
    kind = KEYS[key]
    if kind is FLAG:
        return value if isinstance(value, bool) else None
    if kind is NUMBER:
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str):
        return [value] if kind is TEXTS else value
    if key in TABLES and isinstance(value, dict):
        texts = {name: _text(each) for name, each in value.items()}
        return None if None in texts.values() else [f"{name}={text}" for name, text in texts.items()]
    if kind is TEXTS and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return None


def _text(value: object) -> str | None:
    """Return a value of a table as text. Other types are refused: true could mean `1`, `true` or `yes`."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _refuse_outside(config: Config) -> None:
    """Raise InputError for a path outside of the file's directory: a project may not take other files of the user."""
    top = os.path.realpath(config.directory)
    for key in ("app", "file", "output", "prefix", "entrypoint"):
        value = config.values.get(key, [])
        for word in value if isinstance(value, list) else [str(value)]:
            for path in _paths(key, word, config.directory):
                if not (os.path.realpath(os.path.join(config.directory, path)) + "/").startswith(top.rstrip("/") + "/"):  # noqa: PTH118
                    what = f"`{key}` leads out of the directory of this file: {path}"
                    raise InputError(what, os.fsencode(config.path), f"name it on the command line{_instead(key)}")


def _instead(key: str) -> str:
    return "" if key == "app" else f", with --{key}"


def _paths(key: str, word: str, directory: str) -> list[str]:
    """Return the local paths that a word of the file names."""
    if key == "app":
        path = word.rpartition("=")[0] or word
        if os.path.lexists(os.path.join(directory, word)):  # noqa: PTH118
            path = word
        return [re.split(r"[*?[]", path)[0], *glob.glob(path, root_dir=directory, recursive=True)]  # noqa: PTH207
    if key == "entrypoint":
        name, equals, rest = word.partition("=")
        try:
            command = shlex.split(rest if equals and "/" not in name else word)[:1]
        except ValueError:  # a later step reports the same fault better
            return []
        return [each for each in command if "/" in each and os.path.isfile(os.path.join(directory, each))]  # noqa: PTH113, PTH118
    return [word]
