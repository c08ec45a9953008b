"""Say why a place cannot hold what an archive unpacks."""

import errno

from ..base import compat
from ..base.errors import StoreUnusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Iterator, List, Tuple

    from ..format.index import Index
    from .store import Store


LAYERED = "no directory in it can be renamed, as in a lower layer of an overlay; a new directory can serve"


def unusable(error, place):
    # type: (EnvironmentError, bytes) -> StoreUnusable
    """Return what the system refused while writing below `place`, in words."""
    why = {errno.ENOSPC: "no space is left to unpack", errno.EDQUOT: "the disk quota is used up", errno.EXDEV: LAYERED}
    what = why.get(error.errno or 0, "cannot unpack: %s" % (error.strerror or error))
    return StoreUnusable(what, place, "name another directory in COEX_ROOT")


def refusal(index, work, error):
    # type: (Index, bytes, EnvironmentError) -> StoreUnusable
    """Return what the system refused while the index was unpacked into `work`, which this process made, in words."""
    if error.errno != errno.EEXIST:
        return unusable(error, work)
    there = compat.path_bytes(error.filename or b"")[len(work) + 1 :]
    paths = [index.files.path(row) for row in range(len(index.files))] + [link.path for link in index.links]
    pairs = list(alike(paths, [directory.path for directory in index.directories]))
    for pair in [pair for pair in pairs if there in pair] + pairs:
        return StoreUnusable("its file system does not tell %s and %s apart" % tuple(map(compat.one_line, pair)), work)
    return StoreUnusable("another process writes there: %s" % compat.one_line(there), work)


def alike(paths, directories):
    # type: (Iterable[bytes], Iterable[bytes]) -> Iterator[Tuple[bytes, bytes]]
    """Yield pairs of paths that some file systems do not tell apart; of two directories one serves for both."""
    known = {}  # type: Dict[str, bytes]
    for path in sorted(directories):
        known.setdefault(_folded(path), path)
    for path in sorted(paths):
        first = known.setdefault(_folded(path), path)
        if first != path:
            yield first, path


def _folded(path):
    # type: (bytes) -> str
    """Return what paths have in common that differ in upper and lower case, or in how accents are written."""
    import unicodedata

    text = unicodedata.normalize("NFD", compat.text(path))
    return text.casefold() if hasattr(text, "casefold") else text.lower()


def no_place(places, refused):
    # type: (List[Store], List[str]) -> StoreUnusable
    """Return the error that says why each place was refused."""
    which = "another directory" if any(store.explicit for store in places) else "a directory of yours"
    return StoreUnusable("no place to unpack: " + ", ".join(refused), remedy="name %s in COEX_ROOT" % which)


def looked_at(places):
    # type: (List[Store]) -> str
    """Return the paths of stores that have no root, with why it would not count."""
    words = []
    for store in places:
        try:
            why = store.distrust()
        except EnvironmentError:
            why = None
        words.append(compat.one_line(store.path) + (" (%s)" % why if why else ""))
    return ", ".join(words)
