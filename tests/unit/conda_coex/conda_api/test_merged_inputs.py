"""Files and words of the command line become one request: which channel comes first, which value of a variable wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conda.base.context import context
from conda.env.env import from_file

from conda_coex.conda_api.merged_inputs import merge_inputs
from conda_coex.errors import InputError
from conda_coex.inputs.document import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from conda_coex.inputs.environment import MergedInputs

FIRST = """\
channels: [one, two]
dependencies: [python, cprog >=1]
variables: {A: first, b: first, C: first}
"""
SECOND = """\
channels: [three, one]
dependencies: [cprog >=1, zstd, {pip: [demo, other]}]
variables: {B: second, A: second}
"""


def merged(directory: Path, texts: list[str], *specs: str) -> MergedInputs:
    paths = []
    for number, text in enumerate(texts):
        paths.append(directory / f"e{number}.yml")
        paths[-1].write_text(text)
    return merge_inputs([read_document(str(path)) for path in paths], specs)


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Have a channel of the configuration, and return the options of the command line for channels."""
    given: dict[str, object] = {}
    monkeypatch.setattr(type(context), "channels", ("mine", "one"))
    monkeypatch.setattr(context, "_argparse_args", given)
    return given


def test_specs_once_each_in_order(tmp_path: Path) -> None:
    found = merged(tmp_path, [FIRST, SECOND], "numpy", "zstd")
    assert found.specs == ("numpy", "zstd", "python", "cprog >=1")


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({}, ("one", "two", "three", "mine")),
        ({"channel": ["cli", "two"]}, ("cli", "two", "one", "three", "mine")),
        ({"override_channels": True}, ("one", "two", "three")),
        ({"channel": ["cli"], "override_channels": True}, ("cli", "one", "two", "three")),
    ],
)
def test_channels(
    options: dict[str, object], channels: tuple[str, ...], tmp_path: Path, configured: dict[str, object]
) -> None:
    configured.update(options)
    assert merged(tmp_path, [FIRST, SECOND]).channels == channels


def test_channels_of_nothing_are_the_configured(tmp_path: Path, configured: dict[str, object]) -> None:
    assert merged(tmp_path, [], "python").channels == ("mine", "one")
    configured["override_channels"] = True  # conda itself demands a channel then
    assert merged(tmp_path, [], "python").channels == ("mine", "one")


def test_nodefaults_keeps_the_configured_away(tmp_path: Path) -> None:
    text = FIRST.replace("two]", "nodefaults]")
    assert merged(tmp_path, [text, SECOND]).channels == ("one", "three")


def test_later_variable_wins_under_the_name_that_conda_sets(tmp_path: Path) -> None:
    found = merged(tmp_path, [FIRST, SECOND])
    assert list(found.variables.items()) == [("C", "first"), ("B", "second"), ("A", "second")]
    oracle = from_file(str(tmp_path / "e1.yml"))
    assert found.variables.items() >= oracle.variables.items()


def test_variables_of_the_shell_are_left_out(tmp_path: Path) -> None:
    found = merged(tmp_path, ["dependencies: [x]\nvariables: {UID: 5, Path: x, CONDA_PREFIX: x, MINE: y}\n"])
    assert found.variables == {"MINE": "y"}
    left = "the variable {} is left out: activation or the shell sets it"
    assert list(found.notes) == [left.format(name) for name in ("UID", "Path", "CONDA_PREFIX")]


def test_pip_sections_know_their_directory(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    found = merged(tmp_path / "deep", [FIRST, SECOND])
    (section,) = found.pip
    assert (section.directory, section.lines) == (str(tmp_path / "deep"), ("demo", "other"))
    assert found.implied == ("pip",)
    assert merged(tmp_path, ["dependencies: [python, {pip: }]"]).implied == ("pip",)
    assert merged(tmp_path, ["dependencies: [python, {pip: }]"], "pip").implied == ()


@pytest.mark.parametrize(("more", "specs"), [(", pip", ()), ("", ("pip",))])
def test_pip_that_somebody_asked_for_is_not_implied(more: str, specs: tuple[str, ...], tmp_path: Path) -> None:
    text = f"dependencies: [python{more}, {{pip: [demo]}}]\n"
    assert merged(tmp_path, [text], *specs).implied == ()


@pytest.mark.parametrize(
    ("texts", "says"), [([], "no package is requested"), ([FIRST, "channels: [x]\n"], r"e1\.yml: ")]
)
def test_nothing_asked_for(texts: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        merged(tmp_path, texts)
