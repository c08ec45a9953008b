"""Choose the modules of a standard library that a start, the verbs and their errors need."""

from __future__ import annotations

import re
from encodings.aliases import aliases
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import MAIN, PACKAGE

from ..archive.new_tail import bootstrap_members
from .imports import imports_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

NAME = re.compile(r"['\"]([A-Za-z][\w-]{2,15})['\"]")  # a constant that may be the name of an encoding
# Modules that Python imports by itself, and those that its C code imports when they are needed.
STARTED = ("abc", "codecs", "encodings", "io", "os", "zipimport", "importlib", "warnings", "locale", "_bootlocale")
ENCODINGS = ("utf-8", "ascii", "latin-1", "utf-16", "utf-32", "cp437")  # the last is that of names in zips
# Their importers do without them, or import them in functions that are not called here.
LEFT_OUT = frozenset([
    "_bz2", "_hashlib", "_lzma", "_py_abc", "_pydatetime", "_pydecimal", "_pyrepl", "_ssl", "_zstd", "bz2",
    "compression", "doctest", "logging", "lzma", "plistlib", "py_compile", "pydoc", "site", "tarfile", "unicodedata",
    "unittest",
])  # fmt: skip


def library_modules(directory: str, paths: Iterable[str]) -> dict[str, str]:
    """Return the modules of the standard library in a directory, such as `lib/python3.12`: their paths by name."""
    inside = (path for path in paths if path.startswith(f"{directory}/") and "/site-packages/" not in path)
    named = ((_module_name(path.removeprefix(f"{directory}/")), path) for path in sorted(inside))
    return {name: path for name, path in named if name is not None}


def _module_name(path: str) -> str | None:
    if path.startswith("lib-dynload/") and path.endswith(".so"):
        return path.removeprefix("lib-dynload/").partition(".")[0]
    if path.endswith(".py"):
        return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return None


def needed_modules(library: Mapping[str, str], read: Callable[[str], str]) -> list[str]:
    """Return the names of needed modules, sorted; `read` returns the text of a path.

    Imports in functions count for the modules that the bootstrap itself imports: it calls these functions.
    """
    sources = bootstrap_sources()
    direct = {name for source in sources for name in imports_of(source, PACKAGE, functions=True)}
    names = [*direct, *STARTED, *map(_encoding, (*ENCODINGS, *_constants(sources)))]
    modules: set[str] = set()
    while names:
        for module in _with_parents(names.pop()):
            if module.partition(".")[0] in LEFT_OUT or module in modules or module not in library:
                continue
            modules.add(module)
            path = library[module]
            if path.endswith(".py"):
                package = module if path.endswith("/__init__.py") else module.rpartition(".")[0]
                names += imports_of(read(path), package, functions=module in direct)
    return sorted(modules)


def bootstrap_sources() -> list[str]:
    """Return the texts that every archive carries: modules, and the prelude, which has Python in it."""
    members = bootstrap_members()
    return [data.decode() for name, data in sorted(members.items()) if name != MAIN]


def _constants(sources: Iterable[str]) -> Iterator[str]:
    return (name for source in sources for name in NAME.findall(source))


def _encoding(name: str) -> str:
    """Return the module of an encoding, which codecs are looked up by."""
    word = name.lower().replace("-", "_")
    return f"encodings.{aliases.get(word, word)}"


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
