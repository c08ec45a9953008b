"""An image that cannot be written names the file at fault: a base, or the output."""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import BaseRefused, OutputError
from conda_coex.image.documents import Blob, Documents
from conda_coex.image.layer import Layer
from conda_coex.image.oci_layout import write_layout

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = Documents(Blob("x", b'{"created": "2020-01-01T00:00:00Z"}'), Blob("x", b"{}"), b"{}", b"[]")


class Failing(io.RawIOBase):
    """A file on a disk that fails."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("name", ["image", "image.tar"])
@pytest.mark.parametrize("base", [b"base.tar", None])
def test_layer_on_a_failing_disk(name: str, base: bytes | None, tmp_path: Path) -> None:
    """A layer without a base is in a file beside the output."""
    layer = Layer("x", "sha256:0", 5, "sha256:1", lambda: io.BufferedReader(Failing()), base=base)
    kind = OutputError if base is None else BaseRefused
    says = f"{name}: cannot be written: " if base is None else "base.tar: .*its layer sha256:0 cannot be read: "
    with pytest.raises(kind, match=f"{says}Input/output error"):
        write_layout(tmp_path / name, DOCUMENTS, [layer])
    assert list(tmp_path.iterdir()) == []
