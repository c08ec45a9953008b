"""Write a RELOCATION as text. Builders do that, and a start never does."""

from .relocation import HASHES, SCRIPT, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Tuple

    from .relocation import Edits, Relocation, Slot, Source


def write(relocation, placeholders):
    # type: (Relocation, List[str]) -> bytes
    """Return the RELOCATION as text; append its placeholder to `placeholders` if it is new."""
    kind, python = relocation.kind, relocation.python  # type: bytes, bytes
    if kind == SCRIPT:
        return kind + b":" + python
    if kind == HASHES:
        return write_slots(relocation.slots)
    if relocation.placeholder not in placeholders:
        placeholders.append(relocation.placeholder)
    number = placeholders.index(relocation.placeholder)
    return kind + (":%d:" % number).encode("ascii") + write_edits(kind, relocation.edits or ())


def write_edits(kind, edits):
    # type: (bytes, Edits) -> bytes
    """Return EDITS as text."""
    join = _text_item if kind == TEXT else _binary_item
    written = ["%d=%s" % (encoding, "+".join(map(join, items))) for encoding, items in edits]
    return "/".join(written).encode("ascii")


def _text_item(item):
    # type: (Tuple[int, ...]) -> str
    return "%d!" % item[0] if item[1] else "%d" % item[0]


def _binary_item(item):
    # type: (Tuple[int, ...]) -> str
    return ".".join(map(str, item))


def write_slots(slots):
    # type: (Iterable[Slot]) -> bytes
    """Return a RELOCATION of kind h."""
    written = [_write_source(source) + ("@%d" % offset).encode("ascii") for source, offset in slots]
    return HASHES + b":" + b",".join(written)


def _write_source(source):
    # type: (Source) -> bytes
    if isinstance(source, int):
        return str(source).encode("ascii")
    return ("%d.%d.%d;" % source[:3]).encode("ascii") + source[3]
