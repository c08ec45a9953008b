"""The assumed virtual packages of another platform give way to those that the user sets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from conda.base.context import context

from conda_coex.conda_api.solve import ASSUMED, assume_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = "linux-aarch64" if context._native_subdir() != "linux-aarch64" else "linux-64"
ALL = ASSUMED["linux"]


@pytest.fixture(autouse=True)
def another_platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ALL:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    with context._override("_subdir", OTHER):
        yield


def assumed() -> dict[str, str]:
    assume_platform()
    return {name: os.environ[name] for name in ALL if name in os.environ}


def test_without_a_word_of_the_user() -> None:
    assert assumed() == ALL


def test_variable_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "2.35")
    assert assumed() == {**ALL, "CONDA_OVERRIDE_GLIBC": "2.35"}


def test_setting_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """conda 25.11 and newer have one, and look at the variables first."""
    monkeypatch.setattr(type(context), "override_virtual_packages", {"glibc": "2.35"}, raising=False)
    assert assumed() == {name: value for name, value in ALL.items() if name != "CONDA_OVERRIDE_GLIBC"}
