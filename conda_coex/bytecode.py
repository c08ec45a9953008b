"""Compile the sources of noarch packages with the environment's own Python, where that runs on the builder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .layout import Group
from .plan import Content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frame_cache import FrameCache
    from .plan import PackagePlan, Python

# As conda compiles (`compile_multiple_pyc`), but one process a package, with one order of hashes: so the
# same package gives the same bytes in every build.
ISOLATED = ("-E", "-s", "-S", "-B")
MODE = 0o644  # what compileall gives, whatever its source had, under an umask of 022
COMPILE = (*ISOLATED, "-Wi", "-m", "compileall", "-q", "-l", "-i", "sources.txt")


@dataclass(frozen=True)
class Compiled:
    """The .pyc files of one package, compiled now, or taken from the cache of frames."""

    group: Group
    contents: list[Content]


class Compiler:
    """Compiles for one Python; `native` says whether its platform is the builder's."""

    def __init__(self, python: Python | None, native: bool, cache: FrameCache, date: int) -> None:
        self.python, self.native, self.cache, self.date = python, native, cache, date

    def compile_plans(self, plans: Sequence[PackagePlan]) -> tuple[list[Compiled], list[str]]:
        """Return the .pyc files of all noarch sources, and the sources that only the host can compile.

        A source with a placeholder is compiled on the host: its text, and so its code, differ there.
        """
        jobs = [(plan, [c for c in plan.files if isinstance(c, Content) and c.compiled]) for plan in plans]
        sources = [item for _, group in jobs for item in group]
        if self.python is None or not sources:
            return [], []
        program = self.python.package.directory / self.python.program
        if not (self.native and _runs(program)):
            return [], sorted(map(_relative, sources))
        jobs = [(plan, [item for item in group if not item.placeholder]) for plan, group in jobs]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = list(pool.map(lambda job: self._compile(program, *job), [job for job in jobs if job[1]]))
        return made, sorted(_relative(item) for item in sources if item.placeholder)

    def _compile(self, program: Path, plan: PackagePlan, sources: list[Content]) -> Compiled:
        group = Group(f"{plan.package.dist} compiled", self._identity(plan))
        entry = self.cache.open(group.identity)
        if entry is None:
            return Compiled(group, compile_sources(program, sources, self.date))
        group.entry = entry
        found = [Content(path, MODE, str(self.date), None, place.size) for path, place in entry.places.items()]
        return Compiled(group, found)

    def _identity(self, plan: PackagePlan) -> str | None:
        assert self.python is not None
        package, python = plan.package.identity, self.python.package.identity
        if package is None or python is None:
            return None
        return f"compiled {package} by {python} in {self.python.site_packages}"


def _relative(item: Content) -> str:
    return item.path.removeprefix("prefix/")


def _runs(program: Path) -> bool:
    """Return whether the interpreter starts from conda's cache, where it lies without its dependencies."""
    try:
        return not subprocess.run([program, *ISOLATED, "-c", "import compileall"], capture_output=True).returncode
    except OSError:
        return False


def compile_sources(program: Path, sources: Sequence[Content], date: int) -> list[Content]:
    """Compile sources under their names in the prefix; one that does not compile has no .pyc, as in conda."""
    with tempfile.TemporaryDirectory(prefix="coex-compile-") as scratch:
        for item in sources:
            assert isinstance(item.source, Path)
            target = Path(scratch, _relative(item))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(item.source, target)
        listing = b"".join(os.fsencode(_relative(item)) + b"\n" for item in sources)
        Path(scratch, COMPILE[-1]).write_bytes(listing)
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run([program, *COMPILE], cwd=scratch, env=environ, capture_output=True)
        return [
            Content(f"prefix/{pyc.relative_to(scratch).as_posix()}", MODE, str(date), data, len(data))
            for item in sources
            for pyc in _made_of(Path(scratch, _relative(item)))
            for data in [pyc.read_bytes()]
        ]


def _made_of(source: Path) -> list[Path]:
    """Return what compiling `source` made: `__pycache__/<stem>.<tag>.pyc`, on Python 2 `<name>c`."""
    old = source.with_name(source.name + "c")
    if old.exists():
        return [old]
    cache = source.parent / "__pycache__"
    dots = source.stem.count(".") + 2
    made = cache.iterdir() if cache.is_dir() else ()
    return sorted(pyc for pyc in made if pyc.name.startswith(source.stem + ".") and pyc.name.count(".") == dots)
