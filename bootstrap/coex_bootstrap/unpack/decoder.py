"""Load the decoder of an archive: its own libzstd, from a directory in which nobody else can change that file."""

import os

from ..base.compat import path_bytes
from ..format.manifest import LIBZSTD
from ..store.trust import leads_safely
from .zstd import open_decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ..format.archive import Archive
    from .zstd import Decoder


def load_decoder(archive, directory=None):
    # type: (Archive, Optional[bytes]) -> Decoder
    """Return a decoder, made of the libzstd in the archive if this host can load it; raises DecoderMissing.

    The file is written into `directory`, or into a temporary one, and removed: a loaded library needs no file.
    """
    if LIBZSTD not in archive.members:
        return open_decoder()
    if directory is not None:
        return _load(archive, directory)
    place = _temporary_place()
    if place is None:
        return open_decoder()
    import shutil  # a start does not need these
    import tempfile

    temporary = path_bytes(tempfile.mkdtemp(prefix="coex-", dir=place))
    try:
        return _load(archive, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _load(archive, directory):
    # type: (Archive, bytes) -> Decoder
    path = directory + b"/libzstd.so"
    with open(path, "wb") as stream:
        stream.write(archive.members[LIBZSTD])
    try:
        return open_decoder(path)
    finally:
        os.unlink(path)


def _temporary_place():
    # type: () -> Optional[str]
    """Return a directory in which nobody else can change the library that this process loads; None if there is none."""
    import tempfile

    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        try:
            if leads_safely(path_bytes(place)):
                return place
        except EnvironmentError:
            continue
    return None
