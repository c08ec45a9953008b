"""Find the file that a word of an entry point names: of the app, of the environment, or of this machine."""

from __future__ import annotations

import os
import posixpath
import re
from difflib import get_close_matches
from pathlib import Path
from stat import S_IXUSR
from typing import TYPE_CHECKING

from ..errors import EntryPointNotFound
from ..root.app import canonical_path
from ..root.content import Content
from ..root.source import OnDisk
from .script import INTERPRETERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..inputs.variables import Variable
    from ..root.layout import Layout

APP, PREFIX = "${COEX_APP}", "${COEX_PREFIX}"
PLACES = (APP, PREFIX, "${PWD}")  # names that are expanded in words
PLACE = re.compile(r"\$\{COEX_(APP|PREFIX)\}/([^:]+)")
# Files that a program runs or opens as its work, so that one of them here is meant.
SOURCES = {*INTERPRETERS, ".ipynb", ".jar", ".qmd", ".Rmd", ".smk", ".nf", ".jnlp", ".war"}
# Directories for an app in images, as in a Dockerfile.
IMAGES = {"/app", "/code", "/src", "/workspace", "/usr/src/app", "/usr/src", "/opt/app", "/home/app", "/srv/app"}
# Directories that every host has.
OF_THE_HOST = ("/dev", "/proc", "/sys", "/tmp", "/run", "/etc", "/usr", "/bin", "/sbin", "/lib", "/var")  # noqa: S108


class Names:
    """The files that words can name: of the root as far as it is laid out, of the existing environment, and here."""

    def __init__(self, layout: Layout, prefix: str | None) -> None:
        self.layout = layout
        self.prefix = prefix
        self._app_paths: dict[str, str] | None = None

    def in_app(self, word: str) -> str | None:
        """Return the path in the app that a word names, by that path or by the source of the file."""
        if not word:
            return None
        name = posixpath.normpath(word)
        if not name.startswith(("/", "..")) and name != "." and self.stands(f"app/{name}"):
            return name
        return self._by_origin(word) if os.path.lexists(word) else None

    def in_prefix(self, word: str) -> str | None:
        """Return the path in the existing environment that an absolute or relative path leads into."""
        if not self.prefix or "/" not in word:
            return None
        path = posixpath.abspath(word)
        return posixpath.relpath(path, self.prefix) if path.startswith(self.prefix + "/") else None

    def stands(self, path: str) -> bool:
        """Return whether a file, link or directory is at a path of the root."""
        return path in self.layout.entries or path in self.layout.directories

    def check_executable(self, kind: str, word: str) -> None:
        """Raise EntryPointNotFound for a program of the environment that may not be executed."""
        entry = self.layout.entries.get(f"{kind}/{word}") if kind == "prefix" else None
        if isinstance(entry, Content) and not entry.mode & S_IXUSR:
            remedy = "name the program that runs it before it, such as python or sh"
            raise EntryPointNotFound("the environment's file is not executable", os.fsencode(word), remedy)

    def _by_origin(self, word: str) -> str | None:
        if self._app_paths is None:
            self._app_paths = app_paths_by_source(self.layout)
        if not os.path.isdir(word):  # noqa: PTH112
            return self._app_paths.get(canonical_path(word))
        above = os.path.realpath(word) + "/"
        for origin, target in self._app_paths.items():
            inner = origin.removeprefix(above)
            if inner != origin and f"/{target}".endswith(f"/{inner}"):
                return target.removesuffix(inner).rstrip("/") or "."
        return None


def app_paths_by_source(layout: Layout) -> dict[str, str]:
    """Return the path in the app of each of its files on this machine, by its path here."""
    known: dict[str, str] = {}
    return {
        canonical_path(os.fspath(entry.source.path), known): path.removeprefix("app/")
        for path, entry in layout.entries.items()
        if path.startswith("app/") and isinstance(entry, Content) and isinstance(entry.source, OnDisk)
    }


def is_program(path: str) -> bool:
    """Return whether a path here is a file, or a directory that Python runs."""
    return os.path.isfile(path) or os.path.isfile(os.path.join(path, "__main__.py"))  # noqa: PTH113, PTH118


def program_name(word: str) -> str:
    """Return the name of a program for a path such as `/opt/conda/bin/python`, outside of the app; else the word."""
    directory, name = posixpath.split(word)
    of_programs = word.startswith("/") and posixpath.basename(directory) in ("bin", "sbin")
    is_here = word.startswith(f"{Path.cwd()}/")
    return name if of_programs and not is_here else word


def is_source(path: str) -> bool:
    """Return whether a path here is a file of a kind that programs run or open as their work."""
    return posixpath.splitext(path)[1] in SOURCES and os.path.isfile(path)  # noqa: PTH113


def is_bare(word: str) -> bool:
    """Return whether a word may be an ordinary word as well as a file: it has neither a slash nor a dot."""
    return "/" not in word and "." not in word.strip(".")


def is_of_the_builder(path: str) -> bool:
    """Return whether an absolute path is in the current directory or in the home of the user."""
    home = Path("~").expanduser()
    return any(str(above) != "/" and Path(path).is_relative_to(above) for above in (Path.cwd(), home))


def similar(path: str) -> str | None:
    """Return the file here whose name is most like that of a missing one."""
    directory, name = os.path.split(path)
    try:
        matches = get_close_matches(name, [path.name for path in Path(directory or ".").iterdir()], 1)
    except OSError:
        return None
    return os.path.join(directory, matches[0]) if matches else None  # noqa: PTH118


def notes_on_variables(variables: Iterable[Variable], names: Names) -> Iterator[str]:
    """Yield a note on each variable whose value is a path that the app has in another place."""
    for name, value, _ in variables:
        path = names.in_app(value) if not is_bare(value) and value.strip("./") else None
        if path is not None or posixpath.normpath(value) in IMAGES:
            place = f"{APP}/{path}" if path not in (None, ".") else APP
            yield f"{name}={value} is not a path of the app on a host; write {place} if that is meant"


def files_of(kind: str, word: str) -> list[str]:
    """Return the paths of the root that a word of a manifest's entry point names."""
    if kind in ("app", "prefix"):
        return [f"{kind}/{word}"]
    if kind == "module":
        place, _, module = word.rpartition(":")
        path = posixpath.join("app", place, module.replace(".", "/"))
        return [f"{path}.py", f"{path}/__main__.py"]
    if kind == "expanded":
        return [f"{mark.lower()}/{path}" for mark, path in PLACE.findall(word)]
    return []
