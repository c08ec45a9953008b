"""Make the .pyc files of noarch packages and of sources without a package; frames of earlier builds have many."""

from __future__ import annotations

import hashlib
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores

from .compiling_python import Interpreters, find_interpreter, runs
from .content import Content
from .cores import Cores
from .layout import Group
from .source import InMemory, OnDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ..archive.frame_cache import FrameCache
    from .link_rules import PackagePlan, Python

DEPTH = 5  # parts of prefix/lib/pythonX.Y/site-packages/NAME
MODE = 0o644  # of compileall under an umask of 022, for a source of any mode


@dataclass(frozen=True)
class Compiled:
    """The .pyc files of one package, compiled now, or taken from the cache of frames."""

    group: Group
    files: list[Content]

    def close(self) -> None:
        """Close the entry of the cache from which the files were taken."""
        if self.group.entry is not None:
            self.group.entry.close()


class Compiler:
    """Compiles for one Python; `native`: its platform is the builder's.

    `others` are interpreters of the builder. One serves a Python of another platform if it has the same magic number
    (PEP 3147): bytecode does not depend on the platform.
    """

    def __init__(
        self, python: Python | None, native: bool, cache: FrameCache, others: Iterable[Path] = (),
        cores: Cores | None = None,
    ) -> None:  # fmt: skip
        self.python, self.native, self.cache, self.others = python, native, cache, others
        self.cores = cores or Cores(usable_cores())
        self.program: Path | None = None  # the interpreter that compiles, if one can
        self.interpreter: str | None = None  # its identity

    def compile_plans(
        self, plans: Sequence[PackagePlan], meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[list[Compiled], list[str]]:
        """Return the .pyc files of all noarch sources, and the sources that only the host can compile.

        A source with a placeholder is compiled on the host: its text, and so its code, differ there. `meanwhile` is
        called if anything has to be compiled: a large package that is compiled last keeps only one core busy.
        """
        jobs = [(plan, [c for c in plan.files if isinstance(c, Content) and c.path in plan.compiled]) for plan in plans]
        sources = [item for _, group in jobs for item in group]
        if self.python is None or not sources:
            return [], []
        self.program = self._find_program(plans)
        if self.program is None:
            return [], sorted(map(_relative, sources))
        jobs = [(plan, [item for item in group if not item.placeholder]) for plan, group in jobs]
        compiled, missing = self._take_kept([job for job in jobs if job[1]])
        if missing and self.native and not runs(self.program):
            for each in compiled:
                each.close()
            return [], sorted(map(_relative, sources))
        if missing:
            compiled += self._compile_groups(self.program, missing, meanwhile)
        compiled.sort(key=lambda each: each.group.owner)
        return compiled, sorted(_relative(item) for item in sources if item.placeholder)

    def _take_kept(
        self, jobs: Iterable[tuple[PackagePlan, list[Content]]]
    ) -> tuple[list[Compiled], list[tuple[Group, list[Content]]]]:
        """Return the .pyc files that the cache has, and the groups that it lacks, with their sources."""
        compiled, missing = [], []
        for plan, sources in jobs:
            group = Group(f"{plan.package.dist} compiled", self._identity(plan, sources), of_package=True)
            group.entry = self.cache.open(group.identity)
            if group.entry is None:
                missing.append((group, sources))
                continue
            times = times_of(sources)
            places = group.entry.places.items()
            files = [Content(path, MODE, times[source_of(path)], None, place.size) for path, place in places]
            compiled.append(Compiled(group, files))
        return compiled, missing

    def _compile_groups(
        self, program: Path, jobs: list[tuple[Group, list[Content]]], meanwhile: Callable[[], None]
    ) -> list[Compiled]:
        jobs.sort(key=lambda job: -sum(item.size for item in job[1]))  # the longest first
        with Interpreters(program, self.cores) as interpreters, ThreadPoolExecutor(usable_cores()) as pool:
            compiling = [(group, pool.submit(compile_with, interpreters, sources)) for group, sources in jobs]
            try:
                meanwhile()
                return [Compiled(group, files.result()) for group, files in compiling]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _find_program(self, plans: Sequence[PackagePlan]) -> Path | None:
        """Return the interpreter that compiles, and keep its identity; one of this platform is not started for that."""
        assert self.python is not None
        if self.native:
            self.interpreter = next((plan.identity for plan in plans if plan.package.name == "python"), None)
            return self.python.package.directory / self.python.program
        path, self.interpreter = find_interpreter(self.python, self.others)
        return path

    def _identity(self, plan: PackagePlan, sources: list[Content]) -> str | None:
        """Return a name for the content of the .pyc files, which have the times of their sources in them."""
        assert self.python is not None
        if plan.identity is None or self.interpreter is None:
            return None
        times = hashlib.sha256("\0".join(str(item.mtime_ns) for item in sources).encode()).hexdigest()
        return f"compiled {plan.identity} of {times} by {self.interpreter} in {self.python.site_packages}"


def _relative(item: Content) -> str:
    return item.path.removeprefix("prefix/")


def compile_sources(program: Path, sources: Sequence[Content]) -> list[Content]:
    """Compile sources that belong to no package, on all cores, by `compile_with`.

    Those of a directory of site-packages are compiled like those of a package.
    """
    jobs: dict[str, list[Content]] = {}
    for item in sources:
        jobs.setdefault("/".join(posixpath.dirname(item.path).split("/")[:DEPTH]), []).append(item)
    ordered = sorted(jobs.values(), key=lambda job: -sum(item.size for item in job))
    cores = usable_cores()
    with Interpreters(program, Cores(cores)) as interpreters, ThreadPoolExecutor(cores) as pool:
        files = [item for each in pool.map(lambda job: compile_with(interpreters, job), ordered) for item in each]
    return sorted(files, key=lambda item: item.path)


def compile_with(interpreters: Interpreters, sources: Sequence[Content]) -> list[Content]:
    """Compile sources under their names in the prefix; one that does not compile has no .pyc, as in conda.

    A .pyc has the time of its source, so that it is the same in every archive.
    """
    times = times_of(sources)
    made = interpreters.compile((_name_of_file(item), os.fsencode(_relative(item))) for item in sources)
    paths = [(f"prefix/{os.fsdecode(name)}", data) for name, data in made]
    files = [Content(path, MODE, times[source_of(path)], InMemory(data), len(data)) for path, data in paths]
    return sorted(files, key=lambda item: item.path.split("/"))


def _name_of_file(item: Content) -> bytes:
    assert isinstance(item.source, OnDisk)
    return item.source.name


def times_of(sources: Sequence[Content]) -> dict[str, int]:
    """Return the time of each source by its path."""
    return {item.path: item.mtime_ns for item in sources}


def source_of(path: str) -> str:
    """Return the path of the source of a .pyc (PEP 3147; beside it before 3.2)."""
    directory, name = posixpath.split(path)
    above, cache = posixpath.split(directory)
    return f"{above}/{name.rsplit('.', 2)[0]}.py" if cache == "__pycache__" else path.removesuffix("c")
