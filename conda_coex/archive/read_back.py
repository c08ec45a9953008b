"""Read a finished archive as a host will, before the build reports success."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from stat import S_IXUSR
from typing import TYPE_CHECKING

from coex_bootstrap.base.errors import ArchiveDamaged, DecoderMissing
from coex_bootstrap.format.archive import unreadable
from coex_bootstrap.format.relocation import NOTHING, parse
from coex_bootstrap.start.host import host_platform
from coex_bootstrap.tools.check_archive import check_rest, read_frame
from coex_bootstrap.unpack.decoder import load_decoder

from ..errors import ReadBackFailed
from ..root.link_target import TooManyLinks, is_below, resolve_links
from .frame_reader import FrameReader
from .sizes import decode
from .writer import open_written

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    from coex_bootstrap.format.archive import Archive
    from coex_bootstrap.format.index import Index
    from coex_bootstrap.unpack.zstd import Decoder

    from .payload import Payload

TOPS = ("prefix", "app")


def altered_frame(archive: Archive) -> int | None:
    """Return the first frame of an archive whose bytes differ from their sha256, None if there is no such frame."""
    frames = archive.index.frames
    try:
        with FrameReader(archive.stream, archive.manifest.prelude) as reader:
            for frame in frames:
                reader.read([frame])
            return reader.altered(frames)
    except OSError as error:
        raise unreadable(error, archive.path) from error


def read_back(stream: IO[bytes], output: Path, payload: Payload) -> None:
    """Read all of the archive in `stream` but the content of its frames, with the readers that it carries.

    The payload has a reader of its own, which has read the frames, or still does.
    Raises ReadBackFailed if a host would refuse the archive, or, if frames taken from an earlier build or archive
    were damaged there, the error that names it.
    """
    try:
        with closing(open_written(stream, output)) as written:
            altered = payload.reader.altered(written.index.frames)
            check_relocations(written.index)
            for entry in written.manifest.entry_points:
                check_command(written.index, entry["command"])
            if altered is None:
                check_decoder(written)
            for damage in check_rest(written, sealed=True):
                raise ArchiveDamaged(str(damage["what"]))
    except ArchiveDamaged as error:
        raise ReadBackFailed(error.what, os.fsencode(output)) from error
    if altered is not None:
        payload.blame(altered)
        raise ReadBackFailed(f"the sha256 of frame {altered} is not the one in its index", os.fsencode(output))


def check_relocations(index: Index) -> None:
    """Raise ArchiveDamaged for a relocation that a host cannot read."""
    for words in index.files.relocations.values():
        for source, _ in parse(words, index.placeholders).slots:
            if not isinstance(source, int) and source[3] != NOTHING:
                parse(source[3], index.placeholders)


def check_command(index: Index, command: list[list[str]]) -> None:
    """Raise ArchiveDamaged if an entry point names a file that is not in the root, or a file that is not a program.

    A file that a link takes from outside of the root is the host's, and not looked at.
    """
    links = {os.fsdecode(link.path): os.fsdecode(link.target) for link in index.links}
    for number, (kind, word) in enumerate(command):
        try:
            at = resolve_links(f"{kind}/{word}", links.get) if kind in TOPS else None
        except TooManyLinks:
            raise ArchiveDamaged("an entry point's links lead in a circle") from None
        if at is not None and is_below(at, *TOPS):
            mode = mode_of(index, os.fsencode(at))
            if mode is None and (not number or os.fsencode(at) not in index.files.paths):
                raise ArchiveDamaged(f"it has no {word}, which its entry point names")
            if not number and mode is not None and not mode & S_IXUSR:
                raise ArchiveDamaged(f"its entry point runs {word}, which is not executable")


def mode_of(index: Index, path: bytes) -> int | None:
    """Return the mode of a file of the root, None if it has no such file."""
    parent, _, name = path.rpartition(b"/")
    if parent not in index.files.paths:
        return None
    key = index.files.paths.index(parent), name
    rows = zip(index.files.directories, index.files.names, index.files.modes, strict=True)
    return next((mode for directory, file_name, mode in rows if (directory, file_name) == key), None)


def check_decoder(written: Archive) -> None:
    """Decode the smallest frame with the archive's own decoder if that runs here, else with the builder's."""
    frames = written.index.frames
    number = min(range(len(frames)), key=lambda number: frames[number].content)
    decoder: Decoder = decode
    if written.manifest.platform == host_platform():
        with suppress(DecoderMissing):
            decoder = load_decoder(written)
    read_frame(written, number, decoder)
