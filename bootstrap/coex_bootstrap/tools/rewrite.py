"""Make files, links and directories of a root again, each beside its place and then renamed."""

import hashlib
import os
from functools import partial

from ..base import compat
from ..store.directory import Replacement, beside
from ..store.leftovers import cannot_be_moved, set_aside
from ..store.removal import remove
from .check_root import MODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Callable, Dict, List, Sequence, Set, Tuple

    from ..store.claim import Claim
    from ..unpack.contents import Contents


def rewrite(contents, places, differences, claim):
    # type: (Contents, Dict[bytes, bytes], Sequence[Tuple[str, bytes]], Claim) -> List[bytes]
    """Write again all that differs; return its paths in the archive. What is in the way is set aside.

    `places` are the directories of `prefix` and `app`, `differences` are (difference, path in the archive).
    Raises EnvironmentError.
    """
    return Rewriter(contents, places, claim).rewrite(differences)


class Rewriter(object):
    """Writes paths of an archive again, below `places`, while this process has the claim."""

    def __init__(self, contents, places, claim):
        # type: (Contents, Dict[bytes, bytes], Claim) -> None
        self.contents, self.places, self.claim = contents, places, claim
        self.index, self.files = contents.archive.index, contents.files

    def path(self, inside):
        # type: (bytes) -> bytes
        """Return the absolute path of a path in the archive."""
        top, _, rest = inside.partition(b"/")
        return self.places[top] + b"/" + rest if rest else self.places[top]

    def rewrite(self, differences):
        # type: (Sequence[Tuple[str, bytes]]) -> List[bytes]
        """Write again all that differs, as the function of this name; parents first."""
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
            os.chmod(path, 0o755)  # whatever the umask

    def _make_link(self, path, target):
        # type: (bytes, bytes) -> None
        with Replacement(path, beside(path)) as new:
            new.link_to(target)
            self._place(new)

    def _clear(self, path):
        # type: (bytes) -> None
        """Set aside what is at a path, if anything is: somebody may want to see it again."""
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
        hashed = [row for row in rows if row in self.contents.hashed]
        for row in sorted(rows & self.contents.large - set(hashed)):
            self._write_by(row, partial(self.contents.write_large, row))
        plain = rows - self.contents.large - set(hashed)
        for row, content in self._contents(plain):
            self._write(row, content)
        slots = [slot for row in hashed for slot in self.contents.slots(row)]
        needed = set(source for source, _ in slots if isinstance(source, int))
        hashes = dict((row, _sha256(content)) for row, content in self._contents(needed - self.contents.large))
        for row in needed & self.contents.large:
            hashes[row] = self.contents.hash_large(row)
        for row, content in self._contents(set(hashed)):
            self._write(row, self.contents.fill(row, content, hashes))

    def _contents(self, rows):
        # type: (Set[int]) -> List[Tuple[int, bytes]]
        found = [(row, self.contents.whole(row)) for row in sorted(rows & self.contents.large)]
        for number in sorted(set(self.files.frames[row] for row in rows if self.files.sizes[row])):
            self.claim.beat()
            found += [pair for pair in self.contents.of_frame(number) if pair[0] in rows]
        known = set(row for row, _ in found)
        return found + [(row, b"") for row in sorted(rows - known)]  # empty files lie in no frame

    def _write(self, row, content):
        # type: (int, bytes) -> None
        self._write_by(row, lambda stream: stream.write(content))

    def _write_by(self, row, write):
        # type: (int, Callable[[BinaryIO], object]) -> None
        """Write a file by a function; give it its mode, its time if that is the same everywhere, and its place."""
        path = self.path(self.files.path(row))
        with Replacement(path, beside(path)) as new:
            with os.fdopen(new.open(), "w+b") as stream:
                write(stream)
            os.chmod(new.new, self.files.modes[row])
            if row not in self.contents.relocations or row in self.contents.hashed:
                compat.set_times(new.new, None, self.files.seconds[row], self.files.nanoseconds[row])
            self._place(new)


def _sha256(content):
    # type: (bytes) -> bytes
    return hashlib.sha256(content).hexdigest().encode("ascii")
