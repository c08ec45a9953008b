"""The encodings in which a file may hold a path: each that it holds is found, at any offset."""

from __future__ import annotations

import pytest
from coex_bootstrap.format.relocation import ENCODINGS

from conda_coex.archive.placeholders import encodings_in

ASCII, OTHERS = "/opt/environment", "/opt/umgebung/größe"


@pytest.mark.parametrize("text", [ASCII, OTHERS, "/a"])
@pytest.mark.parametrize("before", [b"", b"\0", b"ab\0", bytes(7)])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_that_a_file_holds(encoding: str, before: bytes, text: str) -> None:
    data = before + text.encode(encoding)
    assert encoding in encodings_in(data, text)
    assert encoding in encodings_in(data + b"\0/share", text)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_none_of_another_path(encoding: str) -> None:
    """A search that finds too much would only cost time: for the beginning of a path it finds nothing."""
    assert encodings_in(ASCII[:-1].encode(encoding), ASCII) == []
    assert encodings_in(bytes(range(256)) * 9, ASCII) == []
