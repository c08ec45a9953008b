"""Pythons that compile for another platform: conda's own, and those that nobody but root and the caller can change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conda.base.context import context
from conda.core import envs_manager

from conda_coex.conda_api.interpreters import interpreters

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that makes an environment which conda knows, with a Python 9.9."""
    known: list[str] = []
    monkeypatch.setattr(envs_manager, "list_all_known_prefixes", lambda: known)

    def make(name: str) -> Path:
        program = tmp_path / name / "bin/python9.9"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        known.append(str(tmp_path / name))
        return program

    return make


def test_of_the_caller(environment: Callable[[str], Path]) -> None:
    program = environment("mine")
    assert list(interpreters("9.9")) == [program]
    assert list(interpreters("9.8")) == []


@pytest.mark.parametrize("place", ["bin/python9.9", "bin", "."])
def test_others_may_write(place: str, environment: Callable[[str], Path]) -> None:
    program = environment("theirs")
    (program.parents[1] / place).chmod(0o777)
    assert list(interpreters("9.9")) == []


def test_behind_a_link(environment: Callable[[str], Path]) -> None:
    """The directory of the program counts, not that of the link."""
    program = environment("theirs")
    linked = environment("mine")
    linked.unlink()
    linked.symlink_to(program)
    program.parent.chmod(0o777)
    assert list(interpreters("9.9")) == []


def test_base_is_conda_itself() -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert next(interpreters(version)) == Path(context.root_prefix, "bin", f"python{version}")
