"""Read the right content of each file of an archive in a prefix, as a whole or in pieces: for verbs and the builder."""

from .expected import PIECE, Expected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Iterator, List, Optional, Tuple

    from .expected import Hashes


class ExpectedContents(Expected):
    """Adds to `Expected` all that a start does not need: it writes the files of a frame while it has its content."""

    def decode(self, number):
        # type: (int) -> bytes
        """Return the content of a frame, for as long as it is needed; raises as `frame` does."""
        return memoryview(self.frame(number)).tobytes()

    def small_rows(self, number):
        # type: (int) -> List[int]
        """Return the rows of the files in a frame, without the large ones, which take whole frames."""
        first, last = self.files.rows_of(number)
        return [row for row in range(first, last) if row not in self.large]

    def contents(self, rows):
        # type: (Iterable[int]) -> Iterator[Tuple[int, bytes]]
        """Yield (row, content) of small files; each of their frames is decoded once."""
        number, frame = -1, b""
        for row in sorted(rows):
            if self.files.sizes[row] and self.files.frames[row] != number:
                number = self.files.frames[row]
                frame = self.decode(number)
            yield row, self.content(row, frame if self.files.sizes[row] else b"")

    def content_of(self, path):
        # type: (bytes) -> bytes
        """Return the content of a small file by its path in the root; hashes in it are not filled in."""
        row = next(row for row in range(len(self.files)) if self.files.path(row) == path)
        return dict(self.contents([row]))[row]

    def pieces(self, row, hashes=None):
        # type: (int, Optional[Hashes]) -> Iterator[bytes]
        """Yield the content of a large file, about a frame at a time; without `hashes`, those in it are not filled in."""
        if self.is_signed(row):
            return self._signed_pieces(row)
        return self._relocated_pieces(row, hashes)

    def _signed_pieces(self, row):
        # type: (int) -> Iterator[bytes]
        """Yield the content of a signed file; to sign one, all of it has to be there."""
        import tempfile  # a start does not need it

        with tempfile.TemporaryFile() as stream:
            for piece in self._relocated_pieces(row, None):
                stream.write(piece)
            self.sign(row, stream)
            stream.seek(0)
            for piece in iter(lambda: stream.read(PIECE), b""):
                yield piece

    def _relocated_pieces(self, row, hashes):
        # type: (int, Optional[Hashes]) -> Iterator[bytes]
        relocating = self.relocating(row) if row in self.relocations and row not in self.hashed else None
        slots = list(self.filled_in(row, hashes)) if row in self.hashed and hashes is not None else []
        start = 0
        for number in self.index.frames_of(row):
            piece = self.decode(number)
            for part in relocating.feed(piece) if relocating else [_put(slots, piece, start)]:
                yield memoryview(part).tobytes()
            start += len(piece)
        for part in relocating.finish() if relocating else []:
            yield memoryview(part).tobytes()

    def fill(self, row, content, hashes):
        # type: (int, bytes, Hashes) -> bytes
        """Return the content of a small file with the hashes in it filled in."""
        return _put(list(self.filled_in(row, hashes)), content, 0)

    def hashed_by(self, rows):
        # type: (Iterable[int]) -> List[int]
        """Return the rows of the relocated files whose hashes these files hold."""
        sources = [source for row in rows for source, _ in self.index.relocation(row).slots]
        return sorted(set(source for source in sources if isinstance(source, int)))


def _put(slots, content, start):
    # type: (List[Tuple[int, bytes]], bytes, int) -> bytes
    """Return content, which begins at `start` in its file, with the bytes of `slots` at their offsets in the file."""
    data = bytearray(content)
    for offset, new in slots:
        first, last = max(offset, start), min(offset + len(new), start + len(content))
        if first < last:
            data[first - start : last - start] = new[first - offset : last - offset]
    return bytes(data)
