"""Wheels and source directories for pip, made on the spot."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EXTENSION = """\
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native_demo", 0, -1, methods};
PyMODINIT_FUNC PyInit_native_demo(void) { return PyModule_Create(&module); }
"""
SETUP = """\
from setuptools import Extension, setup

setup(name="native-demo", version="0.3", py_modules=[], ext_modules=[Extension("native_demo", ["native_demo.c"])])
"""


def make_wheel(
    directory: Path, name: str, version: str, files: dict[str, str], *, script: str = "", requires: str = "",
    tag: str = "py3-none-any",
) -> Path:  # fmt: skip
    """Write a wheel of pure Python, with any tag; `script` is `command = module:function`."""
    about = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    members = {
        **files,
        f"{about}/METADATA": metadata,
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        **({f"{about}/entry_points.txt": f"[console_scripts]\n{script}\n"} if script else {}),
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in members.items())
    members[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n"
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in members.items():
            info = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
            info.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            archive.writestr(info, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_extension(directory: Path) -> Path:
    """Write the sources of a compiled extension."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "native_demo.c").write_text(EXTENSION)
    (directory / "setup.py").write_text(SETUP)
    return directory


def pack_sdist(directory: Path, name: str) -> Path:
    """Write the source distribution of a directory beside it."""
    archive = directory.parent / f"{name}.tar.gz"
    with tarfile.open(archive, "w:gz") as sdist:
        sdist.add(directory, name)
    return archive


def make_project(directory: Path, name: str) -> Path:
    """Write the sources of a distribution of one pure module."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.py").write_text(f"NAME = {name!r}\n")
    called = f"name={name!r}, version='1.0', py_modules=[{name!r}]"
    (directory / "setup.py").write_text(f"from setuptools import setup\n\nsetup({called})\n")
    return directory


def committed(directory: Path) -> str:
    """Make a directory a git repository with its files; return the commit."""
    git = ("git", "-C", directory, "-c", "user.name=me", "-c", "user.email=me@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *words], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
