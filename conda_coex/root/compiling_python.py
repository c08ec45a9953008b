"""Run a Python that compiles: the environment's, or one of this machine that has the same bytecode."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import tempfile
from concurrent.futures import CancelledError
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .cores import Cores
    from .link_rules import Python
    from .package import Package

SOURCES, MADE = "sources", "made"
LENGTHS = struct.Struct("<QQ")
PATIENCE = 60  # seconds for an interpreter to answer one question; one that hangs counts as one that does not start
SILENCE = 300  # seconds for it to compile one source: the largest known ones take some 10
OPTIONS = ("-s", "-S", "-B", "-Wi")

# Makes the .pyc files of `compileall`, by which conda compiles (`compile_multiple_pyc`), but reads and writes no file
# for each. In a directory, SOURCES has the path of each source and its name in the prefix. MADE gets, for each that
# compiles, the lengths of two things, and these: the name of its .pyc, and the content. The output has a dot for each
# source that is done, and the end of a line for a directory.
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
    with open({MADE!r}, "wb") as stream:
        for path, name in zip(fields[::2], fields[1::2]):
            try:
                target, data = compiled(path, name)
            except Exception:
                pass
            else:
                stream.write(struct.pack("<QQ", len(target), len(data)) + target + data)
                stream.flush()
            os.write(1, b".")
for directory in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        try:
            os.chdir(directory[:-1])
            compile_all()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"\\n")
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
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []
        self._starting, self._ended = Lock(), False
        self.unfinished: set[bytes] = set()  # files that no interpreter got to: one was killed, or the disk is full

    def __enter__(self) -> Interpreters:
        return self

    def __exit__(self, *raised: object) -> None:
        for process in self._all:
            process.communicate()

    def end(self) -> None:
        """End all work at once, because the build has failed."""
        with self._starting:
            self._ended = True
            for process in self._all:
                _kill(process)

    def compile(self, sources: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return name in the prefix and content of the .pyc files of (file, name in the prefix); some may have none.

        Raises InputError for a source that takes too long.
        """
        sources = list(sources)
        with tempfile.TemporaryDirectory(prefix="coex-compile-") as scratch:
            Path(scratch, SOURCES).write_bytes(b"\0".join(field for source in sources for field in source))
            done, is_slow = self._compile_in(scratch)
            if is_slow:
                what = f"is not compiled within {SILENCE} seconds by {self.command[0]}"
                remedy = "run the command again; if that does not help, use another build of Python or of the package"
                raise InputError(what, sources[min(done, len(sources) - 1)][0], remedy)
            self.unfinished.update(file for file, _ in sources[done:])
            return list(_read_made(Path(scratch, MADE)))

    def _compile_in(self, directory: str) -> tuple[int, bool]:
        """Compile the sources of a directory; return the number of those that are done, and if the next is too slow."""
        process = self._take()
        assert process.stdin is not None
        with self.cores.to_compile(), contextlib.suppress(BrokenPipeError):
            process.stdin.write(os.fsencode(directory) + b"\n")
            process.stdin.flush()
            done, ended = _follow(process)
            if ended is None:
                _kill(process)
                return done, True
            if ended:
                self._idle.put(process)
            return done, False
        return 0, False

    def _take(self) -> subprocess.Popen[bytes]:
        with contextlib.suppress(Empty):
            return self._idle.get_nowait()
        with self._starting:
            if self._ended:
                raise CancelledError
            process = subprocess.Popen(
                self.command, env=quiet_environment(), start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self._all.append(process)
        return process


def _follow(process: subprocess.Popen[bytes]) -> tuple[int, bool | None]:
    """Return the number of sources that are done, and if all are; None if the next one takes too long."""
    assert process.stdout is not None
    poll, done = select.poll(), 0
    poll.register(process.stdout)
    while poll.poll(SILENCE * 1000):
        data = os.read(process.stdout.fileno(), 1 << 16)
        done += data.count(b".")
        if not data or data.endswith(b"\n"):
            return done, bool(data)
    return done, None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill an interpreter, with its child that compiles."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


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
