"""Make files, links and directories of a root again, each beside its place and then renamed."""

import os

from ..base import compat
from ..store.directory import Replacement, beside
from ..store.leftovers import cannot_be_moved, set_aside
from ..store.removal import remove
from ..unpack.expected import sha256_of
from .check_root import MODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Iterator, List, Sequence, Set, Tuple

    from ..store.claim import Claim
    from ..unpack.expected_contents import ExpectedContents


def rewrite(expected, places, differences, claim):
    # type: (ExpectedContents, Dict[bytes, bytes], Sequence[Tuple[str, bytes]], Claim) -> List[bytes]
    """Write everything that differs again; return the paths in the archive. Files in the way are set aside.

    `places` are the directories of `prefix` and `app`, `differences` are (difference, path in the archive).
    Raises EnvironmentError.
    """
    return Rewriter(expected, places, claim).rewrite(differences)


class Rewriter(object):
    """Writes paths of an archive again, below `places`, while this process has the claim."""

    def __init__(self, expected, places, claim):
        # type: (ExpectedContents, Dict[bytes, bytes], Claim) -> None
        self.expected, self.places, self.claim = expected, places, claim
        self.index, self.files = expected.archive.index, expected.files

    def path(self, inside):
        # type: (bytes) -> bytes
        """Return the absolute path of a path in the archive."""
        top, _, rest = inside.partition(b"/")
        return self.places[top] + b"/" + rest if rest else self.places[top]

    def rewrite(self, differences):
        # type: (Sequence[Tuple[str, bytes]]) -> List[bytes]
        """Write everything that differs again, as the function `rewrite`; parents first."""
        causes = {}  # type: Dict[bytes, Set[str]]
        for difference, inside in differences:
            causes.setdefault(inside, set()).add(difference)
        for _, inside in self.index.directories:  # before their content: nothing is written through a link
            if inside in causes:
                self._make_directory(self.path(inside))
        for inside, target in self.index.links:
            if inside in causes:
                self._make_link(self.path(inside), target)
        rows = [row for row in range(len(self.files)) if self.files.path(row) in causes]
        only_modes = [row for row in rows if causes[self.files.path(row)] == set([MODE])]
        for row in only_modes:
            os.chmod(self.path(self.files.path(row)), self.files.modes[row])
        self._write_files(set(rows) - set(only_modes))
        for mode, inside in reversed(self.index.directories):
            if inside in causes and inside not in self.places:
                os.chmod(self.path(inside), mode)
        return sorted(causes)

    def _make_directory(self, path):
        # type: (bytes) -> None
        if os.path.islink(path) or not os.path.isdir(path):
            self._clear(path)
            os.mkdir(path, 0o755)
            os.chmod(path, 0o755)  # under any umask

    def _make_link(self, path, target):
        # type: (bytes, bytes) -> None
        with Replacement(path, beside(path)) as new:
            new.link_to(target)
            self._place(new)

    def _clear(self, path):
        # type: (bytes) -> None
        """Set aside the file or directory at a path, if there is one: the user may need it."""
        if not os.path.lexists(path):
            return
        try:
            set_aside(path, self.claim)
        except EnvironmentError as error:
            if not cannot_be_moved(error):
                raise
            import shutil  # a directory of a layer below (overlayfs) cannot be renamed, only copied

            shutil.copytree(compat.native(path), compat.native(self.claim.new_name(b"gone")), symlinks=True)
            remove(path)

    def _place(self, new):
        # type: (Replacement) -> None
        if os.path.isdir(new.path) and not os.path.islink(new.path):
            self._clear(new.path)
        new.place()

    def _write_files(self, rows):
        # type: (Set[int]) -> None
        large, hashed = self.expected.large, self.files.hashed
        for row in sorted(rows & large - hashed):
            self._write(row, self.expected.pieces(row))
        for row, content in self._contents(rows - large - hashed):
            self._write(row, [content])
        needed = set(self.expected.hashed_by(rows & hashed))
        hashes = dict((row, sha256_of([content])) for row, content in self._contents(needed - large))
        for row in needed & large:
            hashes[row] = sha256_of(self.expected.pieces(row))
        for row in sorted(rows & hashed & large):
            self._write(row, self.expected.pieces(row, hashes))
        for row, content in self._contents(rows & hashed - large):
            self._write(row, [self.expected.fill(row, content, hashes)])

    def _contents(self, rows):
        # type: (Set[int]) -> Iterator[Tuple[int, bytes]]
        for row, content in self.expected.contents(rows):
            self.claim.beat()
            yield row, content

    def _write(self, row, pieces):
        # type: (int, Iterable[bytes]) -> None
        """Write a file beside its path, give it its mode and its time, and rename it."""
        path = self.path(self.files.path(row))
        with Replacement(path, beside(path)) as new:
            with os.fdopen(new.open(), "wb") as stream:
                for piece in pieces:
                    self.claim.beat()
                    stream.write(piece)
            os.chmod(new.new, self.files.modes[row])
            if self.expected.keeps_time(row):
                compat.set_times(new.new, None, self.files.seconds[row], self.files.nanoseconds[row])
            self._place(new)
