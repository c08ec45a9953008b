"""Frames: the cuts, and every byte of every file is in them once."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
import zstandard
from coex_bootstrap.format.manifest import FRAME_LIMIT

from conda_coex.archive import frames
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.frames import SAMPLE, Piece, cut, effort, frame_size, ordered, pack
from conda_coex.root.content import Content
from conda_coex.root.source import InMemory, OnDisk

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1000


def content(path: str, data: bytes | Path, size: int) -> Content:
    return Content(path, 0o644, 0, InMemory(data) if isinstance(data, bytes) else OnDisk(data), size)


def decoded(contents: list[Content], limit: int) -> dict[str, bytes]:
    """Cut and pack contents, and put them together again from the frames."""
    found: dict[str, bytes] = {}
    for pieces in cut(ordered(contents), limit):
        packed = pack(pieces, 3)
        data, offset = zstandard.ZstdDecompressor().decompress(packed.data), 0
        assert packed.content == len(data) <= limit
        for piece in packed.pieces:
            found[piece.content.path] = found.get(piece.content.path, b"") + data[offset : offset + piece.length]
            offset += piece.length
    return found


@pytest.mark.parametrize("in_memory", [True, False])
def test_files_of_every_size(tmp_path: Path, in_memory: bool) -> None:
    """Smaller than a frame, as large, larger, and many times as large; from disk, or made in memory as records are."""
    contents, expected = [], {}
    for size in (1, 10, 400, 600, 999, 1000, 1001, 2000, 2500, 12345):
        data = bytes(n * size % 251 for n in range(size))
        path = tmp_path / str(size)
        path.write_bytes(data)
        contents.append(content(f"prefix/d/{size}", data if in_memory else path, size))
        expected[f"prefix/d/{size}"] = data
    assert decoded(contents, LIMIT) == expected


def test_a_frame_has_the_size_that_a_reader_takes() -> None:
    assert all(frame_size(level) <= FRAME_LIMIT for level in range(1, 20))
    assert frame_size(19) > frame_size(9)


def test_frames_made_with_other_settings_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each level has a place of its own in the cache, and another one after its settings or zstd have changed."""
    places = {FrameCache(tmp_path, level).path("demo") for level in range(1, 20)}
    assert len(places) == 19
    monkeypatch.setattr(frames, "HASH_LOGS", {9: 19})
    assert FrameCache(tmp_path, 9).path("demo") not in places
    assert FrameCache(tmp_path, 8).path("demo") in places
    monkeypatch.setattr("zstandard.ZSTD_VERSION", (1, 4, 9))
    assert FrameCache(tmp_path, 8).path("demo") not in places


@pytest.mark.parametrize("level", [9, 19])
def test_content_that_does_not_get_smaller_is_stored(level: int) -> None:
    """It is tried on samples of the beginning, the middle and the end; where only one of them gets smaller, all is."""
    random = Random(1)
    noise = random.randbytes(12 * SAMPLE)
    assert effort(noise, level) == 1
    frame = pack([Piece(content("app/a.zip", noise, len(noise)), 0, len(noise))], level).data
    assert len(noise) < len(frame) < len(noise) + 1000
    assert zstandard.ZstdDecompressor().decompress(frame) == noise
    words = b"a few words, again and again; " * (SAMPLE // 10)
    assert effort(words, level) == level
    for place in (0, 5 * SAMPLE + SAMPLE // 2, 11 * SAMPLE):
        mixed = noise[:place] + words[:SAMPLE] + noise[place + SAMPLE :]
        assert effort(mixed, level) == level
    assert effort(random.randbytes(SAMPLE - 1), level) == level  # too small to be worth a trial
    assert (effort(b"", level), effort(words, 1)) == (level, 1)
