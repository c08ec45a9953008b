"""Hash a content that is in frames and not in a file of its own, as it is after relocation."""

from ..base import compat
from ..format.relocation import BINARY, NOTHING, invalid_relocation, parse
from .relocate import apply
from .relocate_pieces import Relocating

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator, List, Optional, Tuple

    from .codesign import Signer
    from .relocate_pieces import Frame


def hash_content(source, frames, placeholders, prefix, signer=None):
    # type: (Tuple[int, int, int, bytes], Callable[[int], Frame], List[bytes], bytes, Optional[Signer]) -> bytes
    """Return the sha256, in hexadecimal, of the content in a SOURCE as it is in `prefix`; `frames` decodes one.

    A binary that is signed is in memory as a whole.
    """
    size, text = source[2:]
    pieces, relocation = _pieces(source, frames), parse(text, placeholders) if text != NOTHING else None
    total = compat.new_sha256()
    if relocation is not None and relocation.kind == BINARY and signer:
        total.update(apply(relocation, b"".join(pieces), prefix, signer))
        return total.hexdigest().encode("ascii")
    relocating = Relocating(relocation, size, prefix) if relocation is not None else None
    for piece in pieces:
        for part in relocating.feed(piece) if relocating else [piece]:
            total.update(part)
    for part in relocating.finish() if relocating else []:
        total.update(part)
    return total.hexdigest().encode("ascii")


def _pieces(source, frames):
    # type: (Tuple[int, int, int, bytes], Callable[[int], Frame]) -> Iterator[bytes]
    """Yield the content of a SOURCE by frame; raises ArchiveDamaged if there are not enough frames."""
    number, start, left, _ = source
    while left > 0:
        try:
            piece = memoryview(frames(number))[start : start + left].tobytes()
        except IndexError:
            raise invalid_relocation()
        yield piece
        left, number, start = left - len(piece), number + 1, 0
