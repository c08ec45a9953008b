"""Decide which file is at each path of the root, package by package in link order, as conda links packages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import PackageRefused
from .content import Content, Link
from .link_target import TooManyLinks, is_below, resolve_links

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..archive.cache_entry import Entry


@dataclass
class Group:
    """The files of one owner. No frame has files of two groups."""

    owner: str
    identity: str | None = None  # the key of its frames in the cache; None: they are not cached
    slot: str | None = None  # the cache keeps the frames of one group of that name: they often change, and may be many
    of_package: bool = False  # a package or its compiled sources: other archives may have the same frames
    entry: Entry | None = None  # of the cache of frames, if it is open already
    all_files: list[Content] = field(default_factory=list)
    files: list[Content] = field(default_factory=list)  # those of `all_files` that stand in the root


class Layout:
    """The root as it will be: `files` and `links` by path. The later package wins (conda's `clobber`)."""

    def __init__(self) -> None:
        self.entries: dict[str, Content | Link] = {}
        self._owners: dict[str, Group] = {}  # by path
        self._groups: dict[str, Group] = {}  # by name, in the order in which they were placed
        self.directories: set[str] = {"prefix", "app"}
        self.modes: dict[str, int] = {}  # of directories that do not have the usual one
        self.notes: list[str] = []  # for the user
        self.platform: str | None = None  # of the archive, if it is known

    def place(self, owner: Group | str, items: Iterable[Content | Link]) -> None:
        """Put files and links of a package, or of another owner, at their paths; they replace others.

        As in conda, all directories of a package are made before its first file.
        """
        given = Group(owner) if isinstance(owner, str) else owner
        group = self._groups.setdefault(given.owner, given)
        if group is not given:
            group.identity = None  # which names the files of the first call alone
        items = list(items)
        above = {item.path[: item.path.rfind("/")] for item in items}
        for directory in sorted(above, key=lambda path: path.split("/")):
            if directory not in self.directories:
                self._make_parents(self.resolve(f"{directory}/."))
        if not (above <= self.directories and self._place_alone(items, group)):
            for item in items:
                self._place_one(item, group)
        group.all_files += [item for item in items if isinstance(item, Content)]

    def place_whole(self, items: Mapping[str, Content | Link]) -> None:
        """Put the files and links of a root that was laid out before, whose directories are known, at their paths.

        They are of no group.
        """
        self.entries.update(items)

    def _place_alone(self, items: Sequence[Content | Link], group: Group) -> bool:
        """Put items of directories at their paths, all at once: there are some ten thousand.

        Return False if not all of the paths are new.
        """
        paths = {item.path: item for item in items}
        is_new = self.entries.keys().isdisjoint(paths) and self.directories.isdisjoint(paths)
        if not is_new or len(paths) < len(items):
            return False
        self.entries.update(paths)
        self._owners.update(dict.fromkeys(paths, group))
        return True

    def _place_one(self, item: Content | Link, group: Group) -> None:
        path = self.resolve(item.path)
        if path in self.directories:
            self._remove_below(path)
        self.entries.pop(path, None)  # the winner takes its place in its own package's order
        self.entries[path] = item if path == item.path else replace(item, path=path)
        self._owners[path] = group
        self._make_parents(path)

    def place_app(self, files: Iterable[Content | Link], directories: Iterable[str]) -> None:
        """Put the files of the app at their paths, and its directories, even if they are empty."""
        self.place("app", files)
        for directory in directories:
            self.make_directory(directory)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files and links that another owner has placed."""
        for path in paths:
            self.entries.pop(path, None)

    def make_directory(self, path: str) -> None:
        """Add a directory, which may stay empty."""
        self.directories.add(path)
        self._make_parents(path)

    def resolve(self, path: str) -> str:
        """Return `path` with the links in its directories followed.

        A file in the place of a directory is removed, as by conda. Raises PackageRefused if a link leads out of the
        environment.
        """
        while path.rpartition("/")[0] not in self.directories:  # all that is above a directory is one
            entry = next((entry for entry in map(self.entries.get, _ancestors(path)) if entry is not None), None)
            if entry is None:
                return path
            directory = self._directory_behind(entry) if isinstance(entry, Link) else None
            if directory is not None:
                path = directory + path[len(entry.path) :]
            else:
                del self.entries[entry.path]
        return path

    def _directory_behind(self, link: Link) -> str | None:
        """Return the directory that a link leads to, or None; raises PackageRefused if the target is outside."""
        try:
            target = resolve_links(link.path, self._target_at)
        except TooManyLinks:
            return None
        if not is_below(target, "prefix"):
            name, group = link.path.removeprefix("prefix/"), self._owners.get(link.path)
            of_owner = f" of {group.owner}" if group is not None else ""
            raise PackageRefused(f"the link {name}{of_owner} leads out of the environment, and a file lies behind it")
        return target if target in self.directories else None

    def _target_at(self, path: str) -> str | None:
        entry = self.entries.get(path)
        return entry.target if isinstance(entry, Link) else None

    def _remove_below(self, path: str) -> None:
        below = path + "/"
        self.entries = {name: entry for name, entry in self.entries.items() if not name.startswith(below)}
        self.directories = {name for name in self.directories if name != path and not name.startswith(below)}

    def _make_parents(self, path: str) -> None:
        if path.rpartition("/")[0] not in self.directories:
            self.directories.update(_ancestors(path))

    def groups(self) -> list[Group]:
        """Return the files by owner, owners in the order in which they were placed.

        An owner with only overwritten files is among them if a record may need the sha256 of one.
        """
        for group in self._groups.values():
            group.files = []
        for path, entry in self.entries.items():
            if isinstance(entry, Content) and (owner := self._owners.get(path)) is not None:
                owner.files.append(entry)
        groups = self._groups.values()
        return [group for group in groups if group.files or any(item.placeholder for item in group.all_files)]

    def files_in(self, directory: str) -> list[tuple[str, Content]]:
        """Return the files that are directly in a directory, with their paths, by which they are sorted."""
        start = directory + "/"
        paths = sorted([path for path in self.entries if path.startswith(start) and "/" not in path[len(start) :]])
        items = [(path, self.entries[path]) for path in paths]
        return [(path, item) for path, item in items if isinstance(item, Content)]

    def links(self) -> list[Link]:
        """Return all links of the root."""
        return [entry for entry in self.entries.values() if isinstance(entry, Link)]


def _ancestors(path: str) -> list[str]:
    """Return the directories of a path, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]
