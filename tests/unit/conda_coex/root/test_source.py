"""Patched sources: they find and slice as the bytes that they stand for, and read only the requested parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_coex.root import source
from conda_coex.root.source import InMemory, OnDisk, Patched, Span, sha256_of
from unit.conda_coex.counted import Counted

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.binary(max_size=40).map(lambda data: bytes(byte % 3 + 97 for byte in data))


@st.composite
def patched(draw: st.DrawFn) -> tuple[bytes, tuple[Span, ...], bytes]:
    """Return bytes, spans of them, and the bytes with the spans replaced."""
    data = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=10)))
    spans = [Span(*ends, draw(TEXTS)[:4]) for ends in zip(cuts[::2], cuts[1::2], strict=False)]
    result = bytearray(data)
    for span in reversed(spans):
        result[span.start : span.end] = span.data
    return data, tuple(spans), bytes(result)


@given(patched(), st.integers(0, 60), st.integers(0, 60), TEXTS, st.sampled_from([1, 2, 5, 1000]))
def test_patched_as_bytes(
    made: tuple[bytes, tuple[Span, ...], bytes], start: int, stop: int, searched: bytes, block: int
) -> None:
    data, spans, expected = made
    file = Patched(InMemory(data), spans)
    with pytest.MonkeyPatch.context() as patch, file.searched() as found:
        patch.setattr(source, "BLOCK", block)
        assert (len(found), file.read(), sha256_of(found)) == (len(expected), expected, sha256_of(expected))
        assert (found[start:stop], file.part(start, stop)) == (expected[start:stop], expected[start:][:stop])
        for text in filter(None, (searched[:1], searched[:3], expected[start : start + 3])):
            assert found.find(text, start) == expected.find(text, start)
            assert found.find(text, start, stop) == expected.find(text, start, stop)


def test_patches_of_a_patched_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a-b-c" * 500_000)  # which is mapped
    first = Patched(OnDisk(path), (Span(0, 1, b"first"), Span(2, 3, b"")))
    second = Patched(first, (Span(0, 6, b"_"), Span(len(first.read()) - 1, len(first.read()), b"end")))
    assert second.read() == b"_-c" + (b"a-b-c" * 500_000)[5:-1] + b"end"
    assert second.name == bytes(path)


def test_a_part_reads_no_more_than_itself() -> None:
    data = Counted(b"x" * 1_000_000)
    spans = tuple(Span(start, start + 10, b"/placeholder") for start in range(0, 1_000_000, 100))
    view = Patched(InMemory(data), spans).over(data)
    assert len(view[500_000:501_000]) == 1000
    assert 0 < data.looked_at <= 1000
