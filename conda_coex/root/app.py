"""Collect the user's own files under the names by which they were given."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import AppError
from .content import SECOND, Content, Link
from .link_target import is_below, leaving_links
from .source import OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONTROLLED = re.compile(r"app/((?:.*/)?\.(?:git|hg|svn|bzr))(?:/|$)")
LEFT_OUT = ("__pycache__",)  # compiled by another Python, for other times


class FoundFile(NamedTuple):
    """One file, link or directory of a source, by its path in the root."""

    path: str
    item: Path
    is_source: bool  # named by the user, not found in a directory: a link is followed
    is_directory: bool


class App:
    """The files of an app. Each source is walked once, when it is first needed."""

    def __init__(self, sources: Iterable[str], output: Path) -> None:
        self.sources, self.output = tuple(sources), output
        self._walked: dict[str, list[FoundFile]] = {}
        self._places: set[str] | None = None

    def collect(self, date: int, own: Iterable[str] = ()) -> tuple[list[Content | Link], list[str]]:
        """Return the files and links of the app, and its directories, all relative to the root and sorted.

        `own` are sources beside those that the user named. Modes keep only the permission of the owner to execute, and
        times are `date`: so the umask and the time of a checkout have no effect. The archive of an earlier build at the
        output is left out. Raises AppError for a source that is missing, unreadable, or neither file nor directory,
        and for two files that would have one place.
        """
        files: dict[str, Content | Link] = {}
        first: dict[str, Path] = {}  # file here, by path in the root
        directories: set[str] = set()
        entries = [entry for source in (*self.sources, *own) for entry in self._walk(source)]
        for path, item, is_source, is_directory in entries:
            if is_directory:
                directories.add(path)
            elif item.name != self.output.name or _place(item) != _place(self.output):
                _refuse_other(first.setdefault(path, item), item)
                files[path] = _content(item, path, date, follow=is_source)
            elif is_source:
                raise AppError("is the output and cannot be in the app", os.fsencode(item), "name another file with -o")
        for path in sorted(directories & files.keys()):
            what = f"another source has a directory in its place, {path}"
            raise AppError(what, os.fsencode(first[path]), "rename one")
        return [files[path] for path in sorted(files)], sorted(directories)

    def has(self, file: str) -> bool:
        """Return whether the sources put a file here, or one with its name, into the app."""
        if app_name(file) in map(app_name, self.sources):
            return True
        if self._places is None:
            items = [entry.item for source in self.sources for entry in self._walk(source)]
            parents = {parent: parent.resolve() for parent in {item.parent for item in items}}
            self._places = {str(parents[item.parent] / item.name) for item in items}
        return canonical_path(file) in self._places

    def find(self) -> None:
        """Walk all sources: files that come later are not in the app, such as an unfinished output among them."""
        for source in self.sources:
            self._walk(source)

    def _walk(self, source: str) -> list[FoundFile]:
        if source not in self._walked:
            self._walked[source] = [entry for given, name in expand([source]) for entry in _walk(given, name)]
        return self._walked[source]


def notes_on_app_links(links: Iterable[Link]) -> Iterator[str]:
    """Yield a note on each link of the app that leads out of the archive."""
    for link in leaving_links(links, "app", "prefix"):
        if is_below(link.path, "app"):
            name = link.path.removeprefix("app/")
            yield f"the app's {name} is a link to {link.target} and stays one; its target is not in the archive"


def version_control(paths: Iterable[str]) -> Iterator[str]:
    """Yield a note on version control in the app: it is large, and may have private content."""
    directories = sorted({match[1] for match in map(CONTROLLED.match, paths) if match})
    if directories:
        yield f"the app has {directories[0]}, the history of a project; name files or a pattern to leave it out"


def _refuse_other(first: Path, second: Path) -> None:
    if first is not second and _place(first) != _place(second):
        raise AppError(f"would have the same place in the app as {first}", os.fsencode(second), "rename one")


def _place(path: Path) -> Path:
    """Return the one name of a file or link, for all paths to it."""
    return path.parent.resolve() / path.name


def app_name(source: str) -> str:
    """Return the name in the app of a path as given: relative paths are kept, others count by their last part."""
    name = posixpath.normpath(source)
    if name == ".." or name.startswith(("/", "../")):
        return Path(source).resolve().name
    return name


def canonical_path(path: str, known: dict[str, str] | None = None) -> str:
    """Return the one name of a file or link, for all paths to it; `known` has the real paths of directories."""
    known = {} if known is None else known
    path = path.rstrip("/")
    directory, name = os.path.split(path)
    if directory not in known:
        known[directory] = os.path.realpath(directory or ".")
    return os.path.join(known[directory], name)  # noqa: PTH118


def expand(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, name in the app) of each source: `PATH`, or `PATH=TARGET`, where PATH may be a pattern.

    The name of an existing file is never a pattern; patterns are those of glob, with `**` for any directories.
    Raises AppError for a pattern that matches nothing, and a target outside the app.
    """
    for source in sources:
        if os.path.lexists(source) or not set(source) & set("=*?["):
            yield source, app_name(source)
            continue
        before, equals, after = source.rpartition("=")
        path, target = (before, after) if equals and before else (source, None)
        paths = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - Path.glob drops ./
        if not paths and not set(path) & set("*?["):
            raise AppError("no such file or directory for the app", os.fsencode(path))
        if not paths:
            raise AppError("matches no file or directory for the app", os.fsencode(path), "look at the pattern")
        for each in paths:
            yield each, _renamed(each, target, into=paths != [path]) if target is not None else app_name(each)


def _renamed(path: str, target: str, *, into: bool) -> str:
    """Return the name in the app that `PATH=TARGET` asks for; a directory to put it into ends with a slash."""
    name = posixpath.normpath(target or ".")
    if name.startswith(("/", "../")) or name == "..":
        raise AppError(f"has a target outside the app, {target}", os.fsencode(path), "name a place inside it")
    return posixpath.normpath(posixpath.join(name, Path(app_name(path)).name)) if into or target[-1:] == "/" else name


def _walk(source: str, name: str) -> Iterator[FoundFile]:
    if not source:
        raise AppError("an app file has an empty name")
    top, target = Path(source), posixpath.normpath(posixpath.join("app", name))
    if not top.exists():
        what = "a symbolic link that leads nowhere" if top.is_symlink() else "no such file or directory for the app"
        raise AppError(what, os.fsencode(source))
    yield FoundFile(target, top, is_source=True, is_directory=top.is_dir())
    if not top.is_dir():
        return

    def refuse(error: OSError) -> None:
        raise AppError(f"cannot be read for the app: {error.strerror}", os.fsencode(error.filename)) from error

    for directory, directories, names in os.walk(top, onerror=refuse):
        directories[:] = sorted(d for d in directories if d not in LEFT_OUT)
        relative = posixpath.normpath(posixpath.join(target, os.path.relpath(directory, top)))
        below = set(directories)
        for entry in sorted([*directories, *names]):
            item = Path(directory, entry)
            is_directory = entry in below and not item.is_symlink()
            yield FoundFile(posixpath.join(relative, entry), item, is_source=False, is_directory=is_directory)


def _content(item: Path, target: str, date: int, *, follow: bool) -> Content | Link:
    try:
        if item.is_symlink() and not follow:
            return Link(target, os.readlink(item))
        state = item.stat()
    except OSError as error:
        raise AppError(f"cannot be read for the app: {error.strerror}", os.fsencode(item)) from error
    if not stat.S_ISREG(state.st_mode):
        raise AppError("cannot be in the app: neither a file nor a directory", os.fsencode(item))
    if not os.access(item, os.R_OK):
        raise AppError("cannot be read for the app: permission denied", os.fsencode(item))
    mode = 0o755 if state.st_mode & 0o100 else 0o644
    return Content(target, mode, date * SECOND, OnDisk(item), state.st_size)
