"""Compression on all cores, read by the standard tools."""

from __future__ import annotations

import gzip
import os
import subprocess

import pytest
import zstandard

from conda_coex.image import compress

BLOCK = compress.BLOCK
SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 7]


def compressed(kind: str, data: bytes, piece: int = 100_003) -> bytes:
    written: list[bytes] = []
    made = compress.compressor(kind, written.append)
    for start in range(0, len(data), piece):
        made.write(data[start : start + piece])
    made.close()
    return b"".join(written)


def sample(size: int) -> bytes:
    words = b" ".join(b"%d" % (number * number) for number in range(60_000))
    return (words * (size // len(words) + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_gzip_reads_it(size: int) -> None:
    data = sample(size)
    packed = compressed("gzip", data)
    assert gzip.decompress(packed) == data
    assert subprocess.run(["gzip", "-d"], input=packed, capture_output=True, check=True).stdout == data
    assert len(packed) < len(gzip.compress(data, 6)) * 1.02 + 100


@pytest.mark.parametrize("size", SIZES)
def test_zstd_reads_it(size: int) -> None:
    packed = compressed("zstd", sample(size))
    assert zstandard.ZstdDecompressor().stream_reader(packed).read() == sample(size)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_the_machine_does_not_show(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sample(6 * BLOCK) + os.urandom(BLOCK)
    found = set()
    for cores in (1, 2, 5):
        monkeypatch.setattr(compress, "usable_cores", lambda cores=cores: cores)
        found |= {compressed(kind, data), compressed(kind, data, piece=7_777_777)}
    assert len(found) == 1
