"""A package zstd is looked for in all channels together, then in each, and conda's output is not shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from conda import CondaError

from conda_coex.conda_api import settings, zstd_package
from conda_coex.conda_api.zstd_package import fetch_zstd, solve_quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

RECORD: Any = SimpleNamespace(name="zstd")


def test_channel_that_is_gone() -> None:
    solves = []

    def solve(channels: Sequence[str]) -> tuple[Any, ...]:
        solves.append(tuple(channels))
        if "gone" in channels:
            raise CondaError("no such channel")
        return (RECORD,)

    assert list(solve_quietly(("gone", "there"), solve)) == [RECORD]
    assert solves == [("gone", "there"), ("gone",), ("there",)]
    assert list(solve_quietly(("gone",), solve)) == []


def test_silent(capsys: pytest.CaptureFixture[str]) -> None:
    def solve(channels: Sequence[str]) -> tuple[Any, ...]:
        print("Target prefix: /env/does/not/exist")
        return (RECORD,)

    assert list(solve_quietly(("a",), solve)) == [RECORD]
    assert capsys.readouterr().out == ""


def test_downloads_are_silent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that cannot be downloaded from one channel is taken from the next."""

    def fetch(records: list[Any], specs: tuple[str, ...]) -> tuple[Any, ...]:
        print("Downloading and Extracting Packages")
        if records[0].channel != "good":
            raise CondaError("connection failed")
        return ("package",)

    monkeypatch.setattr(zstd_package, "fetch", fetch)
    monkeypatch.setattr(
        zstd_package, "solve_records", lambda _, channels: [SimpleNamespace(name="zstd", channel=channels[-1])]
    )
    assert fetch_zstd(["good", "bad"], "linux-64") == ("package",)
    assert capsys.readouterr().out == ""


def test_platform_of_an_existing_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be another one than that of the command line, and of the builder."""
    seen = []

    def solve(_: Any, channels: Sequence[str]) -> list[Any]:
        seen.append(settings.target_platform())
        return [RECORD]

    monkeypatch.setattr(zstd_package, "fetch", lambda records, _: tuple(records))
    monkeypatch.setattr(zstd_package, "solve_records", solve)
    before = settings.target_platform()
    assert fetch_zstd(["good"], "linux-ppc64le") == (RECORD,)
    with settings.target("linux-s390x"):
        assert fetch_zstd(["good"], "linux-ppc64le") == (RECORD,)
        assert settings.target_platform() == "linux-s390x"
    assert (seen, settings.target_platform()) == (["linux-ppc64le", "linux-ppc64le"], before)
