"""Measure the size of an archive by owner and by file, packed and unpacked."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard
from coex_bootstrap.base.compat import visible
from coex_bootstrap.base.errors import ArchiveDamaged
from coex_bootstrap.format.manifest import PYTHON
from coex_bootstrap.tools.output import human
from coex_bootstrap.tools.owners import Owners, dist_of
from coex_bootstrap.unpack.expected_contents import ExpectedContents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coex_bootstrap.format.archive import Archive

REST = "coex itself"  # owner of prelude, code, index and libzstd
CARRIED = "carried Python"
WIDTH, ROWS, LARGEST = 30, 20, 10


@dataclass(frozen=True)
class Sized:
    """A file: its owner, its size unpacked, and its share of the archive; a frame's bytes are shared by size."""

    path: bytes
    owner: str
    unpacked: int
    packed: float


@dataclass(frozen=True)
class Owned:
    """The sizes of one package, or of another owner."""

    name: str
    unpacked: int
    packed: float
    files: tuple[Sized, ...]  # largest first, as packed


def decode(frame: bytes, size: int) -> bytes:
    """Decode a frame to the size that the index says; raises ArchiveDamaged."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(frame) as reader:
            content: bytes = reader.read(size + 1)
    except zstandard.ZstdError as error:
        raise ArchiveDamaged(f"a frame cannot be decoded: {error}") from error
    if len(content) != size:
        raise ArchiveDamaged("a frame has another size than the index says")
    return content


def measure(archive: Archive) -> list[Owned]:
    """Return the sizes of each owner, largest in the archive first; the owner is the name of a package."""
    owners = Owners(ExpectedContents(archive, b"/", decode))
    names = {dist_of(p): p["name"] for p in archive.manifest.packages}
    frames = archive.index.frames
    files: dict[str, list[Sized]] = {}
    for row in archive.index.files:
        packed, number, left, offset = 0.0, row.frame, row.size, row.offset
        while left > 0:
            part = min(left, frames[number].content - offset)
            packed += frames[number].size * part / frames[number].content
            left, number, offset = left - part, number + 1, 0
        dist = owners.of_path(row.path)
        files.setdefault(names.get(dist, dist), []).append(Sized(row.path, dist, row.size, packed))
    owned = [_owned(name, of_owner) for name, of_owner in files.items()]
    size = os.stat(archive.path).st_size  # noqa: PTH116 - the path is bytes
    if archive.manifest.python is not None:
        owned.append(Owned(CARRIED, archive.manifest.python["size"], len(archive.members[PYTHON]), ()))
    rest = size - sum(each.packed for each in owned)
    owned.append(Owned(REST, 0, rest, ()))
    return sorted(owned, key=lambda each: (-each.packed, each.name))


def _owned(name: str, files: list[Sized]) -> Owned:
    files.sort(key=lambda each: (-each.packed, each.path))
    return Owned(name, sum(each.unpacked for each in files), sum(each.packed for each in files), tuple(files))


def render(owned: Sequence[Owned]) -> Iterator[str]:
    """Yield bars of the largest owners and files."""
    yield f"{'':<28}  {'in the file':>{WIDTH + 12}}  {'unpacked':>9}"
    for each in owned[:ROWS]:
        yield _line(visible(each.name), each.packed, owned[0].packed, each.unpacked)
    if owned[ROWS:]:
        others = owned[ROWS:]
        unpacked = sum(each.unpacked for each in others)
        yield _line(f"{len(others)} others", sum(each.packed for each in others), owned[0].packed, unpacked)
    yield ""
    files = sorted((file for each in owned for file in each.files), key=lambda file: (-file.packed, file.path))
    yield f"largest of {len(files)} files"
    for file in files[:LARGEST]:
        yield f"  {human(int(file.packed)):>9}  {human(file.unpacked):>9}  {visible(file.path)}"


def _line(name: str, packed: float, most: float, unpacked: int) -> str:
    return f"{name[:28]:<28}  {_bar(packed / (most or 1))} {human(int(packed)):>9}  {human(unpacked):>9}"


def _bar(fraction: float) -> str:
    """Return a bar of a fraction of WIDTH columns, in eighths if the terminal can show them."""
    eighths = round(max(0.0, min(1.0, fraction)) * WIDTH * 8)
    if "utf" not in (sys.stdout.encoding or "").lower():
        return f"{'#' * (eighths // 8):<{WIDTH}}"
    text = "█" * (eighths // 8) + (" ▏▎▍▌▋▊▉"[eighths % 8] if eighths % 8 else "")
    return f"{text:<{WIDTH}}"
