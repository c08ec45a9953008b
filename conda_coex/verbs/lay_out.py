"""Lay out the packages of an environment in the root, for create and pack alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conda_api import versions
from ..root import bytecode, conda_meta
from ..root.layout import Group
from ..root.link_rules import find_python

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..archive.frame_cache import FrameCache
    from ..inputs.environment import Environment
    from ..root.layout import Layout
    from ..root.link_rules import PackagePlan

# Owners of files that belong to more than one package.
SCRIPTS, META = "console scripts", "conda-meta"


def place_packages(layout: Layout, plans: Sequence[PackagePlan]) -> None:
    """Place the files of all packages, then the console scripts of noarch packages."""
    for plan in plans:
        layout.place(Group(plan.package.dist, plan.identity, of_package=True), plan.files)
    for plan in plans:
        layout.place(SCRIPTS, plan.entry_points)


def place_compiled(layout: Layout, plans: Sequence[PackagePlan], cache: FrameCache, *, native: bool) -> list[str]:
    """Compile noarch Python packages, and place their .pyc files; return the sources that the host has to compile.

    `native` says whether the Python of the archive runs on this machine.
    """
    python = find_python([plan.package for plan in plans])
    compiled, left_to_host = bytecode.Compiler(python, native, cache).compile_plans(plans)
    for made in compiled:
        layout.place(made.group, made.files)
    return left_to_host


def place_conda_meta(
    layout: Layout, plans: Sequence[PackagePlan], environment: Environment, date: int, removed: Collection[str] = ()
) -> None:
    """Place `conda-meta`: a record for each package without the `removed` files, the history, and the state."""
    items = conda_meta.plan_records(plans, date, removed)
    items.append(conda_meta.plan_history(plans, environment.specs, versions.version(), date))
    layout.place(META, items + conda_meta.plan_state(environment.variables, date))
