"""Compile the sources of noarch packages: by the environment's Python, or by one with the same bytecode."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import struct
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores

from .content import Content
from .cores import Cores
from .layout import Group
from .source import InMemory, OnDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..archive.frame_cache import FrameCache
    from .link_rules import PackagePlan, Python
    from .package import Package

DEPTH = 5  # parts of prefix/lib/pythonX.Y/site-packages/NAME
MODE = 0o644  # of compileall under an umask of 022, for a source of any mode
SOURCES, MADE = "sources", "made"
LENGTHS = struct.Struct("<QQ")
OPTIONS = ("-s", "-S", "-B", "-Wi")

# Makes the .pyc files of `compileall`, by which conda compiles (`compile_multiple_pyc`), but reads and writes no file
# for each. In a directory, SOURCES has the path of each source and its name in the prefix. MADE gets, for each that
# compiles, the lengths of two things, and these: the name of its .pyc, and the content.
#
# Each package has a new process, which has only loaded compileall: a .pyc depends on the strings that its process has
# seen before, and on the references to its code, and the same package has to give the same bytes in every build. The
# process is forked, which takes less than to start one.
COMPILE = f"""
import compileall, os, py_compile, struct, sys
if sys.version_info >= (3, 4):
    import marshal
    from importlib.machinery import SourceFileLoader
    from importlib.util import MAGIC_NUMBER, cache_from_source
    loader = SourceFileLoader("<py_compile>", "")
    flags = b"\\0\\0\\0\\0" if sys.version_info >= (3, 7) else b""
    def compiled(path, name):
        name = name.decode("utf-8", "surrogateescape")
        with open(path, "rb") as stream:
            state, source = os.fstat(stream.fileno()), stream.read()
        code = loader.source_to_code(source, name)
        times = struct.pack("<LL", int(state.st_mtime) & 0xFFFFFFFF, state.st_size & 0xFFFFFFFF)
        data = MAGIC_NUMBER + flags + times + marshal.dumps(code)
        return cache_from_source(name).encode("utf-8", "surrogateescape"), data
else:
    import imp
    text, raw = getattr(os, "fsdecode", str), getattr(os, "fsencode", str)
    def compiled(path, name):
        py_compile.compile(text(path), "one.pyc", text(name), True)
        with open("one.pyc", "rb") as stream:
            return raw(getattr(imp, "cache_from_source", lambda name: name + "c")(text(name))), stream.read()
def compile_all():
    with open({SOURCES!r}, "rb") as stream:
        fields = stream.read().split(b"\\0")
    with open({MADE!r}, "wb", 0) as stream:
        for path, name in zip(fields[::2], fields[1::2]):
            try:
                target, data = compiled(path, name)
            except Exception:
                continue
            stream.write(struct.pack("<QQ", len(target), len(data)) + target + data)
for directory in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        try:
            os.chdir(directory[:-1])
            compile_all()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    sys.stdout.write(directory)
    sys.stdout.flush()
"""

DESCRIBE = "import importlib.util, sys; sys.stdout.write(importlib.util.MAGIC_NUMBER.hex() + ' ' + sys.version)"


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


def find_interpreter(python: Python, candidates: Iterable[Path]) -> tuple[Path | None, str | None]:
    """Return the first interpreter that has the bytecode of a Python of another platform, and its version."""
    magic = magic_number(python.package)
    for program in candidates if magic else ():
        description = _describe(program)
        if description is not None and description[0] == magic:
            return program, description[1]
    return None, None


def magic_number(package: Package) -> bytes | None:
    """Return the first bytes of the .pyc files in a package of Python; None if it has none."""
    for path in package.paths:
        if path.path.endswith(".pyc"):
            with (package.directory / path.path).open("rb") as stream:
                return stream.read(4)
    return None


def _describe(program: Path) -> tuple[bytes, str] | None:
    """Return the magic number and the version of an interpreter; None if it does not start."""
    try:
        command = [str(program), *OPTIONS, "-c", DESCRIBE]
        process = subprocess.run(command, env=quiet_environment(), capture_output=True, text=True)
        magic, _, version = process.stdout.partition(" ")
        return (bytes.fromhex(magic), version) if version else None
    except (OSError, ValueError):
        return None


def runs(program: Path) -> bool:
    """Return whether the interpreter starts where it is: in conda's cache, or in a prefix that lacks files."""
    command = [str(program), *OPTIONS, "-c", "import compileall"]
    try:
        return not subprocess.run(command, env=quiet_environment(), capture_output=True).returncode
    except OSError:
        return False


def quiet_environment() -> dict[str, str]:
    """Return the variables of an interpreter that compiles: none of the caller's for Python, and one order of sets."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**variables, "PYTHONHASHSEED": "0"}


class Interpreters:
    """Running interpreters of the environment's Python, one for each thread that compiles at a time."""

    def __init__(self, program: Path, cores: Cores) -> None:
        self.command, self.cores = [str(program), *OPTIONS, "-c", COMPILE], cores
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._all: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Interpreters:
        return self

    def __exit__(self, *raised: object) -> None:
        for process in self._all:
            process.communicate()

    def compile(self, directory: str) -> None:
        """Compile the sources that SOURCES of a directory lists, into its MADE; one that fails has no .pyc."""
        process = self._take()
        assert process.stdin is not None
        assert process.stdout is not None
        with self.cores.to_compile(), contextlib.suppress(BrokenPipeError):
            process.stdin.write(directory + "\n")
            process.stdin.flush()
            if process.stdout.readline():
                self._idle.put(process)

    def _take(self) -> subprocess.Popen[str]:
        with contextlib.suppress(Empty):
            return self._idle.get_nowait()
        process = subprocess.Popen(
            self.command, env=quiet_environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._all.append(process)
        return process


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
    fields = [field for item in sources for field in (_name_of_file(item), os.fsencode(_relative(item)))]
    with tempfile.TemporaryDirectory(prefix="coex-compile-") as scratch:
        Path(scratch, SOURCES).write_bytes(b"\0".join(fields))
        interpreters.compile(scratch)
        made = list(_read_made(Path(scratch, MADE)))
    files = [Content(path, MODE, times[source_of(path)], InMemory(data), len(data)) for path, data in made]
    return sorted(files, key=lambda item: item.path.split("/"))


def _name_of_file(item: Content) -> bytes:
    assert isinstance(item.source, OnDisk)
    return item.source.name


def _read_made(made: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path in the root and the content of each .pyc in MADE, up to one that is not whole."""
    if not made.exists():
        return
    with made.open("rb") as stream:
        while len(head := stream.read(LENGTHS.size)) == LENGTHS.size:
            length, size = LENGTHS.unpack(head)
            name, data = stream.read(length), stream.read(size)
            if len(data) == size:
                yield f"prefix/{os.fsdecode(name)}", data


def times_of(sources: Sequence[Content]) -> dict[str, int]:
    """Return the time of each source by its path."""
    return {item.path: item.mtime_ns for item in sources}


def source_of(path: str) -> str:
    """Return the path of the source of a .pyc (PEP 3147; beside it before 3.2)."""
    directory, name = posixpath.split(path)
    above, cache = posixpath.split(directory)
    return f"{above}/{name.rsplit('.', 2)[0]}.py" if cache == "__pycache__" else path.removesuffix("c")
