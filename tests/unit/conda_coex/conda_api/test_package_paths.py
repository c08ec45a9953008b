"""Paths that no file can have, in the list of files of a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.conda_api.packages import check_path
from conda_coex.errors import PackageRefused

if TYPE_CHECKING:
    from pathlib import Path


REFUSED = ("share/\ud800", "\udfff/a", "a\0b", "../a", "a/./b", "a//b", "/a", "conda-meta/a.json")


@pytest.mark.parametrize("path", REFUSED)
def test_path_that_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(PackageRefused):
        check_path(path, tmp_path)


@pytest.mark.parametrize("path", ["share/\udcff", "share/é", "conda-meta/a.txt", "a..b/.c"])
def test_path_that_is_taken(tmp_path: Path, path: str) -> None:
    assert check_path(path, tmp_path) == path
