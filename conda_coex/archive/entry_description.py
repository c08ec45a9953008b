"""Write and read the description of an entry of the cache of frames: one of another shape counts as damaged.

An entry has its frames first, then this description as JSON, the size and checksum of that, and a mark.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from typing import IO, TYPE_CHECKING, NamedTuple, TypedDict

from coex_bootstrap.format.index_check import SHA256
from coex_bootstrap.format.relocation import ENCODINGS, TEXT

from .frames import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from coex_bootstrap.format.relocation import Edits

    from ..root.conda_meta import Slots

    Rows = TypeVar("Rows")

END = struct.Struct("<QL8s")  # length and crc32 of the description, mark
MARK = b"coexfrm6"
NUMBER, SIZE, TIME = "I", "Q", "q"  # kinds of array that hold the numbers of an index
PAIR = 2  # of an offset in a text, and whether blanks are escaped


class Description(TypedDict):
    """The JSON description at the end of an entry, which its checksum vouches for.

    The places are columns: JSON reads a few long lists in less time than some ten thousand short ones.
    """

    name: str  # of the file, which stands for all that the content depends on
    owner: str
    level: int
    frames: list[tuple[int, int, str]]
    origins: list[str]
    places: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]  # frame, offset, size, mtime_ns
    edits: dict[str, Edits]  # by origin
    slots: dict[str, Slots]  # by origin, of records


class Described(NamedTuple):
    """The values of a description, of the types that builds rely on; JSON has lists for tuples."""

    name: str
    owner: str
    level: int
    frames: list[tuple[int, int, str]]
    places: dict[str, Place]  # by origin
    slots: dict[str, Slots]  # by origin


def dump(described: Described) -> bytes:
    """Return the bytes that an entry has after its frames."""
    rows = described.places.values()
    fields = Description(
        name=described.name,
        owner=described.owner,
        level=described.level,
        frames=described.frames,
        origins=list(described.places),
        places=(
            [row.frame for row in rows],
            [row.offset for row in rows],
            [row.size for row in rows],
            [row.mtime_ns for row in rows],
        ),
        edits={origin: row.edits for origin, row in described.places.items() if row.edits is not None},
        slots=described.slots,
    )
    text = json.dumps(fields, separators=(",", ":")).encode()
    return text + END.pack(len(text), zlib.crc32(text), MARK)


def read_description(stream: IO[bytes]) -> Described:
    """Return the description of an entry.

    Raises ValueError, or an error that Python raises for a value of another type, such as TypeError and KeyError.
    """
    size = stream.seek(0, 2)
    stream.seek(size - END.size)
    length, checksum, mark = END.unpack(stream.read())
    stream.seek(size - END.size - length)
    text = stream.read(length)
    if mark != MARK or zlib.crc32(text) != checksum:
        raise ValueError("an entry that is not whole")
    described = _parse(text)
    if sum(row[0] for row in described.frames) + length + END.size != size:
        raise ValueError("an entry of another size")
    return described


def _parse(text: bytes) -> Described:
    described: Description = json.loads(text)
    frames = [(size, content, sha256) for size, content, sha256 in described["frames"]]
    for size, content, sha256 in frames:
        _number(size, 1), _number(content, 1)
        if len(_text(sha256)) != SHA256:
            raise ValueError("a sha256 of another length")
    places = _places(described, len(frames))
    slots = {origin: _slots(rows, places[origin].size) for origin, rows in described["slots"].items()}
    level = _number(described["level"])
    return Described(_text(described["name"]), _text(described["owner"]), level, frames, places, slots)


def _places(described: Description, count: int) -> dict[str, Place]:
    origins, columns = described["origins"], described["places"]
    frames, offsets, sizes, times = columns
    # All types and limits at once, in C: there are some ten thousand
    kinds = zip((NUMBER, NUMBER, SIZE, TIME), columns, strict=True)
    lengths = {len(array(kind, column)) for kind, column in kinds}
    "".join(origins).encode("utf-8", "surrogateescape")
    if lengths != {len(origins)} or not isinstance(origins, list) or max(frames, default=-1) >= count:
        raise ValueError("places of another number, or in no frame")
    edits = {origin: _edits(rows) for origin, rows in described["edits"].items()}
    return dict(zip(origins, map(Place, frames, offsets, sizes, map(edits.get, origins), times), strict=True))


def _edits(rows: Edits) -> Edits:
    edits = tuple([(encoding, tuple([tuple(item) for item in items])) for encoding, items in _rows(rows)])
    for encoding, items in edits:
        if _number(encoding) >= len(ENCODINGS) or not items or not all(array(SIZE, item) for item in items):
            raise ValueError("edits without a place, or of no encoding")
    return edits


def fit(edits: Edits, kind: bytes) -> bool:
    """Return whether edits are those of a kind of relocation: `format.relocation` has the items of each."""
    items = [item for _, items in edits for item in items]
    return all(len(item) == PAIR for item in items) if kind == TEXT else all([*item] == sorted(item) for item in items)


def _slots(rows: Slots, size: int) -> Slots:
    slots = [((_text(owner), _text(name)), _number(offset)) for (owner, name), offset in _rows(rows)]
    if any(offset + SHA256 > size for _, offset in slots):
        raise ValueError("a slot after the end of its file")
    return slots


def _number(value: object, least: int = 0) -> int:
    if not isinstance(value, int) or not least <= value < 1 << 32:
        raise ValueError("not a number that fits")
    return value


def _rows(value: Rows) -> Rows:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
