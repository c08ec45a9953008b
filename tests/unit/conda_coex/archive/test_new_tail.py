"""The tail is the zip that Python's own zipfile writes, byte for byte."""

from __future__ import annotations

import io
import random
import time
import zipfile

import pytest

from conda_coex.archive.new_tail import PACKED, ZIP_END, ZIP_EPOCH, NewTail, bootstrap_members

MEMBERS = {
    "index": random.Random(1).randbytes(1 << 20) + bytes(1 << 20), "libzstd": b"", "coex.json": b"{}" * 999,
    "sbom.json": b"x", "python.tar.gz": random.Random(2).randbytes(99), **bootstrap_members(),
}  # fmt: skip


@pytest.mark.parametrize("date", [0, ZIP_EPOCH + 1, 1_700_000_001, 4_000_000_000, ZIP_END + 2, 253402300799])
def test_as_zipfile_writes_it(date: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as expected:
        for name in sorted(MEMBERS):
            info = zipfile.ZipInfo(name, time.gmtime(min(max(date, ZIP_EPOCH), ZIP_END))[:6])
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED if name in PACKED else zipfile.ZIP_STORED
            expected.writestr(info, MEMBERS[name], compresslevel=6)
    with NewTail(MEMBERS) as tail:
        assert tail.zip_bytes(date) == buffer.getvalue()
