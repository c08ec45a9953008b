"""Compare the files, modes and links at a place with those that an archive would have written there."""

import hashlib
import os
import stat

from ..base import workers
from ..base.pipes import nothing
from ..unpack.expected import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

    from ..unpack.expected_contents import ExpectedContents

    Difference = Tuple[str, bytes]  # the kind of difference, and the path in the root
    Seen = Tuple[List[Difference], Dict[int, bytes]]  # of a frame: its differences, and sha256 by row
    Places = Dict[bytes, bytes]  # the paths of `prefix`, and of `app` if it is checked

MISSING, ALTERED, MODE, KIND = "missing", "altered", "another mode", "something else stands there"


class RootCheck(object):
    """Compares the directories `prefix` and `app` with the archive.

    Call `begin`, then `frame` for every frame, in any process, then `finish`; `differences` does all of it.
    """

    def __init__(self, expected, places):
        # type: (ExpectedContents, Places) -> None
        self.expected, self.places = expected, places
        self.files, self.index = expected.files, expected.index
        self.parts = expected.parts(expected.large - self.files.relocated)
        self.differing = set()  # type: Set[Difference]
        self.missing = []  # type: List[bytes] # paths of directories that are not there, each with a slash at its end

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
        parts = workers.share(len(self.index.frames), self._check_frames, beat)
        return self.finish(each for part in parts for each in part)

    def _check_frames(self, numbers):
        # type: (Iterable[int]) -> List[Seen]
        self.expected.archive.reopen()
        return [self.frame(number, self.expected.decode(number)) for number in numbers]

    def begin(self):
        # type: () -> None
        """Compare directories and links; `frame` uses the result, because a file can be hidden behind one."""
        self.differing = set(self._directories())
        self.differing.update(self._links())

    def frame(self, number, content):
        # type: (int, bytes) -> Seen
        """Compare the files of a frame that has this content; return the differences, and the sha256 of relocated files."""
        differences, hashes = [], {}  # type: List[Difference], Dict[int, bytes]
        for row, start in self.parts.get(number, ()):
            differences += self._compare(row, content, start, whole=False)
        for row in self.expected.small_rows(number):
            if row in self.files.hashed:
                continue
            data = self.expected.content(row, content)
            if row in self.files.relocations:
                hashes[row] = sha256_of([data])
            differences += self._compare(row, data)
        return differences, hashes

    def finish(self, seen):
        # type: (Iterable[Seen]) -> List[Difference]
        """Return all differences, sorted by path, from the results of `frame`."""
        hashes = {}  # type: Dict[int, bytes]
        for different, known in seen:
            self.differing.update(different)
            hashes.update(known)
        self.differing.update(self._check_empty())
        for row in sorted(self.expected.large & self.files.relocated - self.files.hashed):
            differences, hashes[row] = self._compare_large(row)
            self.differing.update(differences)
        self.differing.update(self._check_hashed(hashes))
        return sorted(self.differing, key=lambda pair: (pair[1], pair[0]))

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
                    self.missing.append(inside + b"/")

    def _state(self, inside, path):
        # type: (bytes, bytes) -> Optional[os.stat_result]
        """Return the lstat of a path, None if there is nothing, or if something above it is not a directory."""
        return None if any(inside.startswith(lost) for lost in self.missing) else _state(path)

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
        # type: (Optional[os.stat_result], Callable[[int], bool], int) -> Optional[str]
        if state is None:
            return MISSING
        if not kind(state.st_mode):
            return KIND
        return MODE if stat.S_IMODE(state.st_mode) != mode else None

    def _look(self, row):
        # type: (int) -> Tuple[Optional[bytes], int, List[Difference]]
        """Return the path of a file, None if its content cannot be compared; its size; and differences other than content."""
        inside = self.files.path(row)
        path = self.path(inside)
        state = None if path is None else self._state(inside, path)
        what = None if path is None else self._differs(state, stat.S_ISREG, self.files.modes[row])
        comparable = state is not None and what != KIND
        return (path if comparable else None), (state.st_size if state else 0), [(what, inside)] if what else []

    def _compare(self, row, content, start=0, whole=True):
        # type: (int, bytes, int, bool) -> List[Difference]
        """Compare a file with `content`, which begins at `start`, and is all of the file if `whole`."""
        path, size, differences = self._look(row)
        expected_size = len(content) if whole else self.files.sizes[row]
        if path is not None and (size != expected_size or not _has(path, start, content)):
            differences.append((ALTERED, self.files.path(row)))
        return differences

    def _compare_large(self, row, hashes=None):
        # type: (int, Optional[Dict[int, bytes]]) -> Tuple[List[Difference], bytes]
        """Compare a large file piece by piece; return the differences, and the sha256 that it must have."""
        path, size, differences = self._look(row)
        total, start, same = hashlib.sha256(), 0, True
        for piece in self.expected.pieces(row, hashes):
            total.update(piece)
            same = same and path is not None and _has(path, start, piece)
            start += len(piece)
        if path is not None and (size != start or not same):
            differences.append((ALTERED, self.files.path(row)))
        return differences, total.hexdigest().encode("ascii")

    def _check_empty(self):
        # type: () -> Iterator[Difference]
        """Compare the files of an archive without frames, which are empty."""
        for row, content in self.expected.contents(range(len(self.files)) if not self.index.frames else ()):
            for difference in self._compare(row, content):
                yield difference

    def _check_hashed(self, hashes):
        # type: (Dict[int, bytes]) -> Iterator[Difference]
        """Compare the files that hold hashes of others, when those are known."""
        for row in sorted(self.expected.large & self.files.hashed):
            for difference in self._compare_large(row, hashes)[0]:
                yield difference
        for row, content in self.expected.contents(self.files.hashed - self.expected.large):
            for difference in self._compare(row, self.expected.fill(row, content, hashes)):
                yield difference

    def extra(self):
        # type: () -> List[bytes]
        """Return the files and links that are not of the archive, such as compiled Python."""
        known = set(self.files.path(row) for row in range(len(self.files)))
        known.update(link.path for link in self.index.links)
        paths = []
        for top, place in self.places.items():
            for directory, directories, names in os.walk(place):
                here = top + directory[len(place) :]
                paths += [here + b"/" + name for name in names]
                paths += [here + b"/" + name for name in directories if os.path.islink(directory + b"/" + name)]
        return sorted(set(paths) - known)


def _state(path):
    # type: (bytes) -> Optional[os.stat_result]
    try:
        return os.lstat(path)
    except EnvironmentError:
        return None


def _has(path, start, content):
    # type: (bytes, int, bytes) -> bool
    """Return whether a file has these bytes at `start`; False if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            stream.seek(start)
            return stream.read(len(content)) == content
    except EnvironmentError:
        return False
