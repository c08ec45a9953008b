"""Check every byte of an archive: prelude, frames, seal, tail."""

import hashlib
import os

from ..base import workers
from ..base.compat import read_at
from ..base.errors import ArchiveDamaged, ArchiveUnreadable, CoexError
from ..base.pipes import nothing
from ..format.manifest import PYTHON, SEAL_SIZE, python_offset, seal
from ..format.archive import PRELUDE_START, Archive, unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Iterator, List, Optional, Tuple, TypedDict, TypeVar

    from ..unpack.zstd import Decoder

    Seen = TypeVar("Seen")
    Look = Callable[[int, bytes], Seen]
    # Offset and size are bytes of the file; `package` is added later, "" if it is not known.
    Damage = TypedDict("Damage", {
        "part": str, "what": str, "offset": Optional[int], "size": Optional[int], "frame": Optional[int], "package": str,
    }, total=False)


class Examined(Archive):
    """An archive that opens even if its first lines were altered; `damages` lists the damages so far."""

    def __init__(self, path):
        # type: (bytes) -> None
        self.damages = []  # type: List[Damage]
        super(Examined, self).__init__(path)

    def _check_beginning(self):
        # type: () -> None
        try:
            super(Examined, self)._check_beginning()
        except ArchiveDamaged as error:
            self.damages.append(damage("prelude", error.what, 0, len(PRELUDE_START)))

    def _check_prelude(self):
        # type: () -> None
        try:
            super(Examined, self)._check_prelude()
        except ArchiveDamaged as error:
            if not self.damages:
                self.damages.append(damage("prelude", error.what, 0, self.manifest.prelude))


def damage(part, what, offset=None, size=None, frame=None):
    # type: (str, str, Optional[int], Optional[int], Optional[int]) -> Damage
    """Return the row of a damage."""
    return {"part": part, "what": what, "offset": offset, "size": size, "frame": frame}


def check_archive(archive, decoder, look=None, beat=nothing):
    # type: (Examined, Optional[Decoder], Optional[Look[Seen]], Callable[[], None]) -> Tuple[List[Damage], List[Seen]]
    """Return the damages of an opened archive; without a decoder the checksums of zstd are not compared.

    `look` is called with number and content of each whole frame, in any process; its results are returned, too.
    """
    frames, results = check_frames(archive, decoder, look, beat)
    damages = archive.damages + frames
    return damages + check_rest(archive, sealed=not damages), results


def check_rest(archive, sealed):
    # type: (Archive, bool) -> List[Damage]
    """Return the damages outside of the frames; the seal is only compared if there is no other damage."""
    damages = list(_check_gaps(archive)) + _check_python(archive)
    return damages + _check_seal(archive) if sealed and not damages else damages


def check_frames(archive, decoder, look, beat=nothing):
    # type: (Archive, Optional[Decoder], Optional[Look[Seen]], Callable[[], None]) -> Tuple[List[Damage], List[Seen]]
    """Return the frames that differ from their sha256 in the index, or do not decode; and the results of `look`."""
    frames, base = archive.index.frames, archive.manifest.prelude

    def check(numbers):
        # type: (Iterable[int]) -> Tuple[List[Tuple[int, str]], List[Seen]]
        archive.reopen()
        refused, results = [], []  # type: List[Tuple[int, str]], List[Seen]
        for number in numbers:
            try:
                content = read_frame(archive, number, decoder)
            except ArchiveDamaged as error:
                refused.append((number, error.what))
                continue
            except ArchiveUnreadable as error:
                refused.append((number, "it cannot be read: " + error.what))
                continue
            if look is not None and content is not None:
                results.append(look(number, content))
        return refused, results

    parts = workers.share(len(frames), check, beat)
    damages = [
        damage("payload", why, base + frames[number].offset, frames[number].size, number)
        for number, why in sorted(pair for refused, _ in parts for pair in refused)
    ]
    return damages, [result for _, results in parts for result in results]


def read_frame(archive, number, decoder):
    # type: (Archive, int, Optional[Decoder]) -> Optional[bytes]
    """Return the content of a frame, None without a decoder; raises ArchiveDamaged."""
    data, frame = archive.frame(number), archive.index.frames[number]
    if hashlib.sha256(data).hexdigest().encode("ascii") != frame.sha256:
        raise ArchiveDamaged("its sha256 is not the one in the index")
    if decoder is None:
        return None
    content = decoder(data, frame.content)  # which compares the checksum of zstd
    return content if isinstance(content, bytes) else content.tobytes()


def _check_gaps(archive):
    # type: (Archive) -> Iterator[Damage]
    """Yield the parts of the payload outside of every frame: no checksum covers such bytes."""
    end, base = 0, archive.manifest.prelude
    for offset, size in sorted((frame.offset, frame.size) for frame in archive.index.frames):
        if offset > end:
            yield damage("payload", "bytes that are in no frame", base + end, offset - end)
        end = max(end, offset + size)
    if end < archive.manifest.payload:
        yield damage("payload", "bytes that are in no frame", base + end, archive.manifest.payload - end)


def _check_python(archive):
    # type: (Archive) -> List[Damage]
    """Return the damage if the carried Python is not at its place for the prelude, which does not read the zip."""
    if PYTHON not in archive.members:
        return []
    data = archive.members[PYTHON]
    offset = python_offset(archive.manifest, archive.members)
    try:
        if read_at(archive.stream, offset, len(data)) == data:
            return []
    except EnvironmentError as error:
        raise unreadable(error, archive.path)
    return [damage("tail", "the carried Python is not where the first lines look for it", offset, len(data))]


def _check_seal(archive):
    # type: (Archive) -> List[Damage]
    start = archive.manifest.prelude + archive.manifest.payload
    try:
        prelude = read_at(archive.stream, 0, archive.manifest.prelude)
        sealed = read_at(archive.stream, start, SEAL_SIZE)
        tail = read_at(archive.stream, start + SEAL_SIZE, archive.tail_size)
    except EnvironmentError as error:
        raise unreadable(error, archive.path)
    if seal(prelude, tail) == sealed:
        return []
    size = os.fstat(archive.stream.fileno()).st_size - start
    return [damage("tail", "the seal, or a byte that the seal vouches for, was altered", start, size)]


def damaged_part(error):
    # type: (CoexError) -> Damage
    """Return the damage of an archive that cannot be opened at all."""
    return damage("tail", error.what)
