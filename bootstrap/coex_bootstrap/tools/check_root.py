"""Compare what stands at a place with what an archive would have written there: files, modes, links."""

import hashlib
import os
import stat

from ..base import workers
from ..base.pipes import nothing
from ..unpack.large_file import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

    from ..unpack.contents import Contents

    Difference = Tuple[str, bytes]  # what, and the path in the root
    Seen = Tuple[List[Difference], Dict[int, bytes]]  # of a frame: what differs, and sha256 by row
    Places = Dict[bytes, bytes]  # where `prefix`, and `app` where it is wanted, stand

MISSING, ALTERED, MODE, KIND = "missing", "altered", "another mode", "something else stands there"


class RootCheck(object):
    """Compares the places of `prefix` and `app` with `contents`: `begin`, `frame` for each, in any process, `finish`."""

    def __init__(self, contents, places):
        # type: (Contents, Places) -> None
        self.contents, self.places = contents, places
        self.files, self.index = contents.files, contents.archive.index
        self.parts = {}  # type: Dict[int, List[Tuple[int, int]]] # frame: rows of large files, and where it is in them
        for number, part in self._parts():
            self.parts.setdefault(number, []).append(part)
        self.found = set()  # type: Set[Difference]
        self.lost = []  # type: List[bytes] # directories that are none: what stands behind them is not theirs

    def _parts(self):
        # type: () -> Iterator[Tuple[int, Tuple[int, int]]]
        """Yield (frame, (row, place in the file)) for large files that are the same everywhere."""
        for row in set(self.files.large) - self.files.relocated:
            done = 0
            for number in self.index.frames_of(row):
                yield number, (row, done)
                done += self.index.frames[number].content

    def path(self, inside):
        # type: (bytes) -> Optional[bytes]
        """Return the place of a path of the archive, or None if that part is not checked."""
        top, _, rest = inside.partition(b"/")
        place = self.places.get(top)
        return place if place is None or not rest else place + b"/" + rest

    def differences(self, beat=nothing):
        # type: (Callable[[], None]) -> List[Difference]
        """Return the missing and differing paths."""
        self.begin()
        seen = workers.share(len(self.index.frames), self._check_frames, beat)
        return self.finish(each for part in seen for each in part)

    def _check_frames(self, numbers):
        # type: (Iterable[int]) -> List[Seen]
        self.contents.archive.reopen()
        return [self.frame(number, self.contents.decode(number)) for number in numbers]

    def begin(self):
        # type: () -> None
        """Look at directories and links: what of a file stands behind them is known from then on."""
        self.found = set(self._directories())
        self.found.update(self._links())

    def frame(self, number, content):
        # type: (int, bytes) -> Seen
        """Return what differs in the files of a frame that holds `content`, and the sha256 that relocated files must have."""
        found, hashes = [], {}  # type: List[Difference], Dict[int, bytes]
        for row, start in self.parts.get(number, ()):
            found += self._compare(row, content, start, whole=False)
        for row, data in self.contents.of_frame(number, content):
            if row in self.contents.hashed:
                continue
            if row in self.files.relocations:
                hashes[row] = hashlib.sha256(data).hexdigest().encode("ascii")
            found += self._compare(row, data)
        return found, hashes

    def finish(self, seen):
        # type: (Iterable[Seen]) -> List[Difference]
        """Return all that differs, by path, from what was seen of every frame."""
        hashes = {}  # type: Dict[int, bytes]
        for different, known in seen:
            self.found.update(different)
            hashes.update(known)
        self.found.update(self._check_empty())
        for row in sorted(self.contents.large & self.files.relocated - self.contents.hashed):
            hashes[row] = self.contents.hash_large(row)
            self.found.update(self._compare_hash(row, hashes[row]))
        self.found.update(self._check_hashed(hashes))
        return sorted(self.found, key=lambda pair: (pair[1], pair[0]))

    def _directories(self):
        # type: () -> Iterator[Difference]
        for mode, inside in self.index.directories:
            path = self.path(inside)
            if path is not None:
                state = self._state(inside, path)
                top = inside in self.places
                what = self._differs(state, stat.S_ISDIR, state.st_mode & 0o7777 if state and top else mode)
                if what:
                    yield what, inside
                if what in (MISSING, KIND):
                    self.lost.append(inside + b"/")

    def _state(self, inside, path):
        # type: (bytes, bytes) -> Optional[os.stat_result]
        """Return the lstat of a path, None if there is nothing, or if something above it is not a directory."""
        return None if any(inside.startswith(lost) for lost in self.lost) else _state(path)

    def _links(self):
        # type: () -> Iterator[Difference]
        for inside, target in self.index.links:
            path = self.path(inside)
            if path is None:
                continue
            state = self._state(inside, path)
            if state is None or not stat.S_ISLNK(state.st_mode):
                yield (MISSING if state is None else KIND), inside
            elif os.readlink(path) != target:
                yield ALTERED, inside

    def _differs(self, state, kind, mode):
        # type: (Optional[os.stat_result], Any, int) -> Optional[str]
        if state is None:
            return MISSING
        if not kind(state.st_mode):
            return KIND
        return MODE if stat.S_IMODE(state.st_mode) != mode else None

    def _look(self, row):
        # type: (int) -> Tuple[Optional[bytes], int, List[Difference]]
        """Return path and size of a file whose content can be compared, else None; and how it differs as it stands there."""
        inside = self.files.path(row)
        path = self.path(inside)
        state = None if path is None else self._state(inside, path)
        what = None if path is None else self._differs(state, stat.S_ISREG, self.files.modes[row])
        comparable = state is not None and what != KIND
        return (path if comparable else None), (state.st_size if state else 0), [(what, inside)] if what else []

    def _compare(self, row, content, start=0, whole=True):
        # type: (int, bytes, int, bool) -> List[Difference]
        """Return how a file differs from `content`, which stands at `start`, and is all of it where `whole`."""
        path, size, found = self._look(row)
        wanted = len(content) if whole else self.files.sizes[row]
        if path is not None and (size != wanted or not _holds(path, start, content)):
            found.append((ALTERED, self.files.path(row)))
        return found

    def _compare_hash(self, row, sha256):
        # type: (int, bytes) -> List[Difference]
        """Return how a relocated file that spans frames differs from the one that has this sha256."""
        path, _, found = self._look(row)
        if path is not None and _sha256_of(path) != sha256:
            found.append((ALTERED, self.files.path(row)))
        return found

    def _check_empty(self):
        # type: () -> Iterator[Difference]
        """Empty files of an archive without frames lie in none."""
        for row in range(len(self.files)) if not self.index.frames else ():
            for difference in self._compare(row, b""):
                yield difference

    def _check_hashed(self, hashes):
        # type: (Dict[int, bytes]) -> Iterator[Difference]
        """Compare the files that hold hashes of others, when those are known."""
        for row in sorted(self.contents.large & self.contents.hashed):
            for difference in self._compare(row, self.contents.fill(row, self.contents.whole(row), hashes)):
                yield difference
        for number in sorted(set(self.files.frames[row] for row in self.contents.hashed)):
            for row, content in self.contents.of_frame(number):
                if row in self.contents.hashed:
                    for difference in self._compare(row, self.contents.fill(row, content, hashes)):
                        yield difference

    def extra(self):
        # type: () -> List[bytes]
        """Return the files and links that stand there and are not of the archive, as compiled Python may be."""
        known = set(self.files.path(row) for row in range(len(self.files)))
        known.update(link.path for link in self.index.links)
        found = []
        for top, place in self.places.items():
            for directory, below, names in os.walk(place):
                here = top + directory[len(place) :]
                found += [here + b"/" + name for name in names]
                found += [here + b"/" + name for name in below if os.path.islink(directory + b"/" + name)]
        return sorted(set(found) - known)


def _state(path):
    # type: (bytes) -> Optional[os.stat_result]
    try:
        return os.lstat(path)
    except EnvironmentError:
        return None


def _holds(path, start, content):
    # type: (bytes, int, bytes) -> bool
    """Return whether a file has these bytes at `start`; one that cannot be read has not."""
    try:
        with open(path, "rb") as stream:
            stream.seek(start)
            return stream.read(len(content)) == content
    except EnvironmentError:
        return False


def _sha256_of(path):
    # type: (bytes) -> Optional[bytes]
    """Return the sha256 of a file; None for one that cannot be read."""
    try:
        with open(path, "rb") as stream:
            return sha256_of(stream)
    except EnvironmentError:
        return None
