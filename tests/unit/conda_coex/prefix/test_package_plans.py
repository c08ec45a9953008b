"""The files of installed packages are compared with their records: which are the package's own, modified or missing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from conda.core.portability import replace_prefix
from conda.models.enums import FileMode

from conda_coex.conda_api.installed_records import InstalledRecord, record_of
from conda_coex.prefix.package_plans import plan_all, plan_installed
from conda_coex.root.content import Content, Link
from conda_coex.root.package import Package
from conda_coex.root.source import OnDisk

if TYPE_CHECKING:
    from pathlib import Path

    from conda_coex.root.package import PathRow

PLACEHOLDER = "/opt/placehold_" + "_" * 180


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Installed:
    """A package in a prefix: its record, and the files that are there."""

    def __init__(self, prefix: Path, name: str = "x") -> None:
        self.prefix = prefix
        self.rows: list[PathRow] = []
        self.live: dict[str, Content | Link] = {}
        self.package = Package(
            {"name": name, "version": "1", "build": "0"}, prefix, noarch=None, scripts=(), paths=(),
            site_packages=None, requested=None,
        )  # fmt: skip

    @property
    def record(self) -> InstalledRecord:
        return record_of({"paths_data": {"paths_version": 1, "paths": self.rows}})

    def add(self, path: str, packed: bytes, mode: str | None = None, live: bytes | None = None) -> None:
        """Record a file of the package; it is there as conda writes it, or with other content."""
        row: PathRow = {"_path": path, "path_type": "hardlink", "sha256": sha256(packed)}
        written = packed
        if mode is not None:
            row |= {"prefix_placeholder": PLACEHOLDER, "file_mode": mode}
            written = replace_prefix(FileMode[mode], packed, PLACEHOLDER, str(self.prefix))
        row["sha256_in_prefix"] = sha256(written)
        self.rows.append(row)
        self.put(path, written if live is None else live)

    def put(self, path: str, data: bytes) -> None:
        file = self.prefix / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.live[path] = Content(f"prefix/{path}", 0o644, 0, OnDisk(file), len(data), sha256(data))

    def plan(self) -> tuple[dict[str, Content | Link], tuple[str, ...], tuple[str, ...]]:
        """Return the planned files by path, and the modified and the missing ones."""
        plan, drift = plan_installed(self.package, self.record, None, self.live, (str(self.prefix),))
        assert drift.dist == "x-1-0"
        assert plan.package.altered or not (drift.modified or drift.missing)
        return {item.path.removeprefix("prefix/"): item for item in plan.files}, drift.modified, drift.missing


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "env")


@pytest.mark.parametrize(
    ("mode", "packed"),
    [
        (None, b"data"),
        ("text", f"#!{PLACEHOLDER}/bin/sh\n{PLACEHOLDER} {PLACEHOLDER}/x\n".encode()),
        ("binary", f"a\0{PLACEHOLDER}/lib\0b\0{PLACEHOLDER}:{PLACEHOLDER}/y\0\0end".encode()),
    ],
)
def test_own_files_are_planned_as_they_were_packed(installed: Installed, mode: str | None, packed: bytes) -> None:
    installed.add("lib/file", packed, mode)
    files, modified, missing = installed.plan()
    (item,) = files.values()
    assert isinstance(item, Content)
    assert (item.read(), item.sha256, item.size) == (packed, sha256(packed), len(packed))
    assert (item.package_path, item.file_mode) == ("lib/file", mode)
    assert item.placeholder == (PLACEHOLDER if mode else None)
    assert (modified, missing) == ((), ())


@pytest.mark.parametrize("mode", ["text", "binary"])
def test_a_file_that_still_has_the_placeholder(installed: Installed, mode: str) -> None:
    """conda-pack copies files so; its conda-unpack was not run."""
    packed = f"{PLACEHOLDER}/lib\0end".encode()
    installed.add("lib/file", packed, mode, live=packed)
    files, modified, missing = installed.plan()
    (item,) = files.values()
    assert isinstance(item, Content)
    assert (item.read(), item.package_path, item.file_mode) == (packed, "lib/file", mode)
    assert item.placeholder == PLACEHOLDER
    assert (modified, missing) == ((), ())


def test_modified_and_missing_files(installed: Installed) -> None:
    installed.add("kept", b"kept")
    installed.add("edited", b"before", live=b"after")
    installed.add("moved", f"{PLACEHOLDER}/x".encode(), "text", live=f"{installed.prefix}/y".encode())
    installed.add("gone", b"gone")
    (installed.prefix / "gone").unlink()
    del installed.live["gone"]
    files, modified, missing = installed.plan()
    assert (sorted(files), modified, missing) == (["edited", "kept", "moved"], ("edited", "moved"), ("gone",))
    edited = files["edited"]
    assert isinstance(edited, Content)
    assert (edited.read(), edited.package_path) == (b"after", None)


def test_compiled_again(installed: Installed) -> None:
    """Python writes a .pyc over the package's own if conda has put the prefix into its source."""
    installed.add("m.py", f"A = '{PLACEHOLDER}'".encode(), "text")
    installed.add("__pycache__/m.cpython-311.pyc", b"of the package", live=f"of {installed.prefix}".encode())
    installed.add("__pycache__/alone.cpython-311.pyc", b"before", live=b"after")
    plan, drift = plan_installed(installed.package, installed.record, None, installed.live, (str(installed.prefix),))
    assert [item.path for item in plan.files] == ["prefix/m.py", "prefix/__pycache__/alone.cpython-311.pyc"]
    assert drift.compiled_again == ("__pycache__/m.cpython-311.pyc",)
    assert drift.modified == ("__pycache__/alone.cpython-311.pyc",)
    assert plan.package.altered


def test_compiled_python_and_directories_may_be_missing(installed: Installed) -> None:
    installed.rows += [
        {"_path": "lib/__pycache__/m.pyc", "path_type": "hardlink", "sha256": "0" * 64},
        {"_path": "share", "path_type": "directory"},
    ]
    _, modified, missing = installed.plan()
    assert (modified, missing) == ((), ())


def test_file_of_two_packages_is_modified_for_none(tmp_path: Path) -> None:
    """The package that was installed last has its file there."""
    first, second = Installed(tmp_path / "env"), Installed(tmp_path / "env", "y")
    first.add("shared", b"first")
    second.add("shared", b"second")
    packages, records = [first.package, second.package], [first.record, second.record]
    plans, drifts = plan_all(packages, records, None, second.live, (str(tmp_path / "env"),))
    assert [(drift.dist, drift.modified) for drift in drifts] == [("x-1-0", ()), ("y-1-0", ())]
    assert [plan.package.altered for plan in plans] == [True, False]
