"""Packages that pip has chosen for another platform: only wheels, at exactly their versions and hashes."""

from __future__ import annotations

import json

import pytest
from packaging.requirements import Requirement

from conda_coex.errors import InputError
from conda_coex.pypi.chosen import Chosen, check_wheels
from conda_coex.pypi.target import Target
from unit.conda_coex.pypi.chosen_wheels import WHEEL, chosen

TARGET = Target("linux-aarch64", "3.12.1", "2.28")


def test_requirement_is_exact() -> None:
    found = Requirement(chosen().requirement(hashed=False))
    assert (found.name, str(found.specifier), found.url) == ("demo-pkg", "==1.5", None)
    direct = Requirement(chosen(is_direct=True).requirement(hashed=False))
    assert (direct.name, direct.url) == ("demo-pkg", WHEEL)
    line, _, option = chosen().requirement(hashed=True).partition(" ")
    assert (line, option) == ("demo-pkg==1.5", f"--hash=sha256:{'a' * 64}")


def test_files_of_an_installer() -> None:
    assert chosen().metadata() == {"INSTALLER": b"pip\n"}
    found = chosen(is_direct=True, requested=True).metadata()
    assert found.keys() == {"INSTALLER", "REQUESTED", "direct_url.json"}
    assert json.loads(found["direct_url.json"])["url"] == WHEEL


@pytest.mark.parametrize("fields", [{}, {"metadata": [], "download_info": 5}, {"metadata": {"name": None}}])
def test_report_of_another_shape(fields: dict[str, object]) -> None:
    """A value of another type counts as missing."""
    found = Chosen(fields)
    assert (found.name, found.url, found.hashes) == ("", "", {})


def test_sources_are_refused() -> None:
    chosen().check_wheel(TARGET)
    with pytest.raises(InputError, match=r"build demo-pkg from https://host/x\.tar\.gz for linux-aarch64"):
        chosen("https://user:secret@host/x.tar.gz").check_wheel(TARGET)


@pytest.mark.parametrize(
    "line",
    ["demo", "demo[a]>=1 ; python_version > '3'", "demo @ https://host/a-1-py3-none-any.whl", "/w/a-1-py3-none-any.whl",
     "--index-url https://host/simple", "-c https://host/constraints.txt"],
)  # fmt: skip
def test_lines_that_build_nothing(line: str) -> None:
    check_wheels([line], TARGET)


@pytest.mark.parametrize(
    "line",
    ["-e .", "--editable /src", "/src/project", "/src/project[extra] ; python_version > '3'",
     "--no-binary :all:", "--no-bin=demo", "--only-binary :none:",
     "demo @ git+https://host/demo", "https://host/demo-1.tar.gz --hash=sha256:00"],
)  # fmt: skip
def test_lines_that_name_sources(line: str) -> None:
    with pytest.raises(InputError, match="pip would have to build"):
        check_wheels(["demo", line], TARGET)
