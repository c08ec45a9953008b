"""Compute the right content of each file of an archive in a prefix; `expected_contents` reads more of it, for verbs."""

from ..base import compat
from ..base.errors import ArchiveDamaged
from ..format.relocation import BINARY, NOTHING, invalid_relocation, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Dict, Iterable, Iterator, List, Optional, Tuple, Union

    from ..format.archive import Archive
    from .zstd import Decoder

    from .codesign import Signer
    from .relocate_pieces import Relocating

    Hashes = Dict[int, bytes]  # sha256 of relocated files, in hexadecimal, by row

PIECE = 4 << 20  # bytes


class Expected(object):
    """The files of `archive` for an environment at `prefix`.

    Modes, link targets, and the times of files for which `keeps_time` is true, are those of the index. The content of
    a plain file is its part of a frame. The writer's loop takes these from the columns itself, because a call for
    every file would slow down a first start; it calls this class for everything else.
    """

    def __init__(self, archive, prefix, decoder):
        # type: (Archive, bytes, Decoder) -> None
        self.archive, self.prefix, self.decoder = archive, prefix, decoder
        self.index, self.files = archive.index, archive.index.files
        self.signer = load_signer(archive.manifest.platform)
        self.large = frozenset(self.files.large)
        self.relocations = self.files.relocations
        if self.relocations:
            from . import relocate  # noqa: F401 # once, not in each of the workers
        if not self.large.isdisjoint(self.relocations):
            from . import relocate_pieces  # noqa: F401
        self.hashed = self.files.hashed  # rows of files that hold the sha256 of others

    def frame(self, number):
        # type: (int) -> Union[bytes, memoryview]
        """Return the content of a frame, valid until the next call.

        Raises ArchiveDamaged, or CoexError if the archive was changed since it was opened.
        """
        try:
            return self.decoder(self.archive.frame(number), self.index.frames[number].content)
        except ArchiveDamaged as error:
            self.archive.check_unchanged()
            raise ArchiveDamaged(error.what, self.archive.path)

    def content(self, row, frame):
        # type: (int, Union[bytes, memoryview]) -> bytes
        """Return the content of a small file from that of its frame; hashes in it are not filled in."""
        start = self.files.offsets[row]
        content = memoryview(frame)[start : start + self.files.sizes[row]]
        if row in self.relocations and row not in self.hashed:
            from .relocate import apply

            return apply(self.index.relocation(row), content, self.prefix, self.signer, self.files.path(row))
        return content.tobytes()

    def relocating(self, row):
        # type: (int) -> Relocating
        """Return an object that relocates a large file piece by piece."""
        from .relocate_pieces import Relocating

        return Relocating(self.index.relocation(row), self.files.sizes[row], self.prefix)

    def is_signed(self, row):
        # type: (int) -> bool
        """Return whether a file is signed after it is relocated."""
        return self.signer is not None and kind_of(self.relocations.get(row, NOTHING)) == BINARY

    def sign(self, row, stream):
        # type: (int, BinaryIO) -> bytes
        """Sign a large file that is relocated, and open to read and write; return its sha256 in hexadecimal."""
        if self.signer is not None:
            self.signer.sign_file(stream, self.files.path(row))
        stream.seek(0)
        return sha256_of(iter(lambda: stream.read(PIECE), b""))

    def filled_in(self, row, hashes):
        # type: (int, Hashes) -> Iterator[Tuple[int, bytes]]
        """Yield (offset, sha256 in hexadecimal) for each hash in a file; raises ArchiveDamaged."""
        for source, offset in self.index.relocation(row).slots:
            if isinstance(source, int):
                sha256 = hashes.get(source)
            else:
                from .source_hash import hash_content

                sha256 = hash_content(source, self.frame, self.index.placeholders, self.prefix, self.signer)
            if sha256 is None or offset + len(sha256) > self.files.sizes[row]:
                raise invalid_relocation()
            yield offset, sha256

    def keeps_time(self, row):
        # type: (int) -> bool
        """Return whether a file has the time of the index.

        A relocated file has the time of its writing, as in conda: a .pyc made elsewhere is stale then.
        """
        return row not in self.relocations or row in self.hashed

    def parts(self, rows):
        # type: (Iterable[int]) -> Dict[int, List[Tuple[int, int]]]
        """Return by frame [(row of a large file, offset of the frame in it)] for the files in these rows."""
        parts = {}  # type: Dict[int, List[Tuple[int, int]]]
        for row in rows:
            offset = 0
            for number in self.index.frames_of(row):
                parts.setdefault(number, []).append((row, offset))
                offset += self.index.frames[number].content
        return parts


def load_signer(platform):
    # type: (str) -> Optional[Signer]
    """Return the signer for relocated files of an archive for `platform`; None if it needs no signatures."""
    if not platform.startswith("osx-"):
        return None
    from .codesign import Signer

    return Signer(platform)


def sha256_of(pieces):
    # type: (Iterable[bytes]) -> bytes
    """Return the sha256, in hexadecimal, of a content that comes in pieces."""
    total = compat.new_sha256()
    for piece in pieces:
        total.update(piece)
    return total.hexdigest().encode("ascii")
