"""An archive carries bytecode of its own Python, and repacking keeps it if it is about the same bootstrap."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from coex_bootstrap.format.manifest import BYTECODE

from conda_coex.archive.new_tail import bootstrap_members
from conda_coex.root.package import Package, PackagePath
from conda_coex.verbs import host_bytecode
from conda_coex.verbs.host_bytecode import WITHOUT, for_named, for_packages, notes_on_archive, of_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coex_bootstrap.format.archive import Archive

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
PYC = f"lib/python{VERSION}/__pycache__/os.pyc"


def package(directory: Path, magic: bytes = importlib.util.MAGIC_NUMBER, name: str = "python") -> Package:
    (directory / PYC).parent.mkdir(parents=True)
    (directory / PYC).write_bytes(magic + b"\0" * 12)
    rows = (PackagePath(PYC, "hardlink", None, None, None, 16, 0o644, 0, {"_path": PYC}),)
    record = {"name": name, "version": f"{VERSION}.0", "build": "0"}
    return Package(record, directory, None, (), rows, None, None)


@pytest.fixture
def own() -> dict[str, bytes]:
    return for_named([sys.executable])


def archive(**members: bytes) -> Archive:
    return cast("Archive", SimpleNamespace(members={**bootstrap_members(), **members}))


def test_named() -> None:
    assert for_named([]) == {}
    number = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")
    assert list(for_named([sys.executable] * 2)) == [f"{BYTECODE}/{sys.implementation.cache_tag}-{number}"]


def test_python_of_the_environment(tmp_path: Path, own: dict[str, bytes]) -> None:
    python = package(tmp_path / "python")
    (tmp_path / "python/bin").mkdir()
    (tmp_path / "python/bin" / f"python{VERSION}").symlink_to(sys.executable)
    other = package(tmp_path / "other", name="numpy")
    assert for_packages([other, python], native=True) == (own, [])
    assert for_packages([other], native=True) == ({}, [])


def test_python_that_does_not_run(tmp_path: Path) -> None:
    python = package(tmp_path / "python")
    members, (note,) = for_packages([python], native=True)
    assert members == {}
    assert note.endswith(f"python{VERSION} cannot be started: No such file or directory; {WITHOUT}")
    (tmp_path / "python/bin").mkdir()
    program = tmp_path / "python/bin" / f"python{VERSION}"
    program.write_text("#!/bin/sh\nexit 127\n")
    program.chmod(0o755)
    members, (note,) = for_packages([python], native=True)
    assert members == {}
    why = f"{program} cannot compile for the Pythons of hosts"
    assert note == f"no bytecode of the bootstrap for {python.dist}: {why}; {WITHOUT}"


@pytest.mark.parametrize(("magic", "count"), [(importlib.util.MAGIC_NUMBER, 1), (b"\x01\x00\r\n", 0)])
def test_another_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: bytes, count: int) -> None:
    def known(version: str) -> Iterator[Path]:
        assert version == VERSION
        yield from [tmp_path / "missing", Path(sys.executable)]

    monkeypatch.setattr(host_bytecode, "interpreters", known)
    made = for_packages([package(tmp_path / "python", magic)], native=False)
    assert (len(made.members), made.notes) == (count, [])


def test_of_an_archive(own: dict[str, bytes]) -> None:
    assert of_archive(archive(index=b"", **own)) == own
    assert notes_on_archive(archive(**own)) == []


def test_of_an_archive_with_another_bootstrap(own: dict[str, bytes]) -> None:
    changed = archive(**own, **{"coex_bootstrap/base/pipes.py": b"# of another version"})
    assert of_archive(changed) == {}
    (note,) = notes_on_archive(changed)
    assert note.startswith("another version of conda-coex made the archive, and its bytecode is left out")
    assert notes_on_archive(archive(**{"coex_bootstrap/base/pipes.py": b"# of another version"})) == []
