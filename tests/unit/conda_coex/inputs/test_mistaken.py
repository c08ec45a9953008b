"""A slip in the key `dependencies`, and files of other kinds, are named; keys of other formats are left alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError
from conda_coex.inputs.document import read_document
from conda_coex.inputs.mistaken import check_kind

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("key", ["depndencies", "dependecies", "dependancies"])
def test_misspelt_key(key: str, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(f"name: x\n{key}: [python]\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"environment.yml: the environment file has `{key}`; write `dependencies`$"):
        check_kind(read_document(str(path)))


@pytest.mark.parametrize("key", ["dev-dependencies", "devDependencies", "packages", "depends", "dependency"])
def test_other_keys(key: str, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(f"{key}: [python]\n", encoding="utf-8")
    check_kind(read_document(str(path)))
    path.write_text(f"{key}: [python]\ndependencies: [python]\n", encoding="utf-8")
    check_kind(read_document(str(path)))


@pytest.mark.parametrize("name", ["some.txt", "environment.yml", "conda.lock"])
@pytest.mark.parametrize(("tool", "remedy"), [("conda", "`conda list --explicit --md5`"), ("pip", "run `pip freeze")])
def test_tables_of_installed_packages(tool: str, remedy: str, name: str, tmp_path: Path) -> None:
    """conda and pip write the tables."""
    (tmp_path / "prefix/conda-meta").mkdir(parents=True)
    (tmp_path / "prefix/conda-meta/history").touch()
    where = ["--prefix", str(tmp_path / "prefix")] if tool == "conda" else []
    listed = subprocess.run([sys.executable, "-m", tool, "list", *where], check=True, stdout=subprocess.PIPE).stdout
    (tmp_path / name).write_bytes(listed)
    with pytest.raises(InputError, match=f"{name}: this is the output of `{tool} list`, .*; {remedy}"):
        check_kind(read_document(str(tmp_path / name)))
