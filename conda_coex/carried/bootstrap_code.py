"""Compile the bootstrap for Pythons of hosts: a first start compiles each module that the archive has only as source.

The program, the bootstrap and nothing else decide about the bytes. Archives carry only the modules that each first
start imports: the others would add half of that size.
"""

from __future__ import annotations

import marshal
import os
import re
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import BYTECODE, MAIN, PACKAGE

from ..archive.new_tail import bootstrap_members
from ..errors import InputError
from ..root.compiling_python import OPTIONS, PATIENCE, quiet_environment
from .imports import imports_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# These and the modules that they import at their beginning. The last is for starts on a terminal.
ROOTS = ("base.modules", "start.run", "start.new_root", "unpack.relocate_pieces", "unpack.progress_line")
LEVEL = 6  # 9 takes 60 ms more, for 2 kB less
LARGEST = 1 << 24  # bytes of code: those of the known Pythons take 0.3 MB
NAMES = re.compile(rf"{BYTECODE}/cpython-[0-9]+[a-z]*-[0-9]+\n".encode())
REMEDY = "name a CPython of this machine, 2.7 or newer, such as python3.12"

# Reads the text of `__main__`, and (name, member, source) of each module. Writes the name of the member, by which the
# text looks for it on a host, a line feed, and the code by names, into a file: a program that starts Python may print
# other things. No code of the bootstrap needs its own docstrings.
COMPILE = """
import marshal, sys
given = getattr(sys.stdin, "buffer", sys.stdin)
text = str if str is bytes else bytes.decode
main, modules = marshal.loads(given.read())
names = {"__name__": "coex"}
exec(compile(main, "__main__.py", "exec", 0, True), names)
codes = {}
for name, member, source in modules:
    codes[text(name)] = compile(source, text(member), "exec", 0, True)
with open(sys.argv[1], "wb") as made:
    made.write(names["bytecode_member"]().encode("ascii") + b"\\n" + marshal.dumps(codes))
"""


def compile_bootstrap(program: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Return name and content of the member with the bytecode that a CPython makes; raises InputError."""
    members = bootstrap_members()
    modules = [(name.encode(), member.encode(), members[member]) for name, member in first_modules(members)]
    given = marshal.dumps((members[MAIN], modules), 2)  # which all Pythons read
    with tempfile.TemporaryDirectory(prefix="coex-compile-") as scratch:
        made = Path(scratch, "made")
        _run([program, *OPTIONS, "-OO", "-c", COMPILE, made], given)
        data = made.read_bytes() if made.is_file() and made.stat().st_size < LARGEST else b""
    name = NAMES.match(data)
    if name is None:
        raise _useless(program)
    return name[0].decode().rstrip(), zlib.compress(data, LEVEL)


def _run(command: Sequence[str | os.PathLike[str]], given: bytes) -> None:
    """Have a Python compile `given`; raises InputError. It may leave processes behind, for which nothing waits."""
    environment = {**quiet_environment(), "PYTHONNODEBUGRANGES": "1"}  # columns take a third of the size
    program, nowhere = command[0], subprocess.DEVNULL
    try:
        done = subprocess.run(command, env=environment, input=given, stdout=nowhere, stderr=nowhere, timeout=PATIENCE)
    except OSError as error:
        raise InputError(f"cannot be started: {error.strerror}", os.fsencode(program), REMEDY) from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"did not end within {PATIENCE} seconds", os.fsencode(program), REMEDY) from error
    if done.returncode:
        raise _useless(program)


def _useless(program: str | os.PathLike[str]) -> InputError:
    return InputError("cannot compile for the Pythons of hosts", os.fsencode(program), REMEDY)


def first_modules(members: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return the modules that each first start imports, sorted: their names, and the members that they are in."""
    library = dict(_modules(members))
    left, found = [f"{PACKAGE}.{name}" for name in ROOTS], {PACKAGE}
    while left:
        name = left.pop()
        package = name if library[name].endswith("/__init__.py") else name.rpartition(".")[0]
        if name not in found:
            found.add(name)
            imports = {package, *imports_of(members[library[name]].decode(), package, functions=False)}
            left += sorted(imports.intersection(library))
    return [(name, library[name]) for name in sorted(found)]


def _modules(members: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield the name and the member of each module."""
    for member in members:
        if member.startswith(f"{PACKAGE}/") and member.endswith(".py"):
            yield member.removesuffix(".py").removesuffix("/__init__").replace("/", "."), member
