"""Compile the bootstrap for Pythons of hosts: a first start compiles each module that the archive has only as source.

The program, the bootstrap and nothing else decide about the bytes. Archives carry only the modules that each first
start imports: the others would add half of that size.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import zlib
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import BYTECODE, MAIN, PACKAGE

from ..archive.new_tail import bootstrap_members
from ..errors import InputError
from ..root.compiling_python import OPTIONS, quiet_environment
from .imports import imports_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# These and the modules that they import at their beginning. The last is for starts on a terminal.
ROOTS = ("start.run", "start.new_root", "unpack.relocate_pieces", "unpack.progress_line")
LEVEL = 6  # 9 takes 60 ms more, for 2 kB less
REMEDY = "name a CPython of this machine, 2.7 or newer, such as python3.12"

# Reads the text of `__main__`, and (name, member, source) of each module. Writes the name of the member, by which the
# text looks for it on a host, a line feed, and the code by names. No code of the bootstrap needs its own docstrings.
COMPILE = """
import marshal, sys
given, made = getattr(sys.stdin, "buffer", sys.stdin), getattr(sys.stdout, "buffer", sys.stdout)
text = str if str is bytes else bytes.decode
main, modules = marshal.loads(given.read())
names = {"__name__": "coex"}
exec(compile(main, "__main__.py", "exec", 0, True), names)
codes = {}
for name, member, source in modules:
    codes[text(name)] = compile(source, text(member), "exec", 0, True)
made.write(names["bytecode_member"]().encode("ascii") + b"\\n" + marshal.dumps(codes))
"""


def compile_bootstrap(program: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Return name and content of the member with the bytecode that a CPython makes; raises InputError."""
    members = bootstrap_members()
    modules = [(name.encode(), member.encode(), members[member]) for name, member in first_modules(members)]
    command = [program, *OPTIONS, "-OO", "-c", COMPILE]
    environment = {**quiet_environment(), "PYTHONNODEBUGRANGES": "1"}  # columns take a third of the size
    given = marshal.dumps((members[MAIN], modules), 2)  # which all Pythons read
    try:
        done = subprocess.run(command, env=environment, input=given, capture_output=True)
    except OSError as error:
        raise InputError(f"cannot be started: {error.strerror}", os.fsencode(program), REMEDY) from error
    name = done.stdout.partition(b"\n")[0]
    if done.returncode or not name.startswith(f"{BYTECODE}/cpython-".encode()):
        raise InputError("cannot compile for the Pythons of hosts", os.fsencode(program), REMEDY)
    return name.decode(), zlib.compress(done.stdout, LEVEL)


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
