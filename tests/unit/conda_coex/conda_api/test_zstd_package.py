"""A package zstd is looked for in all channels together, then in each, and conda's output is not shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from conda import CondaError

from conda_coex.conda_api.zstd_package import solve_quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

RECORD: Any = SimpleNamespace(name="zstd")


def test_channel_that_is_gone() -> None:
    solves = []

    def solve(channels: Sequence[str]) -> list[Any]:
        solves.append(tuple(channels))
        if "gone" in channels:
            raise CondaError("no such channel")
        return [RECORD]

    assert list(solve_quietly(("gone", "there"), solve)) == [RECORD]
    assert solves == [("gone", "there"), ("gone",), ("there",)]
    assert list(solve_quietly(("gone",), solve)) == []


def test_silent(capsys: pytest.CaptureFixture[str]) -> None:
    def solve(channels: Sequence[str]) -> list[Any]:
        print("Target prefix: /env/does/not/exist")
        return [RECORD]

    assert list(solve_quietly(("a",), solve)) == [RECORD]
    assert capsys.readouterr().out == ""
