"""Relocate content that comes in pieces, such as that of a file of many frames: no more than a piece is in memory."""

from ..format.relocation import TEXT, invalid_relocation
from .relocate import joined, splices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Union

    from ..format.relocation import Relocation
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
