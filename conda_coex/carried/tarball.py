"""Write files as a gzipped tar: the same files give the same bytes."""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

PROGRAM, FILE = 0o755, 0o644
LEVEL = 6  # of gzip: 9 takes six times as long to save one byte in a hundred


def tarball(files: Mapping[str, bytes], programs: Collection[str], directories: Iterable[str]) -> bytes:
    """Return files and their directories, sorted by name; owner, date and modes are fixed (POSIX ustar)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        parents = (posixpath.dirname(path) for path in files)
        for directory in sorted({each for path in (*directories, *parents) for each in _with_parents(path)}):
            info = tarfile.TarInfo(directory)
            info.type, info.mode = tarfile.DIRTYPE, PROGRAM
            tar.addfile(info)
        for path in sorted(files):
            info = tarfile.TarInfo(path)
            info.mode, info.size = PROGRAM if path in programs else FILE, len(files[path])
            tar.addfile(info, io.BytesIO(files[path]))
    return gzip.compress(buffer.getvalue(), LEVEL, mtime=0)


def _with_parents(directory: str) -> list[str]:
    parts = directory.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
