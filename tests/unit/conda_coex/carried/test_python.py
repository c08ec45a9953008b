"""The Python to carry: of a package that has one, with its libraries; the same packages give the same bytes."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.manifest import python_id
from testbed.layout import native_subdir

from conda_coex.carried.python import carry, find_interpreter
from conda_coex.errors import PythonNotCarried
from conda_coex.root.package import Package, PackagePath

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

    from conda_coex.carried.python import Interpreter

PLATFORM = native_subdir()


def package(directory: Path, name: str = "python", version: str = "", subdir: str = PLATFORM) -> Package:
    files = sorted(path for path in directory.rglob("*") if not path.is_dir())
    names = [path.relative_to(directory).as_posix() for path in files]
    paths = tuple(PackagePath(name, "hardlink", None, None, None, 0, 0, 0, {}) for name in names)
    record = {"name": name, "version": version or "3.11.7", "build": "0", "subdir": subdir}
    return Package(record, directory, None, (), paths, None, None)


@pytest.fixture(scope="module")
def extracted(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the extracted package python of the test bed."""
    file = next((testbed.channel / PLATFORM).glob("python-3*.conda"))
    directory = tmp_path_factory.mktemp("python")
    subprocess.run([testbed.base / "bin/cph", "x", "--dest", directory, file], check=True, capture_output=True)
    for name in ("include", "info"):  # which need not be copied
        shutil.rmtree(directory / name, ignore_errors=True)
    return directory


@pytest.fixture
def python(extracted: Path, tmp_path: Path) -> Path:
    """Return a copy of it that may be changed."""
    return shutil.copytree(extracted, tmp_path / "python", symlinks=True)


def interpreter(found: Package) -> Interpreter:
    chosen = find_interpreter([found], PLATFORM)
    assert chosen is not None
    return chosen


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        return {info.name: info for info in tar}


def test_runs_without_its_package(extracted: Path, tmp_path: Path) -> None:
    found = package(extracted)
    carried = carry(interpreter(found), [found])
    with tarfile.open(fileobj=io.BytesIO(carried.data)) as tar:
        tar.extractall(tmp_path / "moved", **({"filter": "fully_trusted"} if sys.version_info >= (3, 12) else {}))
    code = "import sys, json, ctypes, hashlib, zlib; print(sys.prefix, hashlib.sha256(b'').hexdigest()[:4], sys.path)"
    done = subprocess.run([tmp_path / "moved/bin/python", "-E", "-s", "-S", "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path}/moved e3b0 ")
    assert str(extracted) not in done.stdout
    assert carried.version == "3.11.7"
    assert len(carried.data) < 4 << 20


def test_same_bytes(python: Path, extracted: Path) -> None:
    """Neither dates nor modes nor the place of a package are in it."""
    found, other = package(python), package(extracted)
    for path in python.rglob("*.py"):
        path.chmod(0o600)
    carried = carry(interpreter(found), [found])
    assert carried == carry(interpreter(other), [other])
    infos = members(carried.data).values()
    assert {(info.uid, info.gid, info.mtime, info.uname) for info in infos} == {(0, 0, 0, "")}
    assert [info.name for info in infos if info.mode == 0o755 and info.isfile()] == ["bin/python"]
    assert carried.size == sum(info.size for info in infos)
    assert carried.fields()["id"] == python_id(carried.data)


def test_compiled_modules_alone(extracted: Path) -> None:
    found = package(extracted)
    names = set(members(carry(interpreter(found), [found]).data))
    version = interpreter(found).name
    assert {f"lib/{version}/os.pyc", f"lib/{version}/encodings/__init__.pyc", f"lib/{version}/lib-dynload"} <= names
    assert not any(name.endswith(".py") for name in names)
    assert not any("crypto" in name or "unicodedata" in name or "_ssl" in name for name in names)


def test_module_that_was_changed_since_it_was_compiled(python: Path) -> None:
    version = interpreter(package(python)).name
    with (python / f"lib/{version}/json/__init__.py").open("a") as stream:
        stream.write("\nMINE = True\n")
    shutil.rmtree(python / f"lib/{version}/collections/__pycache__")
    found = package(python)
    names = set(members(carry(interpreter(found), [found]).data))
    assert {f"lib/{version}/json/__init__.py", f"lib/{version}/collections/__init__.py"} <= names
    assert f"lib/{version}/json/__init__.pyc" not in names


def test_path_of_a_live_prefix(python: Path) -> None:
    version = interpreter(package(python)).name
    with (python / f"lib/{version}/zipfile.py").open("a") as stream:
        stream.write(f"\nHOME = {str(python)!r}\n")
    found = package(python)
    data = carry(interpreter(found), [found], [str(python)]).data
    assert str(python).encode() not in gzip.decompress(data)
    assert b"HOME = '/xxx" in gzip.decompress(data)


def test_library_of_another_package(python: Path, tmp_path: Path) -> None:
    other = tmp_path / "libffi/lib"
    other.mkdir(parents=True)
    library = next((python / "lib").glob("libffi.so.*"))
    library.rename(other / f"{library.name}.1")
    (other / library.name).symlink_to(f"{library.name}.1")
    found, libffi = package(python), package(tmp_path / "libffi", "libffi", "3")
    with pytest.raises(PythonNotCarried, match=f"needs {library.name}, which no package has"):
        carry(interpreter(found), [found])
    carried = carry(interpreter(found), [libffi, found])
    assert members(carried.data)[f"lib/{library.name}"].isfile()
    assert [each["name"] for each in carried.packages] == ["libffi", "python"]


def test_library_that_would_not_be_found(python: Path) -> None:
    version = interpreter(package(python)).name
    extension = next((python / f"lib/{version}/lib-dynload").glob("_ctypes.*"))
    data = extension.read_bytes()
    assert b"$ORIGIN/../.." in data
    extension.write_bytes(data.replace(b"$ORIGIN/../..", b"$ORIGIN/.././"))
    found = package(python)
    with pytest.raises(PythonNotCarried, match=r"_ctypes.*does not look for libffi"):
        carry(interpreter(found), [found])


def test_link_out_of_the_package(python: Path, tmp_path: Path) -> None:
    library = next((python / "lib").glob("libz.so.*"))
    library.rename(tmp_path / "elsewhere")
    library.symlink_to(tmp_path / "elsewhere")
    found = package(python)
    with pytest.raises(PythonNotCarried, match="leads out of the package python-"):
        carry(interpreter(found), [found])


def test_packages_without_a_python_to_carry(python: Path) -> None:
    version = interpreter(package(python)).name
    assert find_interpreter([], PLATFORM) is None
    assert find_interpreter([package(python, "pypy")], PLATFORM) is None
    assert find_interpreter([package(python, subdir="linux-other")], PLATFORM) is None
    (python / f"bin/{version}").write_text("#!/bin/sh\n")
    assert find_interpreter([package(python)], PLATFORM) is None
    (python / "lib" / version).rename(python / "lib/python3.8")
    (python / f"bin/{version}").rename(python / "bin/python3.8")
    assert find_interpreter([package(python)], PLATFORM) is None
