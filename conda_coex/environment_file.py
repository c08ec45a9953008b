"""Check the shape of an environment.yml before conda reads it, whose own errors would not name what is wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from .errors import InputError
from .yaml_text import load

LISTS = ("channels", "dependencies")
KEYS = {"name", "prefix", "channels", "variables"}  # of an environment without packages; others may be a plugin's
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_shape(path: str) -> None:
    """Raise InputError where `path` is no file, or is YAML that cannot be an environment.

    Files of other suffixes are left to conda and its plugins.
    """
    if not Path(path).is_file():
        missing = not Path(path).exists()
        raise _wrong(path, "does not exist" if missing else "is no file")
    if not path.endswith((".yml", ".yaml")):
        return
    found = _load(path)
    if found is None:
        raise _wrong(path, "is empty", "list packages under `dependencies:`")
    if not isinstance(found, dict):
        raise _wrong(path, "is no mapping", "list packages under `dependencies:`")
    for key in LISTS:
        _check_list(path, key, found.get(key))
    _check_variables(path, found.get("variables") or {})
    if not found.get("dependencies") and ("dependencies" in found or KEYS.issuperset(found)):
        raise _wrong(path, "asks for no package", "list some under `dependencies:`")


def _check_list(path: str, key: str, value: Any) -> None:
    if not isinstance(value or [], list):
        raise _wrong(path, f"has `{key}` that are no list", "begin each with `- `")
    kinds = (str, dict) if key == "dependencies" else (str,)  # the dict is `pip:`
    for item in value or []:
        if isinstance(item, dict):
            _check_pip(path, item)
        elif not isinstance(item, kinds) or not _is_value(str(item)):
            raise _wrong(path, f"has {item!r} in `{key}`, which is no text", "put it in quotes, or remove it")


def _check_pip(path: str, item: dict[Any, Any]) -> None:
    """Check `pip:` below `dependencies`, whose text conda would take apart into letters."""
    for key, lines in item.items():
        if key != "pip":
            raise _wrong(path, f"has {key!r} below `dependencies`", "only `pip:` can stand there")
        given = lines or []
        if not isinstance(given, list) or not all(isinstance(line, str) and _is_value(line) for line in given):
            raise _wrong(path, "has a `pip:` that is no list of texts", "begin each line with `- `, in quotes")


def _check_variables(path: str, variables: Any) -> None:
    """Check names and values, which conda takes as they come and no shell could set. A value may be null: unset it."""
    if not isinstance(variables, dict):
        raise _wrong(path, "has `variables` that are no mapping", "write them as `NAME: value`")
    for name, value in variables.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise _wrong(path, f"has the variable {name!r}, and no shell can set one of that name", "rename it")
        if isinstance(value, (dict, list)):
            raise _wrong(path, f"has {value!r} as the value of {name}, which is no text", "put it in quotes")
        if not _is_value(str(value)):
            raise _wrong(path, f"has a value of {name} that no variable can have, {value!r}", "correct it")


def _is_value(text: str) -> bool:
    try:
        return "\0" not in text and text.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _load(path: str) -> Any:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    return load(data, lambda reason: _wrong(path, reason))


def _wrong(path: str, what: str, remedy: str | None = None) -> InputError:
    return InputError(f"the environment file {what}", os.fsencode(path), remedy)
