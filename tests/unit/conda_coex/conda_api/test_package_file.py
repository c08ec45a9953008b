"""Tests of package files: whether one is a package of conda, and whether removing it from the cache repairs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest
from conda_package_handling import api
from testbed.package import Package

from conda_coex.cli.damage import with_advice
from conda_coex.conda_api.package_file import fault_of, sums_of
from conda_coex.errors import PackageDamaged

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=[".conda", ".tar.bz2"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a package file."""
    package = Package(tmp_path / "built", "noarch", "some")
    package.noarch, package.extension = "generic", request.param
    package.text("share/some.txt", "some\n")
    package.link("share/link", "some.txt")
    package.seal()
    files = [*package.paths(), *sorted(f"info/{path.name}" for path in (package.root / "info").iterdir())]
    (tmp_path / "pkgs").mkdir()
    api.create(str(package.root), files, package.filename, str(tmp_path / "pkgs"))
    return tmp_path / "pkgs" / package.filename


def test_package_has_no_fault(file: Path) -> None:
    assert fault_of(file) is None


@pytest.mark.parametrize("part", ["info", "pkg"])
def test_package_without_a_part(file: Path, part: str) -> None:
    """One file of rattler's own tests is like this: it has its metadata alone."""
    if file.suffix != ".conda":
        pytest.skip("a package of one part")
    whole = file.with_suffix(".whole")
    file.rename(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            if not name.startswith(f"{part}-"):
                new.writestr(name, old.read(name))
    assert fault_of(file) == f"its member {part}-{file.stem}.tar.zst is missing"
    assert not conda_extracts(file, file.parent / "extracted")


def conda_extracts(file: Path, directory: Path) -> bool:
    try:
        api.extract(str(file), str(directory))
    except Exception:
        return False
    return (directory / "share/some.txt").is_file()


def test_a_cut_file_has_a_fault_when_conda_does_not_extract_it(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    faulty = 0
    for size in range(0, len(whole), 97):
        file.write_bytes(whole[:size])
        fault = fault_of(file)
        faulty += fault is not None
        assert (fault is None) == conda_extracts(file, tmp_path / str(size)), size
    assert faulty > 5


def test_a_file_that_cannot_be_read_is_not_called_faulty(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fault_of(file.with_name("absent.conda"))


def test_sums(file: Path, tmp_path: Path) -> None:
    sums = sums_of(file, ["share/some.txt", "share/link", "share/absent"])
    done = subprocess.run(["sha256sum", tmp_path / "built/some-1.0-0/share/some.txt"], capture_output=True, check=True)
    assert sums == {"share/some.txt": done.stdout.decode().split()[0], "share/link": None, "share/absent": None}


def damaged(file: Path) -> Path:
    """Return the extracted package, of which one file was altered."""
    directory = file.with_name("some-1.0-0")
    api.extract(str(file), str(directory))
    (directory / "share/some.txt").write_text("other\n", encoding="utf-8")
    return directory


def advice(path: Path, cache: Path) -> str:
    error = PackageDamaged("differs", os.fsencode(path))
    return str(with_advice(error, [str(cache)])).partition("; ")[2]


def test_damage_in_the_cache_alone_is_removed_there(file: Path) -> None:
    directory = damaged(file)
    command = f"rm -r {directory}"
    assert advice(directory / "share/some.txt", file.parent) == f"run `{command}` and try again"
    file.unlink()  # which conda then downloads again
    assert advice(directory / "share/some.txt", file.parent) == f"run `{command}` and try again"


def test_damage_in_the_package_itself_is_not_repaired_by_removing_it(file: Path) -> None:
    directory = damaged(file)
    shutil.rmtree(directory)
    api.extract(str(file), str(directory))
    says = f"{file} has it like this: get another copy of it, or use another build of the package"
    assert advice(directory / "share/some.txt", file.parent) == says
    assert advice(directory, file.parent) == says  # its metadata


def test_place_with_blanks(file: Path, tmp_path: Path) -> None:
    directory = damaged(file)
    cache = file.parent.rename(tmp_path / "my pkgs")
    assert advice(cache / directory.name / "share/some.txt", cache) == f"run `rm -r '{cache}/some-1.0-0'` and try again"


def test_packages_outside_of_a_cache_are_reinstalled(tmp_path: Path) -> None:
    assert advice(tmp_path / "env/bin/x", tmp_path / "pkgs") == "reinstall the package"
