"""Write the files of the index into a work directory, relocated for the final place.

Files are made exclusively in directories that this process made, links last: nothing is written through a link.
"""

import errno
import os
import stat

from ..base import workers
from ..base.pipes import nothing
from .expected import Expected
from .writer import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Container, Optional

    from ..format.archive import Archive
    from ..format.index import Index
    from .zstd import Decoder

    Link = Callable[[bytes], Container[int]]

SMALL = 4 << 20  # bytes of content that are written before other processes would have started
FILE = 16 << 10  # bytes of content that take as long as one more file


def unpack(archive, work, root, decoder, beat=nothing, prefix=None, link=None):
    # type: (Archive, bytes, bytes, Decoder, Callable[[], None], Optional[bytes], Optional[Link]) -> None
    """Write every directory, file and link of `archive` into `work`, for a root that will stand at `root`.

    `beat` is called every few seconds at least; `prefix` is the place of the environment, if it is another one.
    `link` may link or clone plain files from other roots, and returns the frames whose plain files are done.
    Raises ArchiveDamaged, StoreUnusable (no room, no right) or HostUnfit (the path is too long).
    """
    index = archive.index
    umask = os.umask(0)  # modes are those of the index
    try:
        for directory in index.directories:
            make_directory(work + b"/" + directory.path)
        expected = Expected(archive, prefix or root + b"/prefix", decoder)
        writer = Writer(expected, work, link(work) if link else ())
        writer.prepare()
        for hashes in workers.share(len(writer.units), writer.write_units, beat, alone=work_of(index) < SMALL):
            writer.hashes.update(hashes)
        writer.finish(beat)
        for symlink in index.links:
            make_link(symlink.target, work + b"/" + symlink.path)
        for directory in reversed(index.directories):
            if directory.mode != 0o755:
                os.chmod(work + b"/" + directory.path, directory.mode)
        archive.check_unchanged()
    except EnvironmentError as error:
        from ..store.refused import refusal

        raise refusal(index, work, error)
    finally:
        os.umask(umask)


def work_of(index):
    # type: (Index) -> int
    """Return the bytes of content that take as long to decode and write as the files of an index, about."""
    return sum(frame.content for frame in index.frames) + FILE * len(index.files)


def make_directory(path):
    # type: (bytes) -> None
    """Make a directory, or share one of another name that the file system takes for this one."""
    try:
        os.mkdir(path, 0o755)
    except EnvironmentError as error:
        if error.errno != errno.EEXIST or not stat.S_ISDIR(os.lstat(path).st_mode):
            raise


def make_link(target, path):
    # type: (bytes, bytes) -> None
    """Make a symbolic link, which a server may have made before it lost its answer."""
    try:
        os.symlink(target, path)
    except EnvironmentError as error:
        if error.errno != errno.EEXIST or not os.path.islink(path) or os.readlink(path) != target:
            raise
