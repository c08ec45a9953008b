"""The files of a live prefix that are conda's records of the place, and those that are a part of the environment."""

from __future__ import annotations

import pytest

from conda_coex.prefix.walk import is_environment


@pytest.mark.parametrize("name", ["history", "state", "created_at", "python-3.12.1-0.json"])
def test_files_that_conda_writes_again(name: str) -> None:
    """`created_at`, of conda 25.11 and newer, is when this place was made."""
    assert not is_environment(f"conda-meta/{name}")


@pytest.mark.parametrize("name", ["frozen", "pinned"])
def test_files_of_users_for_conda_are_kept(name: str) -> None:
    assert is_environment(f"conda-meta/{name}")
