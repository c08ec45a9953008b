"""The store: directories under which archives unpack, and the claim that lets one process unpack a root."""

import errno
import fcntl
import os
import stat
import sys
from binascii import hexlify

from . import compat
from .errors import StoreUnusable
from .shell import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

    from .format import Manifest

START = b"start"  # a root is ready when it has this file, which is written last
NOEXEC = 8  # ST_NOEXEC of statvfs(3)
EXPLICIT = b"COEX_ROOT"


class Store(object):
    """One candidate directory; `explicit` when the caller named it, who then answers for its owner."""

    def __init__(self, path, explicit=False):
        # type: (bytes, bool) -> None
        self.path, self.explicit = path, explicit

    def root(self, name):
        # type: (bytes) -> Root
        return Root(self, name)

    def refusal(self, manifest):
        # type: (Manifest) -> Optional[str]
        """Return why `manifest` cannot unpack here, making the directory; None where it can."""
        prefix = self.path + b"/" + manifest.root_name + b"/prefix"
        limit = manifest.prefix_limit
        if limit is not None and len(prefix) > limit:
            return "its path makes a prefix of %d bytes, the packages allow %d" % (len(prefix), limit)
        if b"\n" in prefix or b":" in prefix:
            return "its path has a newline or a colon, which PATH cannot hold"
        try:
            make_private(self.path)
            return self._distrust() or self._lack(manifest.unpacked["bytes"])
        except EnvironmentError as error:
            return error.strerror or str(error)

    def _distrust(self):
        # type: () -> Optional[str]
        """A directory that another user could write to would let that user choose what runs."""
        state = os.stat(self.path) if self.explicit else os.lstat(self.path)
        if not stat.S_ISDIR(state.st_mode):
            return "not a directory"
        if not self.explicit and state.st_uid != os.geteuid():
            return "owned by another user (uid %d)" % state.st_uid
        if not self.explicit and state.st_mode & 0o022:
            return "writable by others (mode %o)" % stat.S_IMODE(state.st_mode)
        if not os.access(self.path, os.W_OK | os.X_OK):
            return "not writable"
        return None

    def _lack(self, needed):
        # type: (int) -> Optional[str]
        volume = os.statvfs(self.path)
        if sys.platform.startswith("linux") and volume.f_flag & NOEXEC:
            return "mounted noexec"
        free = volume.f_bavail * volume.f_frsize
        if free < needed:
            return "%d MB are free, %d MB are needed" % (free >> 20, needed >> 20)
        return None


class Root(object):
    """One unpacked archive in a store: `prefix/`, `app/`, `start`."""

    def __init__(self, store, name):
        # type: (Store, bytes) -> None
        self.store = store
        self.path = store.path + b"/" + name
        self.start = self.path + b"/" + START
        self._lock = -1

    def ready(self):
        # type: () -> bool
        """Return whether this root can start: complete, of an owner to trust, and made for this very path."""
        try:
            state = os.stat(self.start)
            if not self.store.explicit and state.st_uid != os.geteuid():
                return False
            with open(self.start, "rb") as stream:
                return quote(self.start) in stream.read()
        except EnvironmentError:
            return False

    def claim(self):
        # type: () -> None
        """Wait until no other process unpacks this root; the kernel ends the claim with this process."""
        self._lock = os.open(self.path + b".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        except EnvironmentError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                raise

    def work_directory(self):
        # type: () -> bytes
        """Make an empty directory beside the root, after removing what dead processes left."""
        directory, name = os.path.split(self.path)
        for left in os.listdir(directory):
            if left.startswith(name + b".work-"):
                remove(directory + b"/" + left)
        remove(self.path)
        work = self.path + b".work-" + hexlify(os.urandom(8))
        os.mkdir(work, 0o700)
        return work

    def publish(self, work):
        # type: (bytes) -> None
        """Give the unpacked directory its final place: one rename."""
        os.chmod(work, 0o755)
        os.rename(work, self.path)

    def release(self):
        # type: () -> None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def stores(environ):
    # type: (Dict[bytes, bytes]) -> List[Store]
    """Return the places to try, best first: COEX_ROOT alone, or the user's cache and then the temporary directory."""
    explicit = environ.get(EXPLICIT)
    if explicit:
        return [Store(os.path.abspath(explicit), explicit=True)]
    found = []
    cache, home = environ.get(b"XDG_CACHE_HOME", b""), environ.get(b"HOME", b"")
    if cache.startswith(b"/"):
        found.append(Store(cache + b"/coex"))
    elif home.startswith(b"/") and home != b"/":
        found.append(Store(home + (b"/Library/Caches" if sys.platform == "darwin" else b"/.cache") + b"/coex"))
    temporary = environ.get(b"TMPDIR") or b"/tmp"
    found.append(Store(os.path.join(temporary, compat.utf8("coex-%d" % os.geteuid()))))
    return found


def find_ready(places, manifest):
    # type: (List[Store], Manifest) -> Optional[Root]
    """Return the ready root of an archive, wherever it was unpacked."""
    for store in places:
        root = store.root(manifest.root_name)
        if root.ready():
            return root
    return None


def choose(places, manifest):
    # type: (List[Store], Manifest) -> Root
    """Return the root to unpack into; raises StoreUnusable with why each place was refused."""
    refused = []
    for store in places:
        why = store.refusal(manifest)
        if why is None:
            return store.root(manifest.root_name)
        refused.append("%s: %s" % (compat.native(store.path), why))
    raise StoreUnusable(
        "no place to unpack: " + ", ".join(refused), remedy="name a directory of yours in COEX_ROOT"
    )


def make_private(path):
    # type: (bytes) -> None
    """Make a directory for this user alone, and what leads to it."""
    try:
        os.makedirs(path, 0o700)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise


def remove(path):
    # type: (bytes) -> None
    """Remove a tree, read-only directories included; what is not there is no error."""
    if not os.path.lexists(path):
        return
    import shutil


    def unlock(function, failed, why):
        # type: (object, bytes, object) -> None
        parent = os.path.dirname(failed)
        try:
            os.chmod(parent, 0o700)
            if os.path.isdir(failed) and not os.path.islink(failed):
                os.chmod(failed, 0o700)
                shutil.rmtree(failed, ignore_errors=True)
            else:
                os.unlink(failed)
        except OSError:
            pass

    shutil.rmtree(path, onerror=unlock)  # type: ignore[arg-type]
