"""A channel that conda has not read before, and may not read now, is named with the option that forbids it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conda.base.context import context, reset_context
from conda.core.subdir_data import SubdirData
from conda.exceptions import PackagesNotFoundError
from conda.models.channel import Channel

from conda_coex.conda_api import solve
from conda_coex.conda_api.zstd_package import fetch_zstd
from conda_coex.errors import RepodataMissing

if TYPE_CHECKING:
    from pathlib import Path

UNREAD = "https://user:secret@example.invalid/channel"


@pytest.fixture(params=[FileNotFoundError(2, "failed to open file"), PackagesNotFoundError(["cprog"])], ids=str)
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Exception:
    """Let a solver fail as the rattler and the classic solver do."""

    def fail(*arguments: object, **options: object) -> None:
        raise request.param

    monkeypatch.setattr(solve, "_transaction", fail)
    monkeypatch.setenv("CONDA_PKGS_DIRS", str(tmp_path))
    reset_context()
    SubdirData.clear_cached_local_channel_data(exclude_file=False)
    error: Exception = request.param
    return error


def test_channel_that_was_never_read(failing: Exception) -> None:
    with context._override("offline", True), pytest.raises(RepodataMissing) as caught:
        solve.solve_transaction(["cprog"], [UNREAD])
    assert caught.value.__cause__ is failing
    says = "https://example.invalid/channel: conda's cache has no repodata of it, and --offline keeps conda from"
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("channel", [UNREAD, "file:///somewhere"])
def test_other_errors_stay_the_same(failing: Exception, channel: str) -> None:
    with context._override("offline", channel != UNREAD), pytest.raises(type(failing)):
        solve.solve_transaction(["cprog"], [channel])


@pytest.mark.usefixtures("failing")
def test_channel_that_was_read() -> None:
    for url in Channel(UNREAD).urls(with_credentials=True, subdirs=(context.subdir, "noarch")):
        file = SubdirData(Channel(url), repodata_fn="repodata.json").cache_path_json
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    with context._override("offline", True), pytest.raises((OSError, PackagesNotFoundError)):
        solve.solve_transaction(["cprog"], [UNREAD])


@pytest.mark.usefixtures("failing")
def test_library_for_hosts_is_looked_for_without_an_error() -> None:
    with context._override("offline", True):
        assert fetch_zstd([UNREAD], "linux-64") == ()
