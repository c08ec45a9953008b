"""Find the places where a file of a live prefix names that prefix, and those that can take another path.

The placeholder of a package can be replaced everywhere. The path of a live prefix may be short, part of a longer path,
or in a place where the format of the file has stored its length: those are reported and never changed.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from coex_bootstrap.format.relocation import ENCODINGS

from ..archive.placeholders import encodings_in, find_edits
from ..root.source import Span, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from coex_bootstrap.format.relocation import Edits

    from ..root.source import Searched

OBJECTS = (  # ELF, Mach-O (thin and fat; a Java class has the same mark), ar
    b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"!<arch>\n",
)  # fmt: skip
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")  # of UTF-16 and UTF-32
CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
LONGER = re.compile(r"[\w~+%-]|\.\w")  # after a path: its last name goes on
BEFORE = re.compile(r"[\w.~+%-]*")  # before a path, read backwards: the end of a name
ESCAPE = re.compile(r"\\[abfnrtv0]")  # escape sequences of sources, as for the end of a line
PRINTABLE = bytes(byte for byte in range(256) if not UNPRINTABLE.match(chr(byte)))
SHORT = (b"z", b"Z", b"x", b"U")  # marks of marshal, CBOR and pickle: the next byte is the length of a string
NEAR = 80  # characters before a path that are examined
LONGEST = 64 << 10  # bytes of a string in a binary that is not an object


@dataclass(frozen=True)
class Mentions:
    """The places where a file names the prefix: `edits` for its file mode, and how many cannot be changed."""

    file_mode: str
    edits: Edits
    fixed: int
    places: int  # of all kinds


def find_prefix(data: Searched, prefix: str) -> Mentions | None:
    """Return the places where `data` names `prefix`; None if there are none."""
    named = _places(data, prefix)
    if not named:
        return None
    if _is_text(data, prefix, named):
        return Mentions("text", find_edits(data, prefix, "text", is_path), 0, len(named))
    if is_object(data):
        edits = find_edits(data, prefix, "paths", is_path)
        return Mentions("binary", edits, len(named.keys() - set(offsets(edits))), len(named))
    edits = find_edits(data, prefix, "binary", Strings(data))
    changed = {offset for _, items in edits for item in items for offset in item[:-1]}
    return Mentions("binary", edits, len(named.keys() - changed), len(named))


def is_object(data: Searched) -> bool:
    """Return whether a file was compiled: other bytes may refer to the position and the length of its strings."""
    return data[:8].startswith(OBJECTS)


def offsets(edits: Edits) -> list[int]:
    """Return the offsets of edits of the mode "paths"."""
    return [item[0] for _, items in edits for item in items]


def respelled(data: Searched, names: Iterable[str], name: str) -> Iterator[Span]:
    """Yield the changes to a text that put `name` in place of all `names` of the prefix."""
    places = [
        (start, -len(other.encode(encoding)), other, encoding)
        for other in names
        for start, encoding in _places(data, other).items()
    ]
    end = 0
    for start, size, other, encoding in sorted(places):  # of names that begin at one place, the longest first
        if start >= end:
            end = start - size
            if other != name:
                yield Span(start, end, name.encode(encoding))


def _places(data: Searched, prefix: str) -> dict[int, str]:
    """Return the offsets at which the data name the prefix, and the encoding at each."""
    places: dict[int, str] = {}
    for encoding in encodings_in(data, prefix):
        searched = prefix.encode(encoding)
        start = data.find(searched)
        while start >= 0:
            # text of one byte order also matches in the other, some bytes away: one of the two is enough
            is_new = places.keys().isdisjoint(range(start - 3, start + 4))
            if is_new and is_path(data, start, start + len(searched), encoding):
                places[start] = encoding
            start = data.find(searched, start + len(searched))
    return places


def _is_text(data: Searched, prefix: str, named: dict[int, str]) -> bool:
    """Return whether a file is text: the length of a path in it may change."""
    if data[:4].startswith(BYTE_ORDER_MARKS) or not any(map(CONTROL.search, blocks(data))):
        return True
    if "utf-8" in named.values():
        return False
    return any(_decodes(data, prefix, encoding) for encoding in ENCODINGS[1:])


def _decodes(data: Searched, prefix: str, encoding: str) -> bool:
    """Return whether all bytes are a printable text in an encoding, and the prefix is in it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    is_named, text = False, ""
    try:
        for block in blocks(data):
            text = text[-len(prefix) :] + decoder.decode(block)
            if UNPRINTABLE.search(text):
                return False
            is_named = is_named or prefix in text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return is_named


def is_path(data: Searched, start: int, end: int, encoding: str) -> bool:
    """Return whether the prefix at this place is a whole path, or the first part of one.

    With a prefix /opt/e, `-L/opt/e/lib` and `file:///opt/e` name it; `/opt/extra`, `/opt/e.old`, `/mnt/opt/e` do not.
    """
    width = len("/".encode(encoding))
    after = data[end : end + 2 * width].decode(encoding, "replace")
    if LONGER.match(after):
        return False
    near = data[max(0, start - NEAR * width) : start]
    before = near[len(near) % width :].decode(encoding, "replace")
    if ESCAPE.fullmatch(before[-2:]):
        return True
    match = BEFORE.match(before[::-1])
    word = before[len(before) - match.end() :] if match else ""
    return not word or word.startswith("-") or before.removesuffix(word).endswith("//")


class Strings:
    """Decide whether a path in a binary of an unknown format is a C string: printable, with a NUL at its end.

    It is not if a number before it could be its length, as in pickles and databases. Paths are asked for in the order
    of the data. A string with many paths is read once.
    """

    def __init__(self, data: Searched) -> None:
        self.stores_lengths = data[2:4] == b"\r\n"  # compiled Python
        self.run = self.seen = 0  # the printable bytes before `seen` begin at `run`
        self.ends: dict[tuple[str, int], tuple[int, int | None]] = {}  # end, and where its printable bytes begin

    def __call__(self, data: Searched, start: int, end: int, encoding: str) -> bool:
        """Return whether the prefix from `start` to `end` is a path in such a string."""
        if self.stores_lengths or not is_path(data, start, end, encoding):
            return False
        width = len("/".encode(encoding))
        first = self._first(data, start) if width == 1 else start
        stop = self._stop(data, first, start, encoding)
        if stop is None:
            return False
        shortest, longest = (end - first) // width, stop - first + width
        own = _numbers(data, start, (2, 4, 8)) | _short(data, start) if width == 1 else _numbers(data, start, (2, 4, 8))
        if any((end - start) // width <= number <= longest for number in own):
            return False
        # the string may begin before the path, and the last byte of its length may be printable
        around = _numbers(data, first, (2, 4, 8)) | _short(data, first) | _numbers(data, first + 1, (4, 8))
        return first == start or not any(shortest <= number <= longest for number in around)

    def _first(self, data: Searched, start: int) -> int:
        """Return where the printable bytes before a path begin."""
        low = max(self.seen, start - LONGEST)
        rest = data[low:start].rstrip(PRINTABLE)
        if rest or low > self.seen:
            self.run = low + len(rest)
        self.seen = start
        return max(self.run, start - LONGEST)

    def _stop(self, data: Searched, first: int, start: int, encoding: str) -> int | None:
        """Return the end of the string; None if it has none, or if its bytes from `first` on are not printable."""
        key = encoding, start % len("/".encode(encoding))
        stop, printable = self.ends.get(key, (-1, None))
        if stop < start:
            stop, printable = _end(data, start, encoding), None
        if stop < start + LONGEST and printable is None:
            last = UNPRINTABLE.split(data[first:stop].decode(encoding, "replace"))[-1]
            printable = stop - len(last.encode(encoding))
        self.ends[key] = stop, printable
        if stop >= start + LONGEST or printable is None or first < printable:
            return None
        is_inside = encoding == "utf-8" and b"\x80" <= data[first : first + 1] < b"\xc0"  # of a character
        return None if is_inside else stop


def _end(data: Searched, start: int, encoding: str) -> int:
    """Return the place of the next NUL that is a character of a string; a place out of reach if there is none."""
    zeros = "\0".encode(encoding)
    place = data.find(zeros, start)
    while place >= 0 and (place - start) % len(zeros):
        place = data.find(zeros, place + 1)
    return place if place >= 0 else len(data) + LONGEST


def _numbers(data: Searched, start: int, sizes: Sequence[int]) -> set[int]:
    """Return the numbers of these sizes that end before a place, in both byte orders."""
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    return {int.from_bytes(data[start - size : start], order) for size in sizes if size <= start for order in orders}


def _short(data: Searched, start: int) -> set[int]:
    """Return the byte before a place if a mark before it says that it is a length."""
    mark = data[start - 2 : start - 1] if start > 1 else b""
    return set(data[start - 1 : start]) if mark >= b"\x80" or mark in SHORT else set()
