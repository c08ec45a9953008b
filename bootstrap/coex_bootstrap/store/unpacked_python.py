"""Keep the Python that the prelude unpacked from the archive in a store, for later starts; else remove it after this one.

The prelude unpacks it into a new directory of this user, which is named as a leftover of this process, and says so by
`-X coex=DIRECTORY`. In a store it is STORE/python-ID, for all archives that carry the same one.
"""

import errno
import json
import os
import re
import stat
import sys

from ..base.compat import UNPACKED_TO, native, path_bytes
from ..format.manifest import ID_LENGTH, MANIFEST
from .boot import USED
from .claim import Claim
from .directory import NAME_TAKEN, move, write_file
from .identity import gone, this_host
from .leftovers import clear_away
from .removal import remove
from .trust import distrust_made, is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .store import Store

PREFIX = b"python-"  # of its name in a store
TRIED = b"/try"  # a program of the prelude's
UNPACKED = re.compile(br"[0-9a-f]{24}\.python-\S+\Z")


class UnpackedPython(object):
    """The Python of this process, if the prelude unpacked it for this start; else all methods do nothing."""

    def __init__(self):
        # type: () -> None
        self.path = unpacked_python()
        self._is_elsewhere = False  # on another file system than the store

    def keep(self, store):
        # type: (Store) -> None
        """Give it a place in the store by one rename; it stays where it is if that cannot be."""
        if self.path is not None:
            try:
                if os.access(store.path, os.W_OK | os.X_OK) and not store.distrust():
                    prepare(self.path)
                    self._place(store, self.path)
            except EnvironmentError as error:
                self._is_elsewhere = error.errno == errno.EXDEV

    def end(self, store=None):
        # type: (Optional[Store]) -> None
        """Remove it, and leftovers beside it; if the store is on another file system, that gets a copy first.

        Nothing can be imported after this.
        """
        if self.path is None:
            return
        path, self.path = self.path, None
        if store is not None and self._is_elsewhere:
            self._copy(store, path)
        remove(path)
        sweep(os.path.dirname(path))

    def _place(self, store, path):
        # type: (Store, bytes) -> None
        """Rename to the place in the store; raises EnvironmentError. Another one there stays if it is as whole."""
        name = os.path.basename(path)[:ID_LENGTH]
        place = store.path + b"/" + PREFIX + name
        for _ in range(2):
            try:
                move(path, place)
            except EnvironmentError as error:
                if error.errno not in NAME_TAKEN + (errno.ENOTDIR,) and not os.path.lexists(place):
                    raise
                if not is_same(path, place, store):
                    clear_away(place, Claim(store.path + b"/" + name))
                    continue
            if path == self.path:
                self._move_to(place)
            return

    def _move_to(self, place):
        # type: (bytes) -> None
        if self.path is not None:
            path, self.path = self.path, None
            follow(path, place)
            remove(path)  # if another one has the place
            sweep(os.path.dirname(path))

    def _copy(self, store, path):
        # type: (Store, bytes) -> None
        import shutil

        claim = Claim(store.path + b"/" + os.path.basename(path)[:ID_LENGTH])
        copy = claim.new_name(b"python")
        try:
            shutil.copytree(native(path), native(copy), symlinks=True)
            self._place(store, copy)
        except (EnvironmentError, shutil.Error):  # the start is not for that
            pass
        remove(copy)


def unpacked_python():
    # type: () -> Optional[bytes]
    """Return the directory into which the prelude unpacked the Python of this process, None if it did not."""
    prefix = UNPACKED_TO
    if not isinstance(prefix, str) or prefix != sys.prefix:
        return None
    path = path_bytes(prefix)
    return path if UNPACKED.match(os.path.basename(path)) and is_own(path) else None


def prepare(path):
    # type: (bytes) -> None
    """Make a Python complete that is for later starts, and readable by those who share the store. Raises EnvironmentError."""
    if os.path.lexists(path + TRIED):
        os.unlink(path + TRIED)
    version = ".".join(str(number) for number in sys.version_info[:3])
    manifest = {"name": "Python %s" % version}  # as `cache` shows it
    write_file(path + b"/" + MANIFEST.encode("ascii"), json.dumps(manifest).encode("ascii") + b"\n")
    write_file(path + USED, b"")  # without it the prelude takes no Python
    os.chmod(path, 0o755)


def is_same(path, place, store):
    # type: (bytes, bytes, Store) -> bool
    """Return whether a place in the store has all files of a Python, in their sizes, and is to be trusted."""
    try:
        if distrust_made(place, stat.S_ISDIR, store.owners()) is not None:
            return False
        for directory, _, names in os.walk(path):
            for name in names:
                file = directory[len(path) :] + b"/" + name
                if os.lstat(path + file).st_size != os.lstat(place + file).st_size:
                    return False
    except EnvironmentError:
        return False
    return True


def follow(path, place):
    # type: (bytes, bytes) -> None
    """Let imports of this process find a place instead of a path, from which its Python was moved."""
    old, new = native(path), native(place)

    def moved(entry):
        # type: (str) -> str
        return new + entry[len(old) :] if entry == old or entry.startswith(old + "/") else entry

    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix", "executable", "_base_executable", "_stdlib_dir"):
        if isinstance(getattr(sys, name, None), str):
            setattr(sys, name, moved(getattr(sys, name)))
    sys.path[:] = [moved(entry) for entry in sys.path]
    for module in list(sys.modules.values()):
        entries = getattr(module, "__path__", None)
        if isinstance(entries, list):
            entries[:] = [moved(entry) for entry in entries]
    sys.path_importer_cache.clear()


def sweep(place):
    # type: (bytes) -> None
    """Remove the Pythons that starts of this user unpacked into a directory, and that were killed."""
    try:
        host, names = this_host(), os.listdir(place)
    except EnvironmentError:
        return
    for name in names:
        if UNPACKED.match(name) and gone(name[ID_LENGTH:].partition(b"-")[2], host) and is_own(place + b"/" + name):
            remove(place + b"/" + name)
