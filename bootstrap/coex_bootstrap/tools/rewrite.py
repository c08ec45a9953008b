"""Make files, links and directories of a root again, each beside its place and then renamed."""

import hashlib
import os
from binascii import hexlify

from ..base import compat
from ..store.leftovers import cannot_be_moved, set_aside
from ..store.removal import remove
from .check_root import MODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Sequence, Set, Tuple

    from ..store.claim import Claim
    from ..unpack.contents import Contents

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def mend(contents, places, differences, claim):
    # type: (Contents, Dict[bytes, bytes], Sequence[Tuple[str, bytes]], Claim) -> List[bytes]
    """Make what differs at `places` as it has to be; return the paths. What stands in the way is set aside."""
    return Mender(contents, places, claim).mend(differences)


class Mender(object):
    """Writes what `contents` has at `places`, while this process has the claim."""

    def __init__(self, contents, places, claim):
        # type: (Contents, Dict[bytes, bytes], Claim) -> None
        self.contents, self.places, self.claim = contents, places, claim
        self.index, self.files = contents.archive.index, contents.files

    def path(self, inside):
        # type: (bytes) -> bytes
        top, _, rest = inside.partition(b"/")
        return self.places[top] + b"/" + rest if rest else self.places[top]

    def mend(self, differences):
        # type: (Sequence[Tuple[str, bytes]]) -> List[bytes]
        wanted = {}  # type: Dict[bytes, Set[str]]
        for what, inside in differences:
            wanted.setdefault(inside, set()).add(what)
        for _, inside in self.index.directories:  # parents first: nothing is written through a link
            if inside in wanted:
                self._make_directory(self.path(inside))
        for inside, target in self.index.links:
            if inside in wanted:
                self._make_link(self.path(inside), target)
        rows = [row for row in range(len(self.files)) if self.files.path(row) in wanted]
        closed = [row for row in rows if wanted[self.files.path(row)] == set([MODE])]
        for row in closed:
            os.chmod(self.path(self.files.path(row)), self.files.modes[row])
        self._write_files(set(rows) - set(closed))
        for mode, inside in reversed(self.index.directories):
            if inside in wanted and inside not in self.places:
                os.chmod(self.path(inside), mode)
        return sorted(wanted)

    def _make_directory(self, path):
        # type: (bytes) -> None
        if os.path.islink(path) or not os.path.isdir(path):
            self._clear(path)
            os.mkdir(path, 0o755)
            os.chmod(path, 0o755)  # whatever the umask

    def _make_link(self, path, target):
        # type: (bytes, bytes) -> None
        new = _new_name(path)
        os.symlink(target, new)
        self._place(new, path)

    def _clear(self, path):
        # type: (bytes) -> None
        """Take what stands at a path out of the way; it may hold what somebody wants to see again."""
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

    def _place(self, new, path):
        # type: (bytes, bytes) -> None
        if os.path.isdir(path) and not os.path.islink(path):
            self._clear(path)
        os.rename(new, path)

    def _write_files(self, rows):
        # type: (Set[int]) -> None
        hashed = [row for row in rows if row in self.contents.hashed]
        for row in sorted(rows & self.contents.large - set(hashed)):
            self._write_large(row)
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
        path = self.path(self.files.path(row))
        new = _new_name(path)
        with os.fdopen(os.open(new, NEW, 0o600), "wb") as stream:
            stream.write(content)
        self._finish(row, new, path)

    def _write_large(self, row):
        # type: (int) -> None
        path = self.path(self.files.path(row))
        new = _new_name(path)
        with os.fdopen(os.open(new, NEW, 0o600), "w+b") as stream:
            self.contents.write_large(row, stream)
        self._finish(row, new, path)

    def _finish(self, row, new, path):
        # type: (int, bytes, bytes) -> None
        """Give a file its mode, its time where it is the same everywhere, and its place."""
        os.chmod(new, self.files.modes[row])
        if row not in self.contents.relocations or row in self.contents.hashed:
            compat.set_times(new, None, self.files.seconds[row], self.files.nanoseconds[row])
        self._place(new, path)


def _new_name(path):
    # type: (bytes) -> bytes
    """Return a name beside a path, short whatever the path's is."""
    return os.path.dirname(path) + b"/.coex-" + hexlify(os.urandom(8))


def _sha256(content):
    # type: (bytes) -> bytes
    return hashlib.sha256(content).hexdigest().encode("ascii")
