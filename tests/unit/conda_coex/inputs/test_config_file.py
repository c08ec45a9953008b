"""The options of a project's file: the file that counts, its keys, and the paths that it may not take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError
from conda_coex.inputs import config_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a project, which is the working directory."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def write(project: Path, text: str, name: str = "coex.toml") -> None:
    (project / name).write_text(text, encoding="utf-8")


def test_values(project: Path) -> None:
    text = 'entrypoint = "python"\nfile = ["a.yml", "b.yml"]\ncompression-level = 12\nfast = true\nsmall = false\n'
    write(project, text + '[env]\nMODE = "x=y z"\n"PORT?" = 8000\n')
    found = config_file.find()
    assert found is not None
    assert found.values == {
        "entrypoint": ["python"], "file": ["a.yml", "b.yml"], "compression-level": 12, "fast": True,
        "env": ["MODE=x=y z", "PORT?=8000"],
    }  # fmt: skip
    assert [word for key in found.values for word in found.words(key)] == [
        "--entrypoint=python", "--file=a.yml", "--file=b.yml", "--compression-level=12", "--fast", "--env=MODE=x=y z",
        "--env=PORT?=8000",
    ]  # fmt: skip


def test_entry_points_by_name_keep_their_order(project: Path) -> None:
    write(project, '[entrypoint]\nserve = "python -m http.server"\nreport = "./report.py"\n')
    found = config_file.find()
    assert found is not None
    assert found.values["entrypoint"] == ["serve=python -m http.server", "report=./report.py"]


def test_own_file_counts_before_the_shared_one(project: Path) -> None:
    write(project, '[tool.coex]\noutput = "shared.coex"\n', "pyproject.toml")
    assert getattr(config_file.find(), "path", None) == "pyproject.toml"
    write(project, 'output = "own.coex"\n')
    assert getattr(config_file.find(), "path", None) == "coex.toml"


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "this is = not toml", "[tool.coexist]\nx = 1\n"])
def test_shared_file_of_others(project: Path, text: str) -> None:
    write(project, text, "pyproject.toml")
    assert config_file.find() is None


def test_nothing_is_read_from_above(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, 'output = "x.coex"\n')
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert config_file.find() is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("entrypont = 'x'", "unknown key `entrypont` (did you mean entrypoint?)"),
        ("files = ['x']", "unknown key `files` (did you mean app?)"),
        ("yes = true", "unknown key `yes`"),
        ("[tool.coex]", "unknown key `tool`; write its keys at the top, without [tool.coex]"),
        ("insecure = true", "unknown key `insecure`"),
        ("entrypoint = 3", "`entrypoint` has to be a string or a list of strings, or a table of names"),
        ("app = ['x', 3]", "`app` has to be a string or a list of strings"),
        ("compression-level = '3'", "`compression-level` has to be a number"),
        ("fast = 1", "`fast` has to be true or false"),
        ("output = ['x']", "`output` has to be a string"),
        ("[env]\nA = true", "`env` has to be a string or a list of strings, or a table of names"),
        ("[env]\nA = [1]", "`env` has to be"),
        ('app = ["a", "a\\u0000b"]', "`app` has a NUL"),
        ('[env]\nA = "\\u0000"', "`env` has a NUL"),
        ('output = "\\u0000"', "`output` has a NUL"),
        ("a = ", "is not TOML"),
        ("app = " + "[" * 5000, "is not TOML"),
    ],
)
def test_refused(project: Path, text: str, says: str) -> None:
    write(project, text)
    with pytest.raises(InputError, match=r"coex\.toml") as error:
        config_file.find()
    assert says in str(error.value)


def test_not_text(project: Path) -> None:
    (project / "coex.toml").write_bytes(b"output = '\xff'\n")
    with pytest.raises(InputError, match=r"coex\.toml: is not TOML"):
        config_file.find()
    with pytest.raises(InputError, match=r"nothing\.toml: cannot be read: No such file"):
        config_file.read_config("nothing.toml")


def test_shared_file_without_the_table(project: Path) -> None:
    write(project, "[project]\nname = 'x'\n", "pyproject.toml")
    with pytest.raises(InputError, match=r"has no table \[tool\.coex\]"):
        config_file.read_config("pyproject.toml")


NO_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo, "directory": lambda path: path.mkdir(), "link to nothing": lambda path: path.symlink_to("x"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_FILES)
def test_no_file(project: Path, kind: str) -> None:
    NO_FILES[kind](project / "pyproject.toml")
    assert config_file.find() is None
    NO_FILES[kind](project / "coex.toml")
    with pytest.raises(InputError, match=r"coex\.toml: is not a file"):
        config_file.find()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("app", "../secret"), ("app", "{above}/secret"), ("app", "../secret=x"), ("app", "../s*"), ("app", "link"),
        ("app", "l*k"), ("app", "{above}/s[e]cret"), ("file", "../environment.yml"), ("output", "../x.coex"),
        ("output", "/x.coex"), ("prefix", "../env"),
        ("entrypoint", "../secret"), ("entrypoint", "name=../secret more"), ("entrypoint", "{above}/secret"),
    ],
)  # fmt: skip
def test_path_that_leaves(project: Path, key: str, path: str) -> None:
    (project.parent / "secret").write_text("secret", encoding="utf-8")
    (project / "link").symlink_to("../secret")
    write(project, f"{key} = '{path.format(above=project.parent)}'\n")
    with pytest.raises(InputError, match=f"`{key}` leads out of the directory of this file"):
        config_file.find()


def test_paths_inside(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "x").touch()
    (project / "to data").symlink_to("data")
    app = ["data/../data", "to data", "**/x", f"{project}/data=d", "missing"]
    write(project, f"app = {app}\noutput = 'dist/x.coex'\nchannel = ['conda-forge', '../channel', 'file:///x']\n")
    found = config_file.find()
    assert found is not None
    assert found.values["app"] == app


def test_file_that_others_may_write(project: Path) -> None:
    write(project, 'output = "x.coex"\n')
    (project / "coex.toml").chmod(0o666)
    with pytest.raises(InputError, match=r"use --config coex\.toml"):
        config_file.find()
    assert config_file.read_config("coex.toml").values == {"output": "x.coex"}


def test_file_of_another_size(project: Path) -> None:
    """It is not read into memory, and a file that others could have written is not parsed before its owner is known."""
    write(project, 'output = "x.coex"\n')
    os.truncate(project / "coex.toml", 1 << 40)
    with pytest.raises(InputError, match=r"coex\.toml: is larger than 1 MiB"):
        config_file.find()
    (project / "coex.toml").chmod(0o666)
    with pytest.raises(InputError, match="everybody may write to it"):
        config_file.find()
    (project / "coex.toml").unlink()
    (project / "pyproject.toml").write_text("[project]\n")
    os.truncate(project / "pyproject.toml", 1 << 40)
    assert config_file.find() is None


@pytest.mark.parametrize("part", ["a", "'a'", '"a.b"', "a "])
def test_key_of_many_parts(project: Path, part: str) -> None:
    """The time that tomllib takes for a key grows with the square of its parts."""
    write(project, f"{'.'.join([part] * 50000)} = 1\n")
    with pytest.raises(InputError, match=r"coex\.toml: has a key of more than 100 parts"):
        config_file.find()
    write(project, f"{'.'.join([part] * 100)} = 1\n")
    with pytest.raises(InputError, match="unknown key"):
        config_file.find()
    write(project, f"output = '{'a.' * 90}coex'  # {'.' * 500}\n")
    assert config_file.find() is not None


def test_file_of_another_user(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, 'output = "x.coex"\n')
    if os.getuid() == 0:
        assert config_file.find() is not None
        monkeypatch.setattr(os, "getuid", lambda: 4711)
        assert config_file.find() is not None  # root's are everybody's
        os.chown(project / "coex.toml", 4712, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(InputError, match="belongs to another user"):
        config_file.find()
    write(project, "[project]\n", "pyproject.toml")
    (project / "coex.toml").unlink()
    assert config_file.find() is None
