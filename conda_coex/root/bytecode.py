"""Make the .pyc files of noarch packages and of sources without a package; frames of earlier builds have many."""

from __future__ import annotations

import hashlib
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores

from .compiling_python import Interpreters, find_interpreter, runs
from .content import Content
from .cores import Cores
from .layout import Group
from .source import InMemory, OnDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence
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


@dataclass(frozen=True)
class Sources:
    """Sources whose .pyc files are a group of their own. Each of the parts is compiled by a new process."""

    owner: str  # of the .pyc files
    identity: str | None  # a name for their content; None: their .pyc files are not kept
    parts: Sequence[list[Content]]
    of_package: bool = True
    slot: str | None = None
    joined: bool = False  # the sources are in the group too: near each other, both get smaller

    @property
    def items(self) -> list[Content]:
        """The sources, in the order of the parts."""
        return [item for part in self.parts for item in part]

    @property
    def placed(self) -> list[Content]:
        """The sources that are placed with their .pyc files."""
        return self.items if self.joined else []

    def without(self, left_out: Container[str]) -> Sources:
        """Return the sources without those at some paths."""
        parts = [[item for item in part if item.path not in left_out] for part in self.parts]
        return replace(self, parts=[part for part in parts if part])


class Compiler:
    """Compiles for one Python; `native`: its platform is the builder's.

    `others` are interpreters of the builder. One serves a Python of another platform if it has the same magic number
    (PEP 3147): bytecode does not depend on the platform.
    """

    def __init__(
        self, python: Python | None, native: bool, cache: FrameCache, others: Iterable[Path] = (),
        cores: Cores | None = None, program: Path | None = None,
    ) -> None:  # fmt: skip
        """Compile by `program`, or find one."""
        self.python, self.native, self.cache, self.others = python, native, cache, others
        self.cores = cores or Cores(usable_cores())
        self.program = program  # the interpreter that compiles, if one can
        self.interpreter: str | None = None  # its identity

    def compile_plans(
        self, plans: Sequence[PackagePlan], meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[list[Compiled], list[str]]:
        """Return the .pyc files of all noarch packages, and the sources that only the host can compile."""
        jobs = []
        for plan in plans:
            sources = [item for item in plan.files if isinstance(item, Content) and item.path in plan.compiled]
            if sources:
                jobs.append(Sources(f"{plan.package.dist} compiled", plan.identity, [sources]))
        if self.python is None or not jobs:
            return [], []
        self.find_program(plans)
        return self.compile(jobs, meanwhile)

    def find_program(self, plans: Sequence[PackagePlan]) -> None:
        """Find the interpreter that compiles, and its identity; one of this platform is not started for that."""
        assert self.python is not None
        if self.native:
            self.interpreter = next((plan.identity for plan in plans if plan.package.name == "python"), None)
            self.program = self.program or self.python.package.directory / self.python.program
        else:
            self.program, self.interpreter = find_interpreter(self.python, self.others)

    def compile(
        self, jobs: Sequence[Sources], meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[list[Compiled], list[str]]:
        """Return the .pyc files of sources, and the sources that only the host can compile.

        A source with a placeholder is compiled on the host: its text, and so its code, differ there. `meanwhile` is
        called if anything has to be compiled: a large package that is compiled last keeps only one core busy.
        """
        sources = [item for job in jobs for item in job.items]
        if self.program is None:
            return [], sorted(map(_relative, sources))
        left = {item.path for item in sources if item.placeholder or not isinstance(item.source, OnDisk)}
        compiled, missing = self._take_kept([job for job in (job.without(left) for job in jobs) if job.parts])
        if missing and self.native and not runs(self.program):
            for each in compiled:
                each.close()
            return [], sorted(map(_relative, sources))
        if missing:
            compiled += self._compile_groups(self.program, missing, meanwhile)
        compiled.sort(key=lambda each: each.group.owner)
        return compiled, sorted(path.removeprefix("prefix/") for path in left)

    def _take_kept(self, jobs: Iterable[Sources]) -> tuple[list[Compiled], list[tuple[Group, Sources]]]:
        """Return the .pyc files that the cache has, and the groups that it lacks, with their sources."""
        compiled, missing = [], []
        for job in jobs:
            group = Group(job.owner, self._identity(job), job.slot, of_package=job.of_package)
            group.entry = self.cache.open(group.identity, group.slot)
            if group.entry is None:
                missing.append((group, job))
                continue
            times = times_of(job.items)
            own = times if job.joined else ()
            places = [each for each in group.entry.places.items() if each[0] not in own]
            files = [Content(path, MODE, times[source_of(path)], None, place.size) for path, place in places]
            compiled.append(Compiled(group, [*job.placed, *files]))
        return compiled, missing

    def _compile_groups(
        self, program: Path, jobs: list[tuple[Group, Sources]], meanwhile: Callable[[], None]
    ) -> list[Compiled]:
        parts = [(number, part) for number, (_, job) in enumerate(jobs) for part in job.parts]
        parts.sort(key=lambda each: -sum(item.size for item in each[1]))  # the longest first
        files = [job.placed for _, job in jobs]
        with Interpreters(program, self.cores) as interpreters, ThreadPoolExecutor(usable_cores()) as pool:
            try:
                compiling = [(number, pool.submit(compile_with, interpreters, part)) for number, part in parts]
                meanwhile()
                for number, future in compiling:
                    files[number] += future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                interpreters.end()
                raise
        for group, job in jobs:
            if interpreters.unfinished.intersection(map(_name_of_file, job.items)):
                group.identity = None  # another build may get further
        return [Compiled(group, own) for (group, _), own in zip(jobs, files, strict=True)]

    def _identity(self, job: Sources) -> str | None:
        """Return a name for the content of the .pyc files, which have the times of their sources in them."""
        assert self.python is not None
        if job.identity is None or self.interpreter is None:
            return None
        times = hashlib.sha256("\0".join(str(item.mtime_ns) for item in job.items).encode()).hexdigest()
        what = "compiled with" if job.joined else "compiled"
        return f"{what} {job.identity} of {times} by {self.interpreter} in {self.python.site_packages}"


def _relative(item: Content) -> str:
    return item.path.removeprefix("prefix/")


def parts_of(sources: Iterable[Content]) -> list[list[Content]]:
    """Return the parts of sources that belong to no package: those of a directory of site-packages are one."""
    parts: dict[str, list[Content]] = {}
    for item in sources:
        parts.setdefault("/".join(posixpath.dirname(item.path).split("/")[:DEPTH]), []).append(item)
    return [*parts.values()]


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
