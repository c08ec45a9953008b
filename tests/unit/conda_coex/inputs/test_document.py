"""A file of text that has no end is not read into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError
from conda_coex.inputs import document

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [10, 11])
def test_limit(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "LARGEST", 10)
    (tmp_path / "text").write_bytes(b"x" * size)
    if size <= document.LARGEST:
        assert document.read_document(str(tmp_path / "text")).data == b"x" * size
    else:
        with pytest.raises(InputError, match="text: the file has more than"):
            document.read_document(str(tmp_path / "text"))


def test_device() -> None:
    with pytest.raises(InputError, match="/dev/zero: the file has more than 64 MiB, and is not a list of packages"):
        document.read_document("/dev/zero")
