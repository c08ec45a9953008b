"""The directory in which pip installs: made again if another build removes it, and not for ever."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from conda_coex.conda_api import staging
from conda_coex.errors import CoexError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("removals", [0, 1, 5])
def test_directory_that_another_build_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removals: int) -> None:
    place, left = tmp_path / "staging/x", [1] * removals
    flock = staging.fcntl.flock

    def removed(descriptor: int, how: int) -> None:
        flock(descriptor, how)
        if left:
            left.pop()
            place.rmdir()
            place.parent.rmdir()

    monkeypatch.setattr(staging.fcntl, "flock", removed)
    descriptor = staging._lock(place)
    assert os.fstat(descriptor).st_ino == place.stat().st_ino
    os.close(descriptor)


def test_directory_that_never_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "staging/x"
    monkeypatch.setattr(staging.fcntl, "flock", lambda *_: place.rmdir())
    with pytest.raises(CoexError, match="it is gone or another one each time"):
        staging._lock(place)


def test_conda_with_other_transactions() -> None:
    """It compiles as it does by itself: nothing is changed, and nothing is raised."""
    actions = SimpleNamespace(compile_action_groups=("a group",))
    for transaction in (SimpleNamespace(), SimpleNamespace(prefix_action_groups={"p": actions})):
        staging._leave_uncompiled(transaction)  # type: ignore[arg-type]
    assert actions.compile_action_groups == ("a group",)
