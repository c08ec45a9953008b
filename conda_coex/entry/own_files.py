"""Find the files here that an entry point needs in the app: those added by themselves, and those that are missing."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest_check import HOST_SHELLS
from coex_bootstrap.format.values import is_module

from ..errors import EntryPointNotFound
from .function import module_of
from .names import PLACES, is_program, is_source, similar
from .script import INTERPRETERS
from .words import family, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .names import Names

CALLERS = "write ${PWD}/%s if the caller's is meant"
NO_MAIN = "is a directory without a __main__.py, which nothing runs"


def own_files(program: str, arguments: Sequence[str], names: Names) -> Iterator[str]:
    """Yield the files here that a command's program runs or opens: they are in the app without being named."""
    for word in words_of(program, arguments):
        value = word.text if word.role in ("script", "module") or os.path.lexists(word.text) else word.parts[1]
        if names.in_prefix(value) is not None:
            continue
        if word.role == "module":
            file = local_module(value) if is_module(value) and module_of(value, names.layout) is None else None
            yield from [file] if file is not None else []
        elif (word.role == "script" and is_program(value)) or (
            word.role in ("word", "option") and is_source(value) and not word.is_output
        ):
            yield value


def local_module(name: str) -> str | None:
    """Return the file or the directory here that a module is in."""
    path, top = name.replace(".", "/"), name.split(".")[0]
    for file in (f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py"):
        if Path(file).is_file():
            return top if "/" in file else file
    return None


def refuse_missing(program: str, word: str) -> None:
    """Raise EntryPointNotFound for a script that an interpreter cannot find: neither here nor, as a path, on a host."""
    kind = family(program)
    of_suffix = INTERPRETERS.get(posixpath.splitext(word)[1])
    strict = kind == "python" or posixpath.basename(program) in HOST_SHELLS or (kind is not None and of_suffix == kind)
    if not strict or word.startswith("/") or any(mark in word for mark in PLACES):
        return
    refuse_other(word)
    near = similar(word)
    remedy = f"did you mean {near}?" if near else f"name it as it is in the app, or {CALLERS % word}"
    raise EntryPointNotFound("no such file here or in the app, for the entry point", os.fsencode(word), remedy)


def refuse_other(word: str) -> None:
    """Raise EntryPointNotFound for a thing here that cannot be run, as it is not a file."""
    name = os.fsencode(word)
    if os.path.isdir(word):  # noqa: PTH112 - Path raises errors of directories that cannot be searched
        raise EntryPointNotFound(NO_MAIN, name, "name a file of it")
    if os.path.exists(word):  # noqa: PTH110
        raise EntryPointNotFound("is not a regular file, as an entry point has to be", name)
    if os.path.islink(word):  # noqa: PTH114
        raise EntryPointNotFound("is a symbolic link that leads nowhere", name)


def check_script(program: str, arguments: Sequence[str], names: Names) -> None:
    """Raise EntryPointNotFound for a script that is nowhere, before there is an environment to look into."""
    for word in words_of(program, arguments):
        if word.role == "script" and names.in_app(word.text) is None and names.in_prefix(word.text) is None:
            refuse_missing(program, word.text)
