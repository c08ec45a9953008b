"""What can be wrong with an environment.yml is said before conda reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.environment_file import check_shape
from conda_coex.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"name: x\ndependencies: [cprog\n", "is no YAML in line 3: expected ',' or ']'", id="open list"),
        pytest.param(b"dependencies:\n\t- cprog\n", r"is no YAML in line 2: found character '\t'", id="tab"),
        pytest.param(b"channels: []\nchannels: []\n", "is no YAML in line 2: found duplicate key", id="twice"),
        pytest.param(b"\0\1\2", "is no YAML: unacceptable character #x0000", id="control characters"),
        pytest.param(b"a: caf\xe9\n", "is no YAML: unacceptable character #x00e9", id="other encoding"),
        pytest.param(b"- cprog\n", "is no mapping; list packages under `dependencies:`", id="list"),
        pytest.param(b"cprog\n", "is no mapping; list packages under `dependencies:`", id="prose"),
        pytest.param(b"", "is empty; list packages under `dependencies:`", id="empty"),
        pytest.param(b"# nothing\n", "is empty; list packages under `dependencies:`", id="comment"),
        pytest.param(b"dependencies:\n", "asks for no package; list some under `dependencies:`", id="nothing"),
        pytest.param(b"dependencies: x\n", "has `dependencies` that are no list; begin each with `- `", id="text"),
        pytest.param(b"dependencies: {x: 1}\n", "has `dependencies` that are no list", id="mapping"),
        pytest.param(
            b"dependencies: [3]\n", "has 3 in `dependencies`, which is no text; put it in quotes", id="number"
        ),
        pytest.param(b"dependencies: [x, null]\n", "has None in `dependencies`, which is no text", id="gap"),
        pytest.param(b'dependencies: ["x\\0"]\n', r"has 'x\x00' in `dependencies`, which is no text", id="zero in it"),
        pytest.param(
            b'dependencies: [{pip: ["\\ud800"]}]\n', "has a `pip:` that is no list of texts", id="surrogate in pip"
        ),
        pytest.param(b"channels: x\n", "has `channels` that are no list", id="channel as text"),
        pytest.param(b"channels: [1]\n", "has 1 in `channels`, which is no text", id="number as channel"),
        pytest.param(
            b"variables: [A]\n", "has `variables` that are no mapping; write them as `NAME: value`", id="variables"
        ),
        pytest.param(b"variables: {A-B: x}\n", "has the variable 'A-B', and no shell can set one of that", id="dash"),
        pytest.param(b"variables: {1: x}\n", "has the variable 1, and no shell", id="number as variable"),
        pytest.param("variables: {\u017c: x}\n".encode(), "has the variable '\u017c', and no shell", id="letter"),
        pytest.param(b"variables: {'': x}\n", "has the variable '', and no shell can", id="no name"),
        pytest.param(b"variables: {A: [1]}\n", "has [1] as the value of A, which is no text", id="list as value"),
        pytest.param(b'variables: {A: "x\\0"}\n', r"has a value of A that no variable can have, 'x\x00'", id="zero"),
        pytest.param(b'variables: {A: "\\ud800"}\n', r"has a value of A that no variable can have", id="surrogate"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "environment.yml"
    file.write_bytes(content)
    with pytest.raises(InputError) as error:
        check_shape(str(file))
    assert str(error.value).startswith(f"{file}: the environment file {says}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param(
            "e.yml", b"dependencies: [x >=1, {pip: [y]}]\nchannels: [c]\nvariables: {A: 1}\n", id="everything"
        ),
        pytest.param("e.yaml", b"dependencies: [x]\nchannels:\nvariables:\nother: [1]\n", id="empty and unknown keys"),
        pytest.param(
            "e.yml", b"dependencies: [x]\nvariables: {A: , B: '', C: true, D: 2020-01-01, E: \"\\n'\"}\n", id="values"
        ),
        pytest.param("conda-lock.yml", b"version: 1\nmetadata: {}\npackage: []\n", id="lock file, for a plugin"),
        pytest.param("spec.txt", b"\xff\0 @EXPLICIT [", id="no YAML, for conda"),
    ],
)
def test_right_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    check_shape(str(tmp_path / name))
