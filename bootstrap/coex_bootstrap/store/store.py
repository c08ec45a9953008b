"""The store: a directory under which archives unpack, and the life of a root in it."""

import errno
import os
import stat

from ..base.errors import StoreDisturbed
from ..base.shell import check_line, is_filled, quote
from ..format.manifest import entry_files
from .boot import START
from .claim import REFUSALS
from .directory import PASSING, Directory, ask_server, move
from .file_system import is_noexec
from .trust import distrust, distrust_made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

    from ..format.manifest import Manifest
    from .claim import Claim

TAG = b"CACHEDIR.TAG"  # https://bford.info/cachedir/
TAG_TEXT = b"""\
Signature: 8a477f597d28d172789f06886806bc55
# This directory holds what coex archives were unpacked to. They make it again.
"""


class Store(object):
    """One candidate directory; `explicit`: the caller has named it, and trusts its owner.

    `of_site`: the file of the site names it; it belongs to this user or to root. A name with a variable in a directory
    where all users may make others does not say whose it is.

    `rank` is its place in the order that would hold if no place were on a server, `server` the type of its file system
    if it is on one, `named_by` the variable or file that names it.
    """

    def __init__(self, path, explicit=False, of_site=False):
        # type: (bytes, bool, bool) -> None
        self.path, self.explicit, self.of_site = path, explicit, of_site
        self.rank, self.server, self.named_by = 0, b"", ""

    def root(self, manifest):
        # type: (Manifest) -> Root
        """Return the root of an archive in this store, whether it exists or not."""
        return Root(self, manifest)

    def refusal(self, manifest):
        # type: (Manifest) -> Optional[str]
        """Make the directory, and return why an archive cannot unpack in it; None if it can, if there is room.

        Raises StoreDisturbed.
        """
        prefix = self.path + b"/" + manifest.root_name + b"/prefix"
        limit = manifest.prefix_limit
        if limit is not None and len(prefix) > limit:
            return "its path makes a prefix of %d bytes, the packages allow %d" % (len(prefix), limit)
        if b"\n" in prefix or b":" in prefix:
            return "its path has a newline or a colon, which PATH cannot hold"
        try:
            why = distrust(self.path, self.explicit, self.of_site)  # before anything is made on the way
            if why is None:
                make_store(self.path)
                why = self.distrust() or self._unusable(manifest)
            return why
        except EnvironmentError as error:
            why = error.strerror or str(error)
            if error.errno in PASSING:
                raise StoreDisturbed(why, self.path)
            return why

    def distrust(self):
        # type: () -> Optional[str]
        """Return why others could have written into the store; None if it is safe. Raises EnvironmentError."""
        state = os.stat(self.path) if self.explicit else os.lstat(self.path)
        if not stat.S_ISDIR(state.st_mode):
            return "not a directory"
        return distrust(self.path, self.explicit, self.of_site)

    def owners(self):
        # type: () -> Tuple[int, ...]
        """Return the user ids that may have made the roots: this user, and for a named store root and its owner."""
        if self.explicit:
            return (os.geteuid(), 0, os.stat(self.path).st_uid)
        return (os.geteuid(), 0) if self.of_site else (os.geteuid(),)

    def _unusable(self, manifest):
        # type: (Manifest) -> Optional[str]
        if not os.access(self.path, os.W_OK | os.X_OK):
            if os.statvfs(self.path).f_flag & 1:  # ST_RDONLY
                return "on a read-only file system"
            return "not writable" + (", and " + self.root(manifest).lack() if self.explicit or self.of_site else "")
        if is_noexec(self.path):
            return "mounted noexec"
        return None

    def lack(self, manifest, linked=(0, 0)):
        # type: (Manifest, Tuple[int, int]) -> Optional[str]
        """Return why there is no room to unpack; None if there is enough. `linked`, (files, bytes), need no room.

        No other process may unpack the same root meanwhile. Raises EnvironmentError.
        """
        volume = os.statvfs(self.path)
        free = volume.f_bavail * (volume.f_frsize or volume.f_bsize)
        needed = manifest.unpacked["bytes"] - linked[1]
        if volume.f_blocks and free < needed:  # a file system without a size of its own says 0 of 0
            return "%d MB are free, %d MB are needed" % (free >> 20, needed >> 20)
        files = manifest.unpacked["files"] - linked[0]
        if volume.f_files and volume.f_favail < files:
            return "%d files (inodes) are free, %d are needed" % (volume.f_favail, files)
        return None


class Root(object):
    """One unpacked archive in a store: `prefix/`, `app/`, `start`."""

    def __init__(self, store, manifest):
        # type: (Store, Manifest) -> None
        self.store = store
        self.path = store.path + b"/" + manifest.root_name
        self.start = self.path + START
        self.needs = [self.path + b"/activate.sh"] + [self.path + b"/" + name for name in entry_files(manifest)]

    def ready(self):
        # type: () -> bool
        """Return whether this root can start: complete, of a trusted owner, and made for this path.

        Complete: its `start` finds the files that a cleaner of temporary files may have removed.
        """
        try:
            if self.store.distrust() or self.distrust():
                return False
            with open(self.start, "rb") as stream:
                text = stream.read()
        except EnvironmentError:
            return False
        return quote(self.start) in text and all(is_filled(path) for path in self.needs if check_line(path) in text)

    def ready_at_server(self):
        # type: () -> bool
        """Return `ready` after a question to the server."""
        for path in (self.store.path, self.path):
            ask_server(path)
        return self.ready()

    def distrust(self):
        # type: () -> Optional[str]
        """Return why others may have written its start, in a store that is safe; None if it is safe. Raises EnvironmentError."""
        return self.distrust_directory() or distrust_made(self.start, stat.S_ISREG, self.store.owners())

    def distrust_directory(self):
        # type: () -> Optional[str]
        """Return why others may have made the directory of the root; None if it is safe. Raises EnvironmentError."""
        return distrust_made(self.path, stat.S_ISDIR, self.store.owners())

    def lack(self):
        # type: () -> str
        """Return the reason and the remedy if this user may not write to a store, and the root in it is not ready."""
        owner = os.stat(self.store.path).st_uid
        try:
            why = self.distrust() or "not complete"
        except EnvironmentError:
            why = "not there"
        return "its root of this archive, %s, is %s: its owner (uid %d) can start the archive once" % (
            os.path.basename(self.path).decode("ascii"), why, owner,
        )

    def clear(self, claim):
        # type: (Claim) -> None
        """Remove leftovers of dead processes, first of all an unfinished root, whose process no longer has the claim."""
        names = os.listdir(self.store.path)
        own_name = os.path.basename(claim.path)
        is_unfinished = os.path.lexists(self.path) and not os.path.lexists(self.start)
        if is_unfinished or any(b"." in name for name in names if name not in (own_name, TAG)):
            from .leftovers import discard, sweep, was_ready

            if is_unfinished and not was_ready(self.path):
                discard(self.path, claim)
            sweep(claim)

    def publish(self, work, claim):
        # type: (bytes, Claim) -> bool
        """Give the unpacked directory its final place by one rename, which fails if a root is there.

        Return whether this process succeeded: a ready root stays, and a process that lost the claim leaves the place to
        another. If the rename fails, the file at the place shows the reason. The error does not: servers have errors of
        their own. It is raised if the rename fails again and again.
        """
        os.chmod(work, 0o755)  # mkdir was for this user alone
        refusals = 0
        while claim.held() and not self.ready():
            try:
                move(work, self.path)
                return True
            except EnvironmentError:
                refusals += 1
                if refusals == REFUSALS:
                    raise
            ask_server(self.store.path)
            if os.path.lexists(self.path):
                from .leftovers import clear_away

                clear_away(self.path, claim)
        return False

    def withdraw(self, work, directory, claim):
        # type: (bytes, Optional[Directory], Claim) -> None
        """Remove the files of this process, in the work directory or the root, unless the root is ready: it may be in use."""
        from .leftovers import discard
        from .removal import remove

        if directory is not None and directory.is_at(self.path) and not os.path.lexists(self.start):
            discard(self.path, claim)
        remove(work)


def make_store(path):
    # type: (bytes) -> None
    """Make a store with a CACHEDIR.TAG, by which backups skip it; an existing directory stays as it is."""
    if not os.path.isdir(path) and make_private(path):
        try:
            directory = Directory(path)
            if directory.is_at(path):  # and not through a link that took its place
                directory.write(TAG, TAG_TEXT)
            directory.close()
        except EnvironmentError:  # unpacking into it reports the reason
            pass


def make_private(path):
    # type: (bytes) -> bool
    """Make a directory and its parents for this user alone; return whether this process made it. Raises OSError."""
    if os.path.isdir(path):
        return False
    above = os.path.dirname(path)
    if above != path:
        make_private(above)
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        return False
    return True
