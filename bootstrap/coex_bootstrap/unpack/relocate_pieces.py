"""Relocate content that comes in pieces, such as that of a file of many frames: no more than a piece is in memory."""

from ..base import compat
from ..format.relocation import BINARY, NOTHING, TEXT, invalid_relocation, parse
from .relocate import apply, joined, splices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator, List, Optional, Tuple, Union

    from ..format.relocation import Relocation
    from .codesign import Signer
    from .shebang import ShebangInPieces

    Frame = Union[bytes, memoryview]


class Relocating(object):
    """Relocates one file whose content comes in pieces, in order."""

    def __init__(self, relocation, size, prefix):
        # type: (Relocation, int, bytes) -> None
        """Take the relocation of a file that has `size` bytes before it; raises as `splices` does."""
        self._splices = splices(relocation, size, prefix)
        self._next = 0  # of the splices
        self._offset, self._rest = 0, b""  # bytes that wait for the next piece, and their offset
        self._shebang = None  # type: Optional[ShebangInPieces]
        if relocation.kind == TEXT:
            from .shebang import ShebangInPieces

            self._shebang = ShebangInPieces()

    def feed(self, piece):
        # type: (Frame) -> List[Frame]
        """Return the relocated bytes that are complete with this piece, in parts that share its memory; raises ArchiveDamaged."""
        data = memoryview(self._rest + memoryview(piece).tobytes() if self._rest else piece)
        parts, done, keep = [], 0, len(data)  # type: List[Frame], int, int
        while self._next < len(self._splices):
            start, stop, old, new = self._splices[self._next]
            first, last = start - self._offset, stop - self._offset
            if last > len(data):
                keep = min(first, keep)
                break
            if data[first:last].tobytes() != old:
                raise invalid_relocation()
            parts += [data[done:first], new]
            done = last
            self._next += 1
        parts.append(data[done:keep])
        self._offset, self._rest = self._offset + keep, data[keep:].tobytes()
        return parts if self._shebang is None else [self._shebang.feed(joined(parts))]

    def finish(self):
        # type: () -> List[Frame]
        """Return the bytes that are left when there are no more pieces; raises ArchiveDamaged if some are missing."""
        parts = self.feed(b"")
        if self._next < len(self._splices):
            raise invalid_relocation()
        return parts if self._shebang is None else parts + [self._shebang.finish()]


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
