"""Read what lies in a live prefix and no conda package manages: what pip installed, and files of nobody."""

from __future__ import annotations

import os
import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .live_file import Reading, read_live, safe_mode
from .live_prefix import Tree, walk
from .pip_record import blank_hashes
from .plan import Content, Link

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence
    from pathlib import Path

COMPILED = re.compile(r"(?P<directory>(?:.*/)?)__pycache__/(?P<stem>[^/]+)\.(?P<tag>[^./]+)\.pyc\Z")


@dataclass
class Unmanaged:
    """Files and links of the root, with what has to be said about them; paths in notes are relative to the prefix."""

    items: list[Content | Link] = field(default_factory=list)
    directories: dict[str, int] = field(default_factory=dict)  # path of the root, mode
    sources: list[Content] = field(default_factory=list)  # whose .pyc was there, and is to be made anew
    left_out: list[tuple[str, str]] = field(default_factory=list)  # path, what it is
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
    readings = read_files(prefix, [path for path in files if path not in compiled], names)
    for path, reading in readings.items():
        found.items.append(reading.content)
        if reading.stay:
            found.stay[path] = reading.stay
    found.items = list(blank_hashes(found.items))
    by_path = {content.path: content for content in found.contents}
    sources = {f"prefix/{source_of(path)}" for path in compiled}
    found.sources = [by_path[path] for path in sorted(sources & by_path.keys())]
    found.items += [live_link(path, target, names) for path, target in tree.links.items() if path not in managed]
    found.directories = {
        f"prefix/{path}": safe_mode(state) | 0o700 & state.st_mode
        for path, state in tree.directories.items()
        if posixpath.basename(path) != "__pycache__"
    }
    return found


def names_of(prefix: Path) -> tuple[str, ...]:
    """Return the paths by which the files of a prefix may name it."""
    given = os.path.abspath(prefix)  # noqa: PTH100  # links are kept
    return tuple(dict.fromkeys([given, os.path.realpath(given)]))


def read_files(prefix: Path, paths: Iterable[str], names: Sequence[str]) -> dict[str, Reading]:
    """Return the readings of files by path, on all cores; those that vanished are not among them."""
    paths = list(paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        readings = pool.map(lambda path: read_live(prefix / path, f"prefix/{path}", names), paths)
        return {path: reading for path, reading in zip(paths, readings, strict=True) if reading is not None}


def source_of(compiled: str) -> str:
    """Return the source of a cached .pyc (PEP 3147)."""
    found = COMPILED.match(compiled)
    assert found is not None
    return f"{found['directory']}{found['stem']}.py"


def live_link(path: str, target: str, names: Sequence[str]) -> Link:
    """Return a link of the root: an absolute one into the prefix becomes relative."""
    for name in names:
        if (target + "/").startswith(name + "/"):
            inside = target[len(name) :].strip("/") or "."
            return Link(f"prefix/{path}", posixpath.relpath(inside, posixpath.dirname(path) or "."))
    return Link(f"prefix/{path}", target)
