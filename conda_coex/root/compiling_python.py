"""Run a Python that compiles: the environment's, or one of this machine that has the same bytecode."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import tempfile
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .cores import Cores
    from .link_rules import Python
    from .package import Package

SOURCES, MADE = "sources", "made"
LENGTHS = struct.Struct("<QQ")
PATIENCE = 60  # seconds for an interpreter to answer one question; one that hangs counts as one that does not start
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
        process = subprocess.run(
            command, env=quiet_environment(), capture_output=True, text=True, timeout=PATIENCE
        )
        magic, _, version = process.stdout.partition(" ")
        return (bytes.fromhex(magic), version) if version else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def runs(program: Path) -> bool:
    """Return whether the interpreter starts in its own place: in conda's cache, or in a prefix that lacks files."""
    command = [str(program), *OPTIONS, "-c", "import compileall"]
    try:
        nowhere = subprocess.DEVNULL
        done = subprocess.run(
            command, env=quiet_environment(), stdin=nowhere, stdout=nowhere, stderr=nowhere, timeout=PATIENCE
        )
        return not done.returncode
    except (OSError, subprocess.TimeoutExpired):
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

    def compile(self, sources: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return name in the prefix and content of the .pyc files of (file, name in the prefix); some may have none."""
        with tempfile.TemporaryDirectory(prefix="coex-compile-") as scratch:
            Path(scratch, SOURCES).write_bytes(b"\0".join(field for source in sources for field in source))
            self._compile_in(scratch)
            return list(_read_made(Path(scratch, MADE)))

    def _compile_in(self, directory: str) -> None:
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


def _read_made(made: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the content of each .pyc in MADE, up to one that is not whole: an interpreter may die."""
    if not made.exists():
        return
    with made.open("rb") as stream:
        while len(head := stream.read(LENGTHS.size)) == LENGTHS.size:
            length, size = LENGTHS.unpack(head)
            name, data = stream.read(length), stream.read(size)
            if len(data) == size:
                yield name, data
