"""Make the tail: a zip of the bootstrap and the description of an archive, whose large members threads deflate."""

from __future__ import annotations

import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from coex_bootstrap.format.manifest import INDEX, LIBZSTD, MAIN, MANIFEST, PACKAGE, SBOM
from coex_bootstrap.format.tail import DEFLATED, END, ENTRY, LOCAL, STORED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future
    from importlib.abc import Traversable

PACKED = (INDEX, LIBZSTD, MANIFEST, SBOM)  # the code is stored: it starts faster, and can be read
LEVEL = 6  # of zlib
VERSION, UNIX = 20, 3  # of the format, and the system that made it (APPNOTE 4.4.2 and 4.4.3)
PERMISSIONS = 0o100644 << 16
ZIP_EPOCH = 315532800  # 1980-01-01, the first date that a zip can hold
ZIP_END = 4354819198  # 2107-12-31, the last


def bootstrap_members() -> dict[str, bytes]:
    """Return the bootstrap, byte for byte, by its names in the tail, with the root's `__main__.py`."""
    members = _bootstrap()
    return {**members, MAIN: members[f"{PACKAGE}/{MAIN}"]}


@cache
def _bootstrap() -> dict[str, bytes]:
    return dict(_sources(files(PACKAGE), PACKAGE))


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".sh")):
            yield f"{name}/{entry.name}", entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{name}/{entry.name}")


class NewTail:
    """The members of a tail while it is made; its context ends when no thread works for it any more."""

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self.members: dict[str, bytes] = {}
        self._pool = ThreadPoolExecutor(2)  # for the index and libzstd; the others are small
        self._packed: dict[str, Future[bytes]] = {}
        self.add_all(members)

    def __enter__(self) -> NewTail:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, name: str, data: bytes) -> None:
        """Add a member, which is deflated while others are made."""
        self.members[name] = data
        if name in PACKED:
            self._packed[name] = self._pool.submit(_deflate, data)

    def add_all(self, members: Mapping[str, bytes]) -> None:
        """Add several members."""
        for name, data in members.items():
            self.add(name, data)

    def zip_bytes(self, date: int) -> bytes:
        """Return a zip with its own offsets, without comment: every Python from 2.7 on starts it behind other bytes."""
        year, month, day, hour, minute, second = time.gmtime(min(max(date, ZIP_EPOCH), ZIP_END))[:6]
        when = hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day
        members, entries, offset = [], [], 0
        for name in sorted(self.members):
            data = packed = self.members[name]
            method = STORED
            if name in self._packed:
                packed, method = self._packed[name].result(), DEFLATED
            title = name.encode("ascii")
            facts = (0, method, *when, zlib.crc32(data), len(packed), len(data), len(title), 0)
            members += [LOCAL.pack(b"PK\3\4", VERSION, *facts), title, packed]
            versions = UNIX << 8 | VERSION, VERSION
            entries += [ENTRY.pack(b"PK\1\2", *versions, *facts, 0, 0, 0, PERMISSIONS, offset), title]
            offset += LOCAL.size + len(title) + len(packed)
        directory = b"".join(entries)
        count = len(self.members)
        return b"".join([*members, directory, END.pack(b"PK\5\6", 0, 0, count, count, len(directory), offset, 0)])


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
