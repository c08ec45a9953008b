"""How the content of a file depends on its prefix: the RELOCATION of the index, parsed and written only here.

A RELOCATION of the index says how to change the content of one file:

    t:P:EDITS      text: every occurrence is replaced, the length may change, then the #! line is checked
    b:P:EDITS      binary: no byte moves; a C string is padded with NULs to its old length, a path with slashes
    e:PYTHON       a console script: the #! line that conda writes for PREFIX/PYTHON goes in front
    h:SOURCE@OFFSET,... the sha256, in hexadecimal, of the relocated SOURCE is written at OFFSET. SOURCE is a row of
                    the index, or FRAME.START.SIZE;RELOCATION of a content that is not a file (`-`: not relocated)

P numbers a placeholder of the index. EDITS are `ENCODING=ITEM+ITEM...` joined by `/`, ENCODING being an
index of ENCODINGS. An item of a text is an offset, followed by `!` if conda escapes blanks there (a `#!`
line). An item of a binary is the offsets of the occurrences in one string and its end, joined by `.`, or only the
offset of one path, if the length of the string or its end may be in use elsewhere.
"""

from ..base.errors import ArchiveDamaged
from ..base.row_type import row_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple, Union

    Edits = Tuple[Tuple[int, Tuple[Tuple[int, ...], ...]], ...]
    Source = Union[int, Tuple[int, int, int, bytes]]
    Slot = Tuple[Source, int]
    Relocation = NamedTuple("Relocation", [
        ("kind", bytes), ("placeholder", str), ("edits", Optional[Edits]), ("python", bytes), ("slots", Tuple[Slot, ...]),
    ])
else:
    # The fields of each kind: `placeholder` and `edits` of t and b, `python` of e, `slots` of h.
    # Edits are (number of the encoding, items). An item of a text is (offset, whether blanks are escaped), an item of a
    # binary is (offset, ..., end) or (offset,).
    Relocation = row_type("Relocation", "kind placeholder edits python slots")

NOTHING = b"-"  # the relocation of a file that is the same everywhere
TEXT, BINARY, SCRIPT, HASHES = b"t", b"b", b"e", b"h"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


def in_text(placeholder, edits):
    # type: (str, Optional[Edits]) -> Relocation
    """Return the relocation of a text; edits are None before they are found."""
    return Relocation(TEXT, placeholder, edits, b"", ())


def in_binary(placeholder, edits):
    # type: (str, Optional[Edits]) -> Relocation
    """Return the relocation of a binary; edits are None before they are found."""
    return Relocation(BINARY, placeholder, edits, b"", ())


def of_script(python):
    # type: (bytes) -> Relocation
    """Return the relocation of a console script for this Python, a path in the prefix."""
    return Relocation(SCRIPT, u"", None, python, ())


def of_hashes(slots):  # type: ignore[explicit-any] # of the builder's own names, too
    # type: (Sequence[Tuple[Any, int]]) -> Relocation
    """Return the relocation of a file that contains the sha256 of others; a builder names sources before they have rows."""
    return Relocation(HASHES, u"", None, b"", tuple(slots))


def kind_of(text):
    # type: (bytes) -> bytes
    """Return the kind of a RELOCATION without parsing it."""
    return text[:1]


def rows_of_kind(relocations, kind):
    # type: (Dict[int, bytes], bytes) -> FrozenSet[int]
    """Return the rows of files whose RELOCATION is of a kind."""
    return frozenset(row for row, text in relocations.items() if kind_of(text) == kind)


def parse(text, placeholders):
    # type: (bytes, Sequence[bytes]) -> Relocation
    """Parse a RELOCATION other than NOTHING; raises ArchiveDamaged."""
    kind, _, rest = text.partition(b":")
    try:
        if kind in (TEXT, BINARY):
            number, _, edits = rest.partition(b":")
            make = in_text if kind == TEXT else in_binary
            return make(placeholders[count(number)].decode("utf-8"), parse_edits(kind, edits))
        if kind == SCRIPT and rest and b"\n" not in rest:
            return of_script(rest)
    except (ValueError, IndexError):  # not a number, no such placeholder, not UTF-8
        raise invalid_relocation()
    if kind == HASHES:
        return of_hashes(parse_slots(text))
    raise invalid_relocation()


def parse_edits(kind, text):
    # type: (bytes, bytes) -> Edits
    """Parse EDITS of a kind; raises ValueError."""
    edits = []
    for edit in text.split(b"/") if text else ():
        encoding, _, items = edit.partition(b"=")
        if count(encoding) >= len(ENCODINGS):
            raise ValueError(encoding)
        edits.append((int(encoding), tuple([_parse_item(kind, item) for item in items.split(b"+")])))
    return tuple(edits)


def _parse_item(kind, item):
    # type: (bytes, bytes) -> Tuple[int, ...]
    if kind == TEXT:
        return count(item[:-1] if item.endswith(b"!") else item), int(item.endswith(b"!"))
    numbers = [count(number) for number in item.split(b".")]
    if numbers != sorted(numbers):
        raise ValueError(item)
    return tuple(numbers)


def parse_slots(text):
    # type: (bytes) -> List[Slot]
    """Return (SOURCE, offset) of every hash of a RELOCATION of kind h; raises ArchiveDamaged."""
    try:
        slots = [slot.split(b"@") for slot in text[2:].split(b",")]
        return [(parse_source(source), count(offset)) for source, offset in slots]
    except ValueError:
        raise invalid_relocation()


def parse_source(text):
    # type: (bytes) -> Source
    """Parse a SOURCE: a row, or (frame, start, size, RELOCATION); raises ValueError."""
    if b";" not in text:
        return count(text)
    place, _, relocation = text.partition(b";")
    frame, start, size = place.split(b".")
    return count(frame), count(start), count(size), relocation


def invalid_relocation():
    # type: () -> ArchiveDamaged
    """Return the error for a RELOCATION that cannot be parsed or applied."""
    return ArchiveDamaged("its index has an invalid relocation")


def count(digits):
    # type: (bytes) -> int
    """Return a number that is written in decimal digits only; raises ValueError."""
    if not digits.isdigit() or len(digits) > 20:
        raise ValueError(digits)
    return int(digits)
