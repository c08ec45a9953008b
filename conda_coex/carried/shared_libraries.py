"""Find the shared libraries that a carried Python needs beside those of glibc, and check that they will be found."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from ..errors import PythonNotCarried
from ..prefix import elf

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

# The names of glibc's own libraries, which every host has that can run a program of conda.
GLIBC = re.compile(r"(lib(c|m|dl|pthread|rt|util|resolv)|ld-linux[\w.-]*|ld64)\.so\.\d+\Z")
FOLDER = "lib"
ORIGIN = re.compile(r"\$ORIGIN(?![A-Za-z0-9_])|\$\{ORIGIN\}")


def with_libraries(
    programs: Iterable[str], read: Callable[[str], bytes], existing: Container[str]
) -> dict[str, bytes]:
    """Return programs and compiled modules by their paths, and every library in `lib` that one of them needs.

    `read` returns the content of a path of `existing`. Raises PythonNotCarried for a library that no package has, or
    that a loader would not find from an unknown directory.
    """
    paths, objects = list(programs), dict[str, bytes]()
    while paths:
        path = paths.pop()
        if path in objects:
            continue
        data = objects[path] = read(path)
        sections = elf.read_sections(data)
        places = [_place(entry, path) for entry in elf.search_paths(data, sections)]
        for name in elf.needed(data, sections):
            if GLIBC.match(name):
                continue
            library = f"{FOLDER}/{name}"
            if library not in existing:
                raise PythonNotCarried(f"{path} needs {name}, which no package has", remedy=None)
            if FOLDER not in places:
                raise PythonNotCarried(f"{path} does not look for {name} in a directory beside its own")
            paths.append(library)
    return objects


def _place(entry: str, path: str) -> str:
    """Return the directory that a search path of a file leads to, relative to the prefix; absolute ones stay that."""
    return posixpath.normpath(ORIGIN.sub(lambda _: posixpath.dirname(path) or ".", entry))
