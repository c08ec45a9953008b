"""Read the files of a live prefix that no conda package manages: those of pip, and those of no installer."""

from __future__ import annotations

import json
import os
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import quote

from coex_bootstrap.base.cpu_count import usable_cores

from ..root.content import Content, Link
from .live_file import read_live, safe_mode, staged_file
from .walk import Tree, walk

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from pathlib import Path

    from .live_file import Reading

COMPILED = re.compile(r"(?P<directory>(?:.*/)?)__pycache__/(?P<stem>[^/]+)\.(?P<tag>[^./]+)\.pyc\Z")
UNRESERVED = "/!$&'()*+,;=:@"  # characters that a path of a URL may have (RFC 3986); some programs encode them


@dataclass
class Unmanaged:
    """Files and links of the root, and facts for notes, with paths relative to the prefix."""

    items: list[Content | Link] = field(default_factory=list)
    directories: dict[str, int] = field(default_factory=dict)  # path of the root, mode
    sources: list[Content] = field(default_factory=list)  # they had a .pyc, which is to be compiled again
    left_out: list[tuple[str, str]] = field(default_factory=list)  # path, kind of file
    cached: list[str] = field(default_factory=list)  # they were links to files outside of the prefix
    privileged: list[str] = field(default_factory=list)  # they run with more privileges than their caller
    fixed: dict[str, int] = field(default_factory=dict)  # path, number of places with the prefix that cannot be changed

    @property
    def contents(self) -> list[Content]:
        """The items that are files."""
        return [item for item in self.items if isinstance(item, Content)]


def collect_unmanaged(
    prefix: Path,
    managed: Container[str],
    names: Sequence[str] = (),
    tree: Tree | None = None,
    of_packages: Container[str] = (),
    staged: Mapping[str, str] | None = None,
) -> Unmanaged:
    """Return the files of `prefix`, without `managed` (paths relative to it), as they will be in the root.

    A file that names the prefix by one of `names`, by default its given and its real path, gets that as its
    placeholder; those of `staged` are known to name it nowhere, and have these sha256. Only those cached .pyc files are
    taken that are in `of_packages`. Links into the prefix become relative. Raises FileChanged for a file that cannot be
    read.
    """
    tree = tree or walk(prefix)
    names = tuple(names) or names_of(prefix)
    unmanaged = Unmanaged(left_out=list(tree.left_out))
    files = [path for path in tree.files if path not in managed]
    compiled = {path for path in files if COMPILED.match(path) and path not in of_packages}
    staged = staged or {}
    to_read = [(prefix / path, f"prefix/{path}") for path in files if path not in compiled and path not in staged]
    unmanaged.items += read_files(to_read, names, unmanaged)
    unmanaged.items += [
        staged_file(f"{prefix}/{path}", f"prefix/{path}", tree.files[path], staged[path])
        for path in files if path not in compiled and path in staged
    ]  # fmt: skip
    by_path = {content.path: content for content in unmanaged.contents}
    sources = {f"prefix/{source_of(path)}" for path in compiled}
    unmanaged.sources = [by_path[path] for path in sorted(sources & by_path.keys())]
    unmanaged.items += [live_link(path, target, names) for path, target in tree.links.items() if path not in managed]
    unmanaged.directories = {
        f"prefix/{path}": directory_mode(state)
        for path, state in tree.directories.items()
        if posixpath.basename(path) != "__pycache__"
    }
    return unmanaged


def names_of(prefix: Path, others: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the paths by which files may name a prefix: given, real and `others`, also as in URLs and in JSON."""
    given = os.path.abspath(prefix)  # noqa: PTH100  # links are kept
    plain = [given, os.path.realpath(given), *others]
    encoded = [quote(name, safe) for name in plain for safe in ("/", UNRESERVED)]
    lower = [re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), name) for name in encoded]
    escaped = [json.dumps(name)[1:-1] for name in plain]
    return tuple(dict.fromkeys([*plain, *encoded, *lower, *escaped]))


def read_files(files: Sequence[tuple[Path, str]], names: Sequence[str], unmanaged: Unmanaged) -> list[Content]:
    """Read files, given with their paths of the root, on all cores; leave out those that do not exist any more.

    Places that name the prefix and cannot be changed are recorded in `unmanaged`.
    """

    def read(file: tuple[Path, str]) -> Reading | None:
        return read_live(*file, names)

    with ThreadPoolExecutor(usable_cores()) as pool:
        readings = list(filter(None, pool.map(read, files)))
    unmanaged.fixed |= {each.content.path.removeprefix("prefix/"): each.fixed for each in readings if each.fixed}
    return [reading.content for reading in readings]


def emptied_directories(tree: Tree, selected: Container[str]) -> set[str]:
    """Return the directories that have files or links, of which none is selected."""
    unselected: set[str] = set()
    needed: set[str] = set()
    for path in (*tree.files, *tree.links):
        above = accumulate(path.split("/")[:-1], posixpath.join)
        (needed if path in selected else unselected).update(above)
    return unselected - needed


def directory_mode(state: os.stat_result) -> int:
    """Return the permissions of a directory, without those of group and others to write."""
    return safe_mode(state) | 0o700 & state.st_mode


def source_of(compiled: str) -> str:
    """Return the source of a cached .pyc (PEP 3147)."""
    match = COMPILED.match(compiled)
    assert match is not None
    return f"{match['directory']}{match['stem']}.py"


def live_link(path: str, target: str, names: Sequence[str]) -> Link:
    """Return a link of the root; it is relative if it names the prefix, or leaves it and comes back."""
    parent = posixpath.dirname(path)
    aim = target
    if posixpath.normpath(posixpath.join(parent, target)).startswith("../"):
        aim = posixpath.normpath(posixpath.join(names[0], parent, target))
    for name in names:
        if (aim + "/").startswith(name + "/"):
            inside = aim[len(name) :].strip("/") or "."
            return Link(f"prefix/{path}", posixpath.relpath(inside, parent or "."))
    return Link(f"prefix/{path}", target)
