"""Layers: their entries as other programs read them, and names that are refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from typing import IO, TYPE_CHECKING

import pytest

from conda_coex.errors import ImageError
from conda_coex.image.layer import LayerWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[IO[bytes]]:
    with (tmp_path / "layer").open("w+b") as stream:
        yield stream


def test_a_layer(stream: IO[bytes]) -> None:
    long, odd = b"d/" + b"n" * 300, b"d/\xff\xfe"
    writer = LayerWriter(stream, "gzip")
    writer.add_directory(b"d", 0o2755, 5)
    writer.add_file(b"d/setuid", 0o4755, 7, 3, [b"a", b"bc"])
    writer.add_file(long, 0o644, 7, 600, [b"x" * 600])
    writer.add_file(odd, 0o600, -9, 0, [])
    writer.add_link(b"d/link", long, 8)
    layer = writer.close("x")
    with layer.open() as again:
        data = again.read()
    assert (layer.size, layer.digest) == (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
    tar = gzip.decompress(data)
    assert layer.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
    assert len(tar) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as found:
        members = {os.fsencode(member.name): member for member in found}
        assert [(m.uid, m.gid, m.uname, m.gname) for m in members.values()] == [(0, 0, "", "")] * 5
        assert [(n, m.mode, m.mtime, m.size) for n, m in members.items()] == [
            (b"d", 0o755, 5, 0), (b"d/setuid", 0o755, 7, 3), (long, 0o644, 7, 600), (odd, 0o600, 0, 0),
            (b"d/link", 0o777, 8, 0),
        ]  # fmt: skip
        assert os.fsencode(members[b"d/link"].linkname) == long
        content = found.extractfile(members[b"d/setuid"])
        assert content is not None
        assert content.read() == b"abc"


@pytest.mark.parametrize("path", [b"d/.wh.x", b".wh..wh..opq", b".wh.d/x"])
def test_names_that_remove_files_below(stream: IO[bytes], path: bytes) -> None:
    writer = LayerWriter(stream, "gzip")
    with pytest.raises(ImageError, match=r"names that begin with \.wh\. remove files"):
        writer.add_file(path, 0o644, 0, 0, [])
    with pytest.raises(ImageError):
        writer.add_link(path, b"x", 0)


def test_a_content_of_another_size(stream: IO[bytes]) -> None:
    with pytest.raises(ImageError, match="has 1 bytes in its place, and should have 2"):
        LayerWriter(stream, "gzip").add_file(b"x", 0o644, 0, 2, [b"x"])
