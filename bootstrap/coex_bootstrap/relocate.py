"""Placeholder to prefix, at offsets known from the index: what conda's `core/portability.py` does, without a search.

A RELOCATION of the index says what to do with one file's content:

    t:P:EDITS      text: every occurrence is replaced, the length may change, then the #! line is checked
    b:P:EDITS      binary: no byte moves; a C string is padded with NULs to its old length, a path with slashes
    e:PYTHON       a console script: the #! line that conda writes for PREFIX/PYTHON goes in front
    h:SOURCE@OFFSET,... the sha256, in hexadecimal, of the relocated file in SOURCE stands at OFFSET: a row of the
                    index, or FRAME.START.SIZE;RELOCATION of a content that is not a file, or that stays as it is (`-`)

P numbers a placeholder of the index. EDITS are `ENCODING=ITEM+ITEM...` joined by `/`, ENCODING being an
index of ENCODINGS. An item of a text is an offset, followed by `!` where conda escapes blanks (a `#!`
line); an item of a binary is the offsets of one string's occurrences and its end, joined by `.`, or the
offset of one path alone, where the length of the string or its end may be in use elsewhere.
"""

import codecs
import hashlib

from .errors import ArchiveDamaged, HostUnfit
from .shebang import console_shebang, shorten_shebang

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator, List, Tuple, Union

    Source = Union[int, Tuple[int, int, int, bytes]]

NOTHING = b"-"  # the relocation of a file that is the same everywhere
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class Relocation(object):
    """One parsed RELOCATION of kind t, b or e; raises ArchiveDamaged for what is none."""

    def __init__(self, text, placeholders):
        # type: (bytes, List[bytes]) -> None
        try:
            self._parse(text, placeholders)
        except (ValueError, IndexError):  # no number, no such placeholder, no UTF-8
            raise misplaced()

    def _parse(self, text, placeholders):
        # type: (bytes, List[bytes]) -> None
        self.kind, _, rest = text.partition(b":")
        self.python = rest
        self.edits = []  # type: List[Tuple[int, List[List[int]]]]
        if self.kind in (b"t", b"b"):
            number, _, edits = rest.partition(b":")
            self.placeholder = placeholders[count(number)].decode("utf-8")
            for edit in edits.split(b"/") if edits else ():
                encoding, _, items = edit.partition(b"=")
                if count(encoding) >= len(ENCODINGS):
                    raise ValueError(encoding)
                self.edits.append((int(encoding), [read_item(self.kind, item) for item in items.split(b"+")]))
        elif self.kind != b"e" or b"\n" in rest or not rest:
            raise ValueError(text)

    def apply(self, data, prefix):
        # type: (bytes, bytes) -> bytes
        """Return the content of the file as it is in `prefix`; raises HostUnfit where that is too long."""
        if self.kind == b"t":
            return shorten_shebang(self._text(data, prefix))
        if self.kind == b"b":
            return self._binary(data, prefix)
        return console_shebang(prefix + b"/" + self.python) + data

    def _text(self, data, prefix):
        # type: (bytes, bytes) -> bytes
        places = []
        for encoding, items in self.edits:
            old, new = self._encoded(encoding, prefix)
            escaped = self._encoded(encoding, prefix.replace(b" ", b"\\ "))[1]
            for start, is_escaped in items:
                if data[start : start + len(old)] != old:
                    raise misplaced()
                places.append((start, start + len(old), escaped if is_escaped else new))
        pieces, end = [], 0
        for start, stop, new in sorted(places):
            if start < end:
                raise misplaced()
            pieces += [data[end:start], new]
            end = stop
        return b"".join(pieces) + data[end:]

    def _binary(self, data, prefix):
        # type: (bytes, bytes) -> bytes
        content = bytearray(data)
        for start, string in self.strings(prefix, len(data), lambda first, last: bytes(content[first:last])):
            content[start : start + len(string)] = string
        return bytes(content)

    def strings(self, prefix, size, read):
        # type: (bytes, int, Callable[[int, int], bytes]) -> Iterator[Tuple[int, bytes]]
        """Yield (offset, bytes of the old length) for every string of a binary; `read` gives old bytes of its `size`."""
        for encoding, items in self.edits:
            old, new = self._encoded(encoding, prefix)
            if len(new) > len(old):
                raise HostUnfit(
                    "the place to unpack is too long: %d bytes, a package allows %d" % (len(new), len(old)),
                    prefix, "name a shorter directory in COEX_ROOT",
                )
            for item in items:
                if len(item) == 1:
                    if item[0] + len(old) > size or read(item[0], item[0] + len(old)) != old:
                        raise misplaced()
                    yield item[0], self._padded(prefix, encoding, len(old))
                    continue
                offsets, end = item[:-1], item[-1]
                start = offsets[0]
                if end > size:
                    raise misplaced()
                string = read(start, end)
                pieces, last = [], 0
                for offset in offsets:
                    if offset - start < last or string[offset - start :][: len(old)] != old:
                        raise misplaced()
                    pieces += [string[last : offset - start], new]
                    last = offset - start + len(old)
                pieces.append(string[last:])
                yield start, b"".join(pieces) + b"\0" * ((len(old) - len(new)) * len(offsets))

    def _padded(self, prefix, encoding, size):
        # type: (bytes, int, int) -> bytes
        """Return a path of `size` bytes: with more slashes before its last name, where several count as one."""
        above, _, name = prefix.rpartition(b"/")
        first, last = self._encoded(encoding, above + b"/")[1], self._encoded(encoding, name)[1]
        slash = self._encoded(encoding, b"/")[1]
        return first + slash * ((size - len(first) - len(last)) // len(slash)) + last

    def _encoded(self, encoding, prefix):
        # type: (int, bytes) -> Tuple[bytes, bytes]
        if encoding == 0:
            return self.placeholder.encode("utf-8"), prefix
        # Not by name: to find a codec, 3.13.0 needs a working directory that is there.
        encode = getattr(codecs, ENCODINGS[encoding].replace("-", "_") + "_encode")
        try:
            return encode(self.placeholder)[0], encode(prefix.decode("utf-8"))[0]
        except UnicodeDecodeError:
            raise HostUnfit("a package needs a place whose path is UTF-8", prefix, "name one in COEX_ROOT")


def misplaced():
    # type: () -> ArchiveDamaged
    return ArchiveDamaged("its index relocates what is not there")


def count(digits):
    # type: (bytes) -> int
    """Return a number of digits alone; raises ValueError."""
    if not digits.isdigit() or len(digits) > 20:
        raise ValueError(digits)
    return int(digits)


def read_item(kind, item):
    # type: (bytes, bytes) -> List[int]
    """Return an ITEM: of a text, offset and whether blanks are escaped; of a binary, offsets and end, or one offset."""
    if kind == b"t":
        return [count(item[:-1] if item.endswith(b"!") else item), int(item.endswith(b"!"))]
    numbers = [count(number) for number in item.split(b".")]
    if numbers != sorted(numbers):
        raise ValueError(item)
    return numbers


def read_slots(text):
    # type: (bytes) -> List[Tuple[Source, int]]
    """Return (SOURCE, offset) of every hash of a RELOCATION of kind h; raises ArchiveDamaged for what is none."""
    try:
        slots = [slot.split(b"@") for slot in text[2:].split(b",")]
        return [(read_source(source), count(offset)) for source, offset in slots]
    except ValueError:
        raise misplaced()


def read_source(text):
    # type: (bytes) -> Source
    """Return a SOURCE: a row, or (frame, start, size, RELOCATION)."""
    if b";" not in text:
        return count(text)
    place, _, words = text.partition(b";")
    frame, start, size = place.split(b".")
    return count(frame), count(start), count(size), words


def hash_content(source, frames, placeholders, prefix):
    # type: (Tuple[int, int, int, bytes], Callable[[int], bytes], List[bytes], bytes) -> bytes
    """Return the sha256, in hexadecimal, of the content in a SOURCE as it is in `prefix`; `frames` decodes one."""
    number, start, left, words = source
    pieces = []
    while left > 0:
        try:
            pieces.append(frames(number)[start : start + left])
        except IndexError:
            raise misplaced()
        left, number, start = left - len(pieces[-1]), number + 1, 0
    data = b"".join(pieces)
    if words != NOTHING:
        data = Relocation(words, placeholders).apply(data, prefix)
    return hashlib.sha256(data).hexdigest().encode("ascii")
