"""Read what lies in a live prefix and no conda package manages: what pip installed, and files of nobody."""

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
from .files import read_live, safe_mode
from .walk import Tree, walk

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

COMPILED = re.compile(r"(?P<directory>(?:.*/)?)__pycache__/(?P<stem>[^/]+)\.(?P<tag>[^./]+)\.pyc\Z")
UNRESERVED = "/!$&'()*+,;=:@"  # what a path of a URL need not encode (RFC 3986), and what some encode


@dataclass
class Unmanaged:
    """Files and links of the root, with what has to be said about them; paths in notes are relative to the prefix."""

    items: list[Content | Link] = field(default_factory=list)
    directories: dict[str, int] = field(default_factory=dict)  # path of the root, mode
    sources: list[Content] = field(default_factory=list)  # whose .pyc was there, and is to be made anew
    left_out: list[tuple[str, str]] = field(default_factory=list)  # path, what it is
    cached: list[str] = field(default_factory=list)  # that were links to files outside
    privileged: list[str] = field(default_factory=list)  # that run with more rights than their caller's
    stay: dict[str, int] = field(default_factory=dict)  # places that name the prefix, and cannot be changed

    @property
    def contents(self) -> list[Content]:
        return [item for item in self.items if isinstance(item, Content)]


def collect_unmanaged(
    prefix: Path,
    managed: Container[str],
    names: Sequence[str] = (),
    tree: Tree | None = None,
    of_packages: Container[str] = (),
) -> Unmanaged:
    """Return what is in `prefix` beside `managed`, which are paths relative to it, as it will be in the root.

    Every file that names the prefix by one of `names` (the path as given, and where it really is, by default)
    gets that as its placeholder. Cached .pyc files are left out, but `of_packages`: `sources` are those that had one.
    Links into the prefix become relative. Raises FileChanged for what cannot be read.
    """
    tree = tree or walk(prefix)
    names = tuple(names) or names_of(prefix)
    found = Unmanaged(left_out=list(tree.left_out))
    files = [path for path in tree.files if path not in managed]
    compiled = {path for path in files if COMPILED.match(path) and path not in of_packages}
    wanted = [(prefix / path, f"prefix/{path}") for path in files if path not in compiled]
    found.items += read_files(wanted, names, found)
    by_path = {content.path: content for content in found.contents}
    sources = {f"prefix/{source_of(path)}" for path in compiled}
    found.sources = [by_path[path] for path in sorted(sources & by_path.keys())]
    found.items += [live_link(path, target, names) for path, target in tree.links.items() if path not in managed]
    found.directories = {
        f"prefix/{path}": directory_mode(state)
        for path, state in tree.directories.items()
        if posixpath.basename(path) != "__pycache__"
    }
    return found


def names_of(prefix: Path, others: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the paths by which the files of a prefix may name it: as it is given, really, as in URLs and in JSON.

    `others` are more names of it.
    """
    given = os.path.abspath(prefix)  # noqa: PTH100  # links are kept
    plain = [given, os.path.realpath(given), *others]
    encoded = [quote(name, safe) for name in plain for safe in ("/", UNRESERVED)]
    lower = [re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), name) for name in encoded]
    escaped = [json.dumps(name)[1:-1] for name in plain]
    return tuple(dict.fromkeys([*plain, *encoded, *lower, *escaped]))


def read_files(wanted: Sequence[tuple[Path, str]], names: Sequence[str], found: Unmanaged) -> list[Content]:
    """Read files that become paths of the root, on all cores; those that vanished are not among them.

    What names the prefix and cannot be changed is noted in `found`.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        readings = list(filter(None, pool.map(lambda each: read_live(each[0], each[1], names), wanted)))
    found.stay |= {reading.content.path.removeprefix("prefix/"): reading.stay for reading in readings if reading.stay}
    return [reading.content for reading in readings]


def emptied(tree: Tree, kept: Container[str]) -> set[str]:
    """Return the directories that had something in them, of which nothing is `kept`."""
    full: set[str] = set()
    left: set[str] = set()
    for path in (*tree.files, *tree.links):
        above = accumulate(path.split("/")[:-1], posixpath.join)
        full.update(above) if path not in kept else left.update(above)
    return full - left


def directory_mode(state: os.stat_result) -> int:
    """Return the permissions of a directory, which nobody else may write to, and its owner may as before."""
    return safe_mode(state) | 0o700 & state.st_mode


def source_of(compiled: str) -> str:
    """Return the source of a cached .pyc (PEP 3147)."""
    found = COMPILED.match(compiled)
    assert found is not None
    return f"{found['directory']}{found['stem']}.py"


def live_link(path: str, target: str, names: Sequence[str]) -> Link:
    """Return a link of the root: one that names the prefix, or leaves it and comes back, becomes relative."""
    parent = posixpath.dirname(path)
    aim = target
    if posixpath.normpath(posixpath.join(parent, target)).startswith("../"):
        aim = posixpath.normpath(posixpath.join(names[0], parent, target))
    for name in names:
        if (aim + "/").startswith(name + "/"):
            inside = aim[len(name) :].strip("/") or "."
            return Link(f"prefix/{path}", posixpath.relpath(inside, parent or "."))
    return Link(f"prefix/{path}", target)
