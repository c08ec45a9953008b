"""Make the errors of places where an archive cannot unpack."""

import errno

from ..base import compat
from ..base.errors import StoreDisturbed, StoreUnusable
from .directory import NAME_TAKEN, PASSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Iterator, List, Tuple

    from ..format.index import Index
    from .store import Store

LAYERED = "no directory in it can be renamed, as in a lower layer of an overlay; use a new directory"
TAKEN = "its file system says that a new name is taken, again and again"


def unusable(error, place):
    # type: (EnvironmentError, bytes) -> StoreUnusable
    """Return the error for a failed step below `place`."""
    causes = {errno.ENOSPC: "no space is left to unpack", errno.EDQUOT: "the disk quota is used up", errno.EXDEV: LAYERED}
    causes.update((number, TAKEN) for number in NAME_TAKEN)
    what = causes.get(error.errno or 0, "cannot unpack: %s" % (error.strerror or error))
    kind = StoreDisturbed if error.errno in PASSING else StoreUnusable
    return kind(what, place, "name another directory in COEX_ROOT")


def refusal(index, work, error):
    # type: (Index, bytes, EnvironmentError) -> StoreUnusable
    """Return the error for a failed write while the files of the index were unpacked into `work`, made by this process."""
    if error.errno != errno.EEXIST:
        return unusable(error, work)
    there = compat.path_bytes(error.filename or b"")
    there = there[len(work) + 1 :] if there.startswith(work + b"/") else there
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
        known.setdefault(folded(path), path)
    for path in sorted(paths):
        first = known.setdefault(folded(path), path)
        if first != path:
            yield first, path


def folded(path):
    # type: (bytes) -> str
    """Return a key that is equal for paths that differ only in case, or in the encoding of accents."""
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
    """Return the paths of stores without a usable root, with the reasons to distrust them."""
    words = []
    for store in places:
        try:
            reason = store.distrust()
        except EnvironmentError:
            reason = None
        words.append(compat.one_line(store.path) + (" (%s)" % reason if reason else ""))
    return ", ".join(words)
