"""Bring the sources along that a live prefix imports from outside of it, and let it import them from inside."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.tools.output import human

from ..errors import InputError
from ..prefix.live_file import with_data
from ..prefix.unmanaged import directory_mode, emptied_directories, read_files
from ..prefix.walk import CACHES, TRASH, VERSION_CONTROL, walk
from ..root.content import Content, Link
from . import import_paths as pointers
from .direct_url import editable_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..prefix.filters import Selection
    from ..prefix.unmanaged import Unmanaged

HOME = "share/coex/editable"
NO_SOURCES = CACHES | VERSION_CONTROL | {
    ".tox", ".nox", ".venv", ".env", ".envrc", ".idea", ".vscode", ".eggs",
    "__pycache__", "node_modules",
}  # fmt: skip
SETTINGS = ("pyproject.toml", "setup.py", "setup.cfg")  # of a project; beside them:
ENVIRONMENT = ("conda-meta/history", "pyvenv.cfg")  # files of one
BUILT = ("build", "dist")  # if these are not packages


@dataclass
class Brought:
    """The places for the sources of projects: `homes` are the real paths of their directories."""

    names: tuple[str, ...] = ()  # of the prefix
    homes: dict[str, str] = field(default_factory=dict)  # directory, name below HOME
    places: list[str] = field(default_factory=list)  # real paths of the sources that are brought along
    notes: list[str] = field(default_factory=list)

    def target(self, place: str) -> str | None:
        """Return the place of a project's path in the prefix, None if no project has it."""
        real = os.path.realpath(place)
        home = next((home for home in self.homes if pointers.is_inside(real, [home])), None)
        if home is None or pointers.is_inside(real, self.names):  # a prefix may lie in the project
            return None
        return posixpath.normpath(f"{HOME}/{self.homes[home]}/{os.path.relpath(real, home)}")

    def moved(self, place: str) -> str | None:
        """Return the path in the prefix for a path outside of it, None if that was not brought along."""
        target = self.target(place)
        if target is not None:
            return f"{self.names[0]}/{target}"
        real = os.path.realpath(place)
        name = next((name for name in self.names if pointers.is_inside(real, [name])), None)
        return None if name is None or pointers.is_inside(place, self.names) else self.names[0] + real[len(name) :]


def bring(unmanaged: Unmanaged, names: tuple[str, ...], selection: Selection, output: Path) -> Brought:
    """Add to `unmanaged` the sources that its files lead to, below `prefix/share/coex/editable/NAME`, and lead there.

    Raises InputError if that would be a whole home directory.
    """
    leading = [each for each in pointers.outside(unmanaged.items, names) if not _is_link_to_lines(each.item)]
    places: dict[str, None] = {}
    for pointer in leading:
        for path in pointers.stands_for(pointer.place):
            real = os.path.realpath(path)
            if not pointers.is_inside(real, names):
                places[_checked(real, pointer)] = None
    homes = _homes(places, editable_places(unmanaged.items, names), unmanaged)
    brought = Brought(names, homes, _outermost(places))
    for place in brought.places:
        _take(Path(place), brought, unmanaged, selection, output)
    changed = {pointer.item.path: _rewritten(pointer.item, brought) for pointer in leading}
    unmanaged.items = [changed.get(item.path, item) for item in unmanaged.items]
    by_path = {item.path: item for item in unmanaged.contents}
    unmanaged.sources = [by_path[source.path] for source in unmanaged.sources if source.path in by_path]
    return brought


def _is_link_to_lines(item: Content | Link) -> bool:
    """Return whether a link leads to a .pth file outside, which is not rewritten."""
    return isinstance(item, Link) and item.path.endswith(pointers.LINES)


def _checked(place: str, pointer: pointers.Pointer) -> str:
    home = os.path.realpath(Path.home())
    if place == "/" or pointers.is_inside(home, [place]):
        what = f"{pointer.name} leads to {place}, which is more than the sources of a project"
        remedy = f"let it name the project's directory, or leave it out with --exclude {pointer.name}"
        raise InputError(what, remedy=remedy)
    return place


def _outermost(places: Iterable[str]) -> list[str]:
    outermost: list[str] = []
    for place in sorted(places):
        if not pointers.is_inside(place, outermost):
            outermost.append(place)
    return outermost


def _homes(places: Iterable[str], projects: Iterable[str], unmanaged: Unmanaged) -> dict[str, str]:
    """Return the directories that keep their places relative to each other, each with a unique name.

    For a place within an installed project, they are the project's.
    """
    homes = set()
    for place in places:
        around = [project for project in projects if pointers.is_inside(place, [project])]
        alone = place if Path(place).is_dir() else os.path.dirname(place)  # noqa: PTH120
        homes.add(min(around, key=len) if around else alone)
    below = f"prefix/{HOME}/"
    taken = {item.path[len(below) :].partition("/")[0] for item in unmanaged.items if item.path.startswith(below)}
    names: dict[str, str] = {}
    for home in _outermost(homes):
        stem = re.sub(r"[^\w.-]", "_", Path(home).name, flags=re.ASCII)
        count, name = 1, stem
        while name in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name)
        names[home] = name
    return names


def _take(place: Path, brought: Brought, unmanaged: Unmanaged, selection: Selection, output: Path) -> None:
    """Add the sources at a place: a directory, or a module alone."""
    target = brought.target(os.fspath(place))
    assert target is not None
    if not place.is_dir():
        files = [(place, f"prefix/{target}")] if selection.takes(target, 0) else []
        _add(place, read_files(files, brought.names, unmanaged), brought, unmanaged, selection)
        return
    tree = walk(place, _chooser(place, target, brought, selection, output))
    paths = [path for path, state in tree.files.items() if selection.takes(f"{target}/{path}", state.st_size)]
    files = [(place / path, f"prefix/{target}/{path}") for path in paths]
    links: list[Content | Link] = []
    for path, to in tree.links.items():
        if selection.leaves_out(f"{target}/{path}") is not None:
            continue
        link = _link(place / path, to, f"{target}/{path}", place, brought)
        if link is None:
            files.append((place / path, f"prefix/{target}/{path}"))
        else:
            links.append(link)
    added = [*links, *read_files(files, brought.names, unmanaged)]
    _add(place, added, brought, unmanaged, selection)
    gone = emptied_directories(tree, {path.removeprefix(f"prefix/{target}/") for path in (item.path for item in added)})
    unmanaged.directories.update(
        (f"prefix/{target}/{path}", directory_mode(state))
        for path, state in tree.directories.items()
        if path not in gone
    )
    unmanaged.left_out += [(f"{place}/{path}", what) for path, what in tree.left_out]


def _add(
    place: Path, added: Sequence[Content | Link], brought: Brought, unmanaged: Unmanaged, selection: Selection
) -> None:
    unmanaged.items += added
    files = [item for item in added if isinstance(item, Content)]
    if selection.leaves_out("x.pyc") is None:  # they are compiled, as pip does when it installs
        unmanaged.sources += [item for item in files if item.path.endswith(".py")]
    size = sum(item.size for item in files)
    brought.notes.append(f"brought along: {place}, {len(added)} file{'s' * (len(added) != 1)}, {human(size)}")


def _chooser(place: Path, target: str, brought: Brought, selection: Selection, output: Path) -> Callable[[str], bool]:
    """Return a test of paths below `place` for sources: not caches, outputs or other environments."""
    projects: dict[Path, bool] = {}
    own = os.path.realpath(output)

    def is_project(directory: Path) -> bool:
        if directory not in projects:
            projects[directory] = any((directory / name).is_file() for name in SETTINGS)
        return projects[directory]

    def is_source(path: str) -> bool:
        full, name = place / path, path.rpartition("/")[2]
        if pointers.is_inside(str(full), brought.names) or str(full) == own:
            return False
        if any(os.access(full / mark, os.F_OK) for mark in ENVIRONMENT):
            return False
        if selection.includes(f"{target}/{path}"):
            return True
        if name in NO_SOURCES or TRASH.match(name) or name.endswith((".pyc", ".pyo")):
            return False
        excluded = selection.leaves_out(f"{target}/{path}") == "excluded"
        if excluded and not (selection.include and os.access(full, os.R_OK)):
            return False
        if not is_project(full.parent):
            return True
        return not name.startswith(".") and (name not in BUILT or os.access(full / "__init__.py", os.F_OK))

    return is_source


def _link(path: Path, to: str, target: str, place: Path, brought: Brought) -> Link | None:
    """Return the new link for a link of the sources; None if the file it leads to outside of them takes its place."""
    aim = os.path.normpath(path.parent / to)
    moved = brought.target(aim) if pointers.is_inside(os.path.realpath(aim), brought.places) else None
    inside = next((aim[len(name) + 1 :] for name in brought.names if pointers.is_inside(aim, [name])), moved)
    if inside is not None:
        same = not to.startswith("/") and pointers.is_inside(aim, [str(place)])
        return Link(f"prefix/{target}", to if same else posixpath.relpath(inside or ".", posixpath.dirname(target)))
    return None if path.is_file() else Link(f"prefix/{target}", to)


def _rewritten(item: Content | Link, brought: Brought) -> Content | Link:
    """Return a file or link that leads to the sources that were brought along."""
    if isinstance(item, Link):
        aim = os.path.normpath(pointers.live(item, brought.names).parent / item.target)
        moved = brought.moved(aim)
        if moved is None:
            return item
        inside = posixpath.relpath(moved, posixpath.dirname(str(pointers.live(item, brought.names))))
        return Link(item.path, inside)
    data = pointers.rewrite(item, brought.moved, brought.names)
    return with_data(pointers.live(item, brought.names), data, item.path, brought.names)
