"""Make the small Python that an archive carries: the interpreter, the modules of a start, and their libraries.

The same packages give the same bytes. Nothing is run: conda's packages have the compiled modules, too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ..archive.carried_python import CarriedPython
from ..archive.new_manifest import described
from ..errors import PythonNotCarried
from ..prefix.elf import MAGIC
from .modules import library_modules, needed_modules
from .shared_libraries import with_libraries
from .strip import stripped
from .tarball import tarball

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ..root.package import Package

OLDEST = (3, 9)
LIBRARY = re.compile(r"lib/(python(3)\.(\d+)t?)/os\.py\Z")
PROGRAM = "bin/python"  # in the tar
HEADER = 16  # bytes of a .pyc before its code (PEP 552)


@dataclass(frozen=True)
class Interpreter:
    """A CPython in a package: its name, such as `python3.12`, and its version."""

    package: Package
    name: str
    version: tuple[int, int]

    @property
    def program(self) -> str:
        """The path of the program."""
        return f"bin/{self.name}"

    @property
    def library(self) -> str:
        """The path of the standard library."""
        return f"lib/{self.name}"


def find_interpreter(packages: Iterable[Package], platform: str) -> Interpreter | None:
    """Return the Python that an archive for a platform can carry: CPython, from 3.9 on; None if there is none."""
    for package in packages:
        if package.name == "python" and package.record.get("subdir") == platform:
            for path in package.linked:
                if match := LIBRARY.match(path.path):
                    python = Interpreter(package, match[1], (int(match[2]), int(match[3])))
                    return python if python.version >= OLDEST and _is_elf(package.directory / python.program) else None
    return None


def carry(interpreter: Interpreter, packages: Sequence[Package], names: Iterable[str] = ()) -> CarriedPython:
    """Return the Python to carry, with libraries of other packages; raises PythonNotCarried.

    `names` are the paths of a live prefix, which have no place in an archive.
    """
    files = _Files(_places([interpreter.package, *packages]), tuple(map(os.fsencode, names)))
    modules = library_modules(interpreter.library, files.places)
    chosen = [modules[name] for name in needed_modules(modules, files.text)]
    extensions = [path for path in chosen if path.endswith(".so")]
    objects = with_libraries([interpreter.program, *extensions], files.read, files.places)
    content = {PROGRAM if path == interpreter.program else path: stripped(data) for path, data in objects.items()}
    content.update(_module(files, path, interpreter) for path in chosen if path.endswith(".py"))
    return CarriedPython(
        # Python looks for the directory of extensions, even if it has none
        tarball(content, [PROGRAM], [f"{interpreter.library}/lib-dynload"]),
        interpreter.package.version,
        sum(map(len, content.values())),
        _sources(files.places[path][1] for path in sorted(objects)),
        interpreter.package,
    )


@dataclass(frozen=True)
class _Files:
    """The files of packages by their paths in a prefix; `names` are paths of a live prefix."""

    places: Mapping[str, tuple[Path, Package]]
    names: tuple[bytes, ...]

    def read(self, path: str) -> bytes:
        """Return the content of a file; a path of a live prefix in it is another text of its length."""
        place, package = self.places[path]
        if not place.resolve().is_relative_to(_resolved(package.directory)):
            raise PythonNotCarried(f"{path} leads out of the package {package.dist}")
        try:
            data = place.read_bytes()
        except OSError as error:
            raise PythonNotCarried(f"{path} of {package.dist} cannot be read: {error.strerror}") from error
        for name in sorted(self.names, key=len, reverse=True):
            data = data.replace(name, b"/".ljust(len(name), b"x"))
        return data

    def text(self, path: str) -> str:
        """Return the text of a module."""
        return self.read(path).decode("utf-8", "replace")


@cache
def _resolved(directory: Path) -> Path:
    return directory.resolve()


def _places(packages: Iterable[Package]) -> dict[str, tuple[Path, Package]]:
    """Return the files in `bin` and `lib` that packages list and have, by their paths in a prefix; of two the first."""
    places: dict[str, tuple[Path, Package]] = {}
    for package in packages:
        if package.noarch is None:
            for path in package.linked:
                place = package.directory / path.path
                if path.path.startswith(("bin/", "lib/")) and path.path not in places and place.is_file():
                    places[path.path] = place, package
    return places


def _module(files: _Files, path: str, interpreter: Interpreter) -> tuple[str, bytes]:
    """Return path and content of a module: compiled if its package has that, else its text.

    A compiled one needs no text beside it. The date of the text, which it begins with, is left out.
    """
    directory, _, name = path.rpartition("/")
    tag = "cpython-{}{}".format(*interpreter.version)
    compiled = f"{directory}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
    text = files.read(path)
    if compiled in files.places:
        data = files.read(compiled)
        flags, size = (int.from_bytes(data[start : start + 4], "little") for start in (4, 12))
        if len(data) > HEADER and (flags or size == len(text)):
            return f"{path}c", data[:4] + bytes(HEADER - 4) + data[HEADER:]
    return path, text


def _sources(packages: Iterable[Package]) -> list[dict[str, object]]:
    """Return the facts about packages that an archive keeps, each once."""
    sources = {package.dist: described(package) for package in packages}
    return [sources[dist] for dist in sorted(sources)]


def _is_elf(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
