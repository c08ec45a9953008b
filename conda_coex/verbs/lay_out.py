"""Lay out the packages of an environment in the root, for create and pack alike."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores
from coex_bootstrap.tools.output import counted, human

from ..archive.frame_reader import FrameReader
from ..archive.payload import Payload
from ..conda_api import versions
from ..conda_api.interpreters import interpreters
from ..root import conda_meta
from ..root.bytecode import Compiler
from ..root.content import Content
from ..root.cores import Cores
from ..root.layout import Group
from ..root.link_rules import find_python
from .assemble import fraction_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from ..archive.frame_cache import FrameCache
    from ..inputs.environment import Environment
    from ..root.layout import Layout
    from ..root.link_rules import PackagePlan, Python

# Owners of files that belong to more than one package.
SCRIPTS, META = "console scripts", "conda-meta"


def place_packages(
    layout: Layout, plans: Sequence[PackagePlan], begin: Callable[[Group], object] = lambda _group: None
) -> None:
    """Place the files of all packages, with a call of `begin` for each, then the scripts of noarch packages."""
    for plan in plans:
        group = _group(plan)
        layout.place(group, plan.files)
        begin(group)
    for plan in plans:
        layout.place(SCRIPTS, plan.scripts)


def _group(plan: PackagePlan) -> Group:
    return Group(plan.package.dist, plan.identity, of_package=True)


def place_compiled(layout: Layout, plans: Sequence[PackagePlan], cache: FrameCache, *, native: bool) -> list[str]:
    """Compile noarch Python packages, and place their .pyc files; return the sources that the host has to compile.

    `native`: the Python of the archive runs on this machine. Another platform's sources are compiled by a
    Python of this machine that has the same bytecode, if there is one.
    """
    python = find_python([plan.package for plan in plans])
    others = interpreters(python.version) if python and not native else ()
    cores = Cores(usable_cores())
    compiler = Compiler(python, native, cache, others, cores)
    compiled, left_to_host = compiler.compile_plans(plans, lambda: compress_ahead(map(with_files, plans), cache, cores))
    if left_to_host and python and not (native or compiler.program):
        layout.notes.append(_note_on_compiling(layout, left_to_host, python))
    for made in compiled:
        layout.place(made.group, made.files)
    return left_to_host


def with_files(plan: PackagePlan) -> Group:
    """Return the group of a package with all of its files."""
    files = [item for item in plan.files if isinstance(item, Content)]
    return replace(_group(plan), all_files=files, files=files)


def compress_ahead(groups: Iterable[Group], cache: FrameCache, cores: Cores) -> None:
    """Compress groups that the cache of frames lacks into it: the archive, which takes them, does not begin yet.

    A cache without room ends this: frames that it does not keep would be compressed twice. Raises the errors of a
    damaged package.
    """
    paths = ((group, cache.path(group.identity, group.slot) if group.identity else None) for group in groups)
    groups = [group for group, path in paths if path is not None and not path.exists()]
    total = sum(item.size for group in groups for item in group.files)
    if total:
        with (
            Path(os.devnull).open("r+b") as nowhere,
            FrameReader(nowhere, 0) as reader,
            versions.progress_bar("Compiling and compressing") as update,
        ):
            payload = Payload(nowhere, cache, fraction_of(total, update), cores=cores, reader=reader)
            payload.add(group for group in groups if cache.takes_more)


def _note_on_compiling(layout: Layout, sources: Sequence[str], python: Python) -> str:
    """Return a note on the cost of sources that no Python of this machine could compile."""
    items = (layout.entries.get(f"prefix/{path}") for path in sources)
    size = human(sum(item.size for item in items if isinstance(item, Content)))
    files = f"{counted(len(sources), 'Python file')} ({size})"
    why = f"no conda environment on this machine has a Python {python.version} with the same bytecode"
    return f"{files} will be compiled by the first start on each host, about a second for each MB: {why}"


def place_conda_meta(
    layout: Layout,
    plans: Sequence[PackagePlan],
    environment: Environment,
    date: int,
    cache: FrameCache,
    removed: Collection[str] = (),
) -> None:
    """Place `conda-meta`: a record for each package without the `removed` files, the history, and the state.

    The cache of frames has the records and the history of an environment that was built before. The variables of an
    environment may be secrets, and its state is not kept.
    """
    history = conda_meta.plan_history(plans, environment.specs, versions.version(), date)
    state = conda_meta.plan_state(environment.variables, date)
    group = Group(META, None if state else conda_meta.identity(plans, date, removed, history))
    group.entry = cache.open(group.identity)
    items = None
    if group.entry is not None:
        sizes = {path: place.size for path, place in group.entry.places.items()}
        items = conda_meta.kept_records(plans, date, removed, sizes, group.entry.slots)
        if items is None:
            group.entry.discard()
            group.entry = None
    if items is None:
        items = [*conda_meta.plan_records(plans, date, removed), history]
    layout.place(group, items + state)
