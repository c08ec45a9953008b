"""Choose the Pythons whose bytecode an archive carries for hosts: its own, the carried one, and those of the user."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from coex_bootstrap.format.manifest import BYTECODE

from ..archive.new_tail import bootstrap_members
from ..carried.bootstrap_code import compile_bootstrap
from ..conda_api import settings
from ..conda_api.interpreters import interpreters
from ..errors import InputError
from ..root.compiling_python import find_interpreter
from ..root.link_rules import find_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from coex_bootstrap.format.archive import Archive

    from ..archive.carried_python import CarriedPython
    from ..root.link_rules import Python
    from ..root.package import Package


WITHOUT = "a first start with such a Python compiles it, which takes longer"


class Made(NamedTuple):
    """Members, and notes on Pythons that have none."""

    members: dict[str, bytes]
    notes: list[str]


def for_named(programs: Iterable[str]) -> dict[str, bytes]:
    """Return the members for Pythons of this machine that the user names; raises InputError."""
    return dict(map(compile_bootstrap, programs))


class Making:
    """Members that another thread makes."""

    def __init__(self, named: Mapping[str, bytes], made: Future[Made]) -> None:
        self._named, self._made = named, made

    def __call__(self) -> dict[str, bytes]:
        """Return the members, when all are made."""
        return {**self._named, **self._made.result().members}

    def notes(self) -> list[str]:
        """Return a note for each Python that cannot compile."""
        return self._made.result().notes


@contextlib.contextmanager
def compiling(
    named: dict[str, bytes], packages: Iterable[Package], python: CarriedPython | None, platform: str
) -> Iterator[Making]:
    """Yield all members for an archive, which another thread makes meanwhile.

    `named` are those of Pythons that the user named, `python` is the one to carry.
    """
    carried = [python.package] if python and python.package else []
    native = platform == settings.builder_platform()
    with ThreadPoolExecutor(1) as pool:
        yield Making(named, pool.submit(for_packages, [*packages, *carried], native=native))


def for_packages(packages: Iterable[Package], *, native: bool) -> Made:
    """Return the members for the Pythons among packages; for one of another platform, by a Python of this machine.

    A Python that does not run here, or is too old, has none, but a note: hosts compile the source.
    """
    made = Made({}, [])
    for package in packages:
        python = find_python([package])
        program = _program(python, native=native) if python is not None else None
        if program is None:
            continue
        try:
            made.members.update([compile_bootstrap(program)])
        except InputError as error:
            made.notes.append(f"no bytecode of the bootstrap for {package.dist}: {program} {error.what}; {WITHOUT}")
    return made


def _program(python: Python, *, native: bool) -> Path | None:
    if native:
        return python.package.directory / python.program
    return find_interpreter(python, interpreters(python.version))[0]


def of_archive(archive: Archive) -> dict[str, bytes]:
    """Return the members of an archive, none if they are about another bootstrap than that of new archives."""
    is_same = all(archive.members.get(name) == data for name, data in bootstrap_members().items())
    return _members(archive) if is_same else {}


def notes_on_archive(archive: Archive) -> list[str]:
    """Return a note if an archive has bytecode that a new one cannot have."""
    if not _members(archive) or of_archive(archive):
        return []
    why = "another version of conda-coex made the archive, and its bytecode is left out"
    return [f"{why}; --bytecode-for adds that of a Python"]


def _members(archive: Archive) -> dict[str, bytes]:
    return {name: data for name, data in archive.members.items() if name.startswith(f"{BYTECODE}/")}
