"""Lay out files that are of no conda package, by distribution, so that later builds have their frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores

from ..conda_api.interpreters import interpreters
from ..pypi.listed import owners_of
from ..root.bytecode import Compiler, Sources, parts_of
from ..root.content import Content
from ..root.content_digest import content_digest
from ..root.cores import Cores
from ..root.layout import Group
from ..root.link_rules import find_python
from ..root.source import OnDisk
from .lay_out import compress_ahead

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from ..archive.frame_cache import FrameCache
    from ..root.content import Link
    from ..root.layout import Layout
    from ..root.link_rules import PackagePlan, Python

    Item = TypeVar("Item", bound=Content | Link)


@dataclass(frozen=True)
class NotOfConda:
    """Files and links of no conda package: those that pip has installed, and in a live environment all others."""

    items: Sequence[Content | Link]
    sources: Sequence[Content]  # those of the items that are to be compiled
    owner: str  # of the files that no distribution lists
    slot: str | None = None  # in which the cache keeps the frames of these
    of_packages: bool = False  # each distribution is a package, which other archives may have
    program: Path | None = None  # that compiles; None: the package of Python has it
    removed: Collection[str] = ()  # files of conda packages that are gone


def place_installed(
    layout: Layout, plans: Sequence[PackagePlan], given: NotOfConda, cache: FrameCache, *, native: bool
) -> list[str]:
    """Place files of no conda package, and their .pyc files; return the sources that the host has to compile."""
    owners = owners_of(given.items)
    cores = Cores(usable_cores())
    compiler = _compiler(plans, given, cache, cores, native=native)
    sources = {item.path: item for item in given.sources if compiler is not None and _compiles(item)}
    plain = _groups([item for item in given.items if item.path not in sources], owners, given)
    _place(layout, plain)
    if compiler is None:
        return []
    jobs = [
        Sources(group.owner, group.identity, parts_of(group.files), group.of_package, group.slot, joined=True)
        for group, _ in _groups(sources.values(), owners, given, " compiled")
    ]
    compiled, left_to_host = compiler.compile(jobs, lambda: compress_ahead([group for group, _ in plain], cache, cores))
    if not compiled:
        _place(layout, _groups(sources.values(), owners, given, " sources"))
    for made in compiled:
        layout.place(made.group, made.files)
    return left_to_host + [item.path.removeprefix("prefix/") for item in given.sources if item.path not in sources]


def _compiles(source: Content) -> bool:
    """Return whether a source has the same text on each host, and is a file here."""
    return source.relocation is None and isinstance(source.source, OnDisk)


def _place(layout: Layout, groups: Iterable[tuple[Group, Sequence[Content | Link]]]) -> None:
    for group, items in groups:
        layout.place(replace(group, all_files=[], files=[]), items)


def _groups(
    items: Iterable[Content | Link], owners: Mapping[str, str], given: NotOfConda, kind: str = ""
) -> list[tuple[Group, list[Content | Link]]]:
    """Return a group with files of each owner, and its items."""
    groups = []
    for owner, own in _by_owner(items, owners, given.owner).items():
        files = [item for item in own if isinstance(item, Content)]
        slot = given.slot + kind if given.slot and owner == given.owner else None
        group = Group(owner + kind, _identity(files), slot, given.of_packages, all_files=files, files=files)
        groups.append((group, own))
    return groups


def _by_owner(items: Iterable[Item], owners: Mapping[str, str], rest: str) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        owner = f"{owners[item.path]} (pip)" if item.path in owners else rest
        found.setdefault(owner, []).append(item)
    return found


def _identity(files: Sequence[Content]) -> str | None:
    digest = content_digest(files)
    return f"files {digest}" if digest is not None else None


def _compiler(
    plans: Sequence[PackagePlan], given: NotOfConda, cache: FrameCache, cores: Cores, *, native: bool
) -> Compiler | None:
    """Return a compiler for the Python of the packages, if they have one."""
    python = find_python([plan.package for plan in plans])
    if python is None or not given.sources:
        return None
    others = () if native else interpreters(python.version)
    compiler = Compiler(python, native, cache, others, cores, given.program)
    compiler.find_program(plans)
    if native and _changes(python, plans, given):
        compiler.interpreter = None  # it is not that of the package any more
    return compiler


def _changes(python: Python, plans: Sequence[PackagePlan], given: NotOfConda) -> bool:
    """Return whether files of Python itself were changed, or others are in the place in which it looks for its own."""
    own = {item.path for plan in plans if plan.package is python.package for item in plan.files}
    below, library = f"prefix/{python.site_packages}/", "prefix/lib/python"
    paths = {*given.removed, *(item.path for item in given.items)}
    return any(
        path in own or path.endswith("/pyvenv.cfg") or (path.startswith(library) and not path.startswith(below))
        for path in paths
    )
