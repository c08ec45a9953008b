"""Which pip installs: the environment's package, or the one that its Python carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from conda_coex.errors import InputError
from conda_coex.pypi.pip import Program
from conda_coex.pypi.pip_changes import find_pip
from conda_coex.root.package import Package, PackagePath

WHEEL = "lib/python3.13/ensurepip/_bundled/pip-24.2-py3-none-any.whl"


def package(name: str, *paths: str) -> Package:
    rows = tuple(PackagePath(path, "hardlink", None, None, None, 1, 0o644, 0, {}) for path in paths)
    return Package({"name": name, "version": "25.1"}, Path(), None, (), rows, None, None)


def test_find_pip() -> None:
    python = package("python", "bin/python", "lib/python3.13/ensurepip/__init__.py", WHEEL)
    assert find_pip([python, package("pip")]) == Program("25.1")
    assert find_pip([package("zlib"), python]) == Program("24.2", WHEEL)


def test_none() -> None:
    with pytest.raises(InputError, match="has no pip; add `pip` to its packages"):
        find_pip([package("python", "bin/python")])
    with pytest.raises(InputError, match="has no Python; add python and pip"):
        find_pip([package("zlib", WHEEL)])
