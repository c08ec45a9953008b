"""A slip in the one key that an environment file needs is named; keys of other formats are left to their readers."""

from __future__ import annotations

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
