"""A missing library is reported before any work."""

from __future__ import annotations

import pytest

from conda_coex.cli import libraries
from conda_coex.errors import LibraryMissing


def test_all_are_there() -> None:
    libraries.check_libraries()


@pytest.mark.parametrize("module", ["no_such_module_of_anybody", "conda.no_such_module"])
def test_missing(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "NEEDED", {"sys": "python", module: "its-name", "also_no_module": "another"})
    with pytest.raises(LibraryMissing, match=r"needs its-name, another, which .* -m pip install its-name another"):
        libraries.check_libraries()


def test_other_name_on_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "installer", None)
    with pytest.raises(LibraryMissing, match=r"conda-forge python-installer`, .* pip install installer`"):
        libraries.check_libraries()


def test_module_that_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "packageurl", None)
    with pytest.raises(LibraryMissing, match="needs packageurl-python, which"):
        libraries.check_libraries()
