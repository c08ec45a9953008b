"""Collect the user's own files, under the names they were given by."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AppError
from .content import SECOND, Content, Link
from .link_target import is_below, leaving_links
from .source import OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONTROLLED = re.compile(r"app/((?:.*/)?\.(?:git|hg|svn|bzr))(?:/|$)")
LEFT_OUT = ("__pycache__",)  # compiled by another Python, for other times


def collect(sources: Sequence[str], date: int, output: Path) -> tuple[list[Content | Link], list[str]]:
    """Return the files and links of the app, and its directories, all relative to the root and sorted.

    Modes keep only what the owner may execute, times are `date`: a checkout's umask and time do not show.
    What stands at `output`, the archive of an earlier build, is left out. Raises AppError for a source that is
    missing, unreadable, or neither file nor directory, and for two files that would have one place.
    """
    files: dict[str, Content | Link] = {}
    origins: dict[str, Path] = {}
    directories: set[str] = set()
    for source, name in expand(sources):
        for path, item in _walk(source, name):
            target = posixpath.normpath(posixpath.join("app", path))
            if item.is_dir() and not (item.is_symlink() and path != name):
                directories.add(target)
            elif item.name != output.name or _place(item) != _place(output):
                _refuse_other(origins.setdefault(target, item), item)
                files[target] = _content(item, target, date, follow=path == name)
            elif path == name:
                raise AppError("is the output and cannot be in the app", os.fsencode(item), "name another file with -o")
    for path in sorted(directories & files.keys()):
        raise AppError(f"another source has a directory in its place, {path}", os.fsencode(origins[path]), "rename one")
    return [files[path] for path in sorted(files)], sorted(directories)


def places(sources: Iterable[str]) -> set[str]:
    """Return the one name of everything here that the sources put into the app."""
    items = [item for source, name in expand(list(sources)) for _, item in _walk(source, name)]
    known = {parent: parent.resolve() for parent in {item.parent for item in items}}
    return {str(known[item.parent] / item.name) for item in items}


def notes_on_leaving_links(links: Iterable[Link]) -> Iterator[str]:
    """Yield a note on each link of the app that leads out of the archive."""
    for link in leaving_links(links, "app", "prefix"):
        if is_below(link.path, "app"):
            name = link.path.removeprefix("app/")
            yield f"the app's {name} is a link to {link.target} and stays one; its target is not in the archive"


def version_control(paths: Iterable[str]) -> Iterator[str]:
    """Yield a note on version control in the app: it is large, and may hold what nobody else is to have."""
    found = sorted({match[1] for match in map(CONTROLLED.match, paths) if match})
    if found:
        yield f"the app has {found[0]}, the history of a project; name files or a pattern to leave it out"


def _refuse_other(first: Path, second: Path) -> None:
    if first is not second and _place(first) != _place(second):
        raise AppError(f"would have the same place in the app as {first}", os.fsencode(second), "rename one")


def _place(path: Path) -> Path:
    """Return the one name of a file or link, however it was reached."""
    return path.parent.resolve() / path.name


def app_name(source: str) -> str:
    """Return the name in the app of a path as given: relative paths are kept, others count by their last part."""
    name = posixpath.normpath(source)
    if name == ".." or name.startswith(("/", "../")):
        return Path(source).resolve().name
    return name


def expand(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, name in the app) of each source: `PATH`, or `PATH=TARGET`, where PATH may be a pattern.

    A file that is there is what is meant, whatever its name has in it; patterns are those of glob, with `**`
    for any directories. Raises AppError for a pattern that matches nothing, and a target outside the app.
    """
    for source in sources:
        if os.path.lexists(source) or not set(source) & set("=*?["):
            yield source, app_name(source)
            continue
        before, equals, after = source.rpartition("=")
        path, target = (before, after) if equals and before else (source, None)
        found = [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - Path.glob drops ./
        if not found and not set(path) & set("*?["):
            raise AppError("no such file or directory for the app", os.fsencode(path))
        if not found:
            raise AppError("matches no file or directory for the app", os.fsencode(path), "look at the pattern")
        for each in found:
            yield each, _renamed(each, target, into=found != [path]) if target is not None else app_name(each)


def _renamed(path: str, target: str, *, into: bool) -> str:
    """Return the name in the app that `PATH=TARGET` asks for; a directory to put it into ends with a slash."""
    name = posixpath.normpath(target or ".")
    if name.startswith(("/", "../")) or name == "..":
        raise AppError(f"has a target outside the app, {target}", os.fsencode(path), "name a place inside it")
    return posixpath.normpath(posixpath.join(name, Path(app_name(path)).name)) if into or target[-1:] == "/" else name


def _walk(source: str, name: str) -> Iterator[tuple[str, Path]]:
    if not source:
        raise AppError("an app file has an empty name")
    top = Path(source)
    if not top.exists():
        what = "a symbolic link that leads nowhere" if top.is_symlink() else "no such file or directory for the app"
        raise AppError(what, os.fsencode(source))
    yield name, top
    if not top.is_dir():
        return

    def refuse(error: OSError) -> None:
        raise AppError(f"cannot be read for the app: {error.strerror}", os.fsencode(error.filename)) from error

    for directory, directories, names in os.walk(top, onerror=refuse):
        directories[:] = sorted(d for d in directories if d not in LEFT_OUT)
        relative = posixpath.normpath(posixpath.join(name, os.path.relpath(directory, top)))
        for entry in sorted([*directories, *names]):
            yield posixpath.join(relative, entry), Path(directory, entry)


def _content(item: Path, target: str, date: int, *, follow: bool) -> Content | Link:
    if item.is_symlink() and not follow:
        return Link(target, os.readlink(item))
    state = item.stat()
    if not stat.S_ISREG(state.st_mode):
        raise AppError("cannot be in the app: neither a file nor a directory", os.fsencode(item))
    if not os.access(item, os.R_OK):
        raise AppError("cannot be read for the app: permission denied", os.fsencode(item))
    mode = 0o755 if state.st_mode & 0o100 else 0o644
    return Content(target, mode, date * SECOND, OnDisk(item), state.st_size)
