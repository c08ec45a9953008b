"""The claim of a root: one process of one host unpacks it. A rename decides, which works on systems without locks.

A claim is a directory beside the root with one empty file. The name of that file is the name of the owner:

    ROOT.claim/HOST-PID-START-RANDOM     held, and refreshed every few seconds while its owner works
    ROOT.claim-HOST-PID-START-RANDOM/    made by a waiting process, which renames it to ROOT.claim; that fails while it is held

A dead owner's claim is taken over by renaming that one file, which only one process can. No file is wrong
because of a claim that was lost: work directories are unique and a root is published by one rename.
"""

import errno
import os
import time
from binascii import hexlify

from .directory import NAME_TAKEN, ask_server, make_new
from .identity import gone, this_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Set, Tuple

BEAT = 5  # seconds between two refreshes of a claim
STALE = 60  # seconds without one after which an owner counts as dead, wherever it is
LONGEST_SLEEP = 0.2
NOTICE = 1  # seconds of waiting before the user is told
EVERY = 5  # tries between two looks at the owner

REFUSALS = 3  # tries in a row that fail for no reason that can be seen, before the error is raised
RELEASED = set()  # type: Set[bytes] # claims that this process gave up: their files stay if they cannot be removed


class Claim(object):
    """The claim of this process on one root."""

    def __init__(self, root):
        # type: (bytes) -> None
        self.root = root
        self._process = this_process()
        self.host = self._process.partition(b"-")[0]
        self.path = root + b".claim"
        self.own = self.new_name(b"claim")
        self.identity = self.own[len(self.path) + 1 :]
        self.mark = self.path + b"/" + self.identity
        self._beaten = 0.0
        self._refusals = 0
        self._seen = {}  # type: Dict[Tuple[bytes, float], float] # when an owner's time was first seen

    def new_name(self, kind):
        # type: (bytes) -> bytes
        """Return a new unique path beside the root, for a directory of this process."""
        return self.root + b"." + kind + b"-" + self._process + b"-" + hexlify(os.urandom(8))

    def wait(self, ready, notice):
        # type: (Callable[[], bool], Callable[[], None]) -> bool
        """Return True if this process has the claim, False if another one has made the root ready.

        `notice` is called once, after a second of waiting. Raises EnvironmentError.
        """
        if self.held():
            return True
        self._prepare()
        tries, slept, sleep, told = 0, 0.0, 0.01, False
        while not self._take(look=tries % EVERY == 0):
            if ready():
                return False
            if slept >= NOTICE and not told:
                notice()
                told = True
            time.sleep(sleep)
            tries, slept, sleep = tries + 1, slept + sleep, min(sleep * 1.5, LONGEST_SLEEP)
        self._beaten = time.time()
        return True

    def held(self):
        # type: () -> bool
        """Return whether this process still has the claim: while it is stopped, others may think that it is dead."""
        return os.path.exists(self.mark)

    def beat(self):
        # type: () -> None
        """Refresh the claim, at most every few seconds: cheap enough for any loop."""
        now = time.time()
        if not 0 <= now - self._beaten < BEAT:
            self._beaten = now
            touch(self.mark)

    def now(self):
        # type: () -> float
        """Return the time by the clock of the file system, in seconds; this process has the claim."""
        touch(self.mark)
        return last_change(self.mark) or 0.0

    def release(self):
        # type: () -> None
        """Give up the claim, or the wait for it; a claim of another process stays, because its directory is not empty."""
        RELEASED.add(self.identity)
        for path in (self.mark, self.own + b"/" + self.identity):
            _remove(os.unlink, path)
        for path in (self.path, self.own):
            _remove(os.rmdir, path)

    def _prepare(self):
        # type: () -> None
        if not os.path.isdir(self.own):
            make_new(self.own, 0o755)
            os.chmod(self.own, 0o755)  # other users of this store may read the name of the owner
        mark = self.own + b"/" + self.identity
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT, 0o644))

    def _take(self, look):
        # type: (bool) -> bool
        """Try to get the claim; `look`: check whether its owner is dead.

        Raises EnvironmentError if the claim is refused again and again, though no process that works has it. The errors
        themselves say little: for a taken name servers have various ones (sshfs EPERM).
        """
        try:
            os.rename(self.own, self.path)
            return True
        except EnvironmentError as error:
            if error.errno == errno.ENOENT:  # a cleaner took it, or a server did the rename twice
                if self.held():
                    return True
                self._prepare()
            if error.errno in NAME_TAKEN and not look:
                return False
            has_it = self._take_from(self._owner(), look)
            if has_it is None:
                self._refusals += 1
                if self._refusals >= REFUSALS:
                    raise
            return bool(has_it)

    def _take_from(self, owner, look):
        # type: (Optional[bytes], bool) -> Optional[bool]
        """Return whether this process has the claim of an owner now; None if not, though no process that works has it."""
        if owner == self.identity:  # a server did the rename, and lost its answer
            return True
        if owner is None:
            _ignore_errors(os.rmdir, self.path)  # if its owner ended between two steps; they rename over no directory
            return None
        if look and self._is_dead(owner):
            return self._take_over(owner) or None
        if look:
            self._refusals = 0
        return False

    def _owner(self):
        # type: () -> Optional[bytes]
        """Return the name of the owner; None if nobody has the claim, or if that cannot be seen."""
        for is_sure in (False, True):
            try:
                owners = sorted(os.listdir(self.path))
            except EnvironmentError:
                owners = []
            if owners or is_sure:
                break
            ask_server(os.path.dirname(self.path))
        return owners[0] if owners else None

    def _is_dead(self, owner):
        # type: (bytes) -> bool
        if owner in RELEASED or gone(owner, self.host):
            return True
        touch(self.own + b"/" + self.identity)  # the clock of the file system, not of a host
        now = last_change(self.own + b"/" + self.identity)
        last = last_change(self.path + b"/" + owner)
        if now is None or last is None:
            return False
        if last > now:  # the clock was set back; an owner that works will have another time soon
            last = self._seen.setdefault((owner, last), now)
        return now - last >= STALE

    def _take_over(self, owner):
        # type: (bytes) -> bool
        """Take over the claim of a dead owner: only one of the processes that try can rename its file."""
        try:
            touch(self.path + b"/" + owner)
            os.rename(self.path + b"/" + owner, self.mark)
        except EnvironmentError as error:
            if error.errno in (errno.EACCES, errno.EPERM) and not self.held():
                self._set_aside(owner)
            return self.held()
        return True

    def _set_aside(self, owner):
        # type: (bytes) -> None
        """Rename the claim of a dead owner who is another user of a shared store; raises EnvironmentError if it stays."""
        try:
            os.rename(self.path, self.path + b"-" + owner)
        except EnvironmentError:
            if os.path.lexists(self.path + b"/" + owner):
                raise


def touch(path):
    # type: (bytes) -> None
    """Set the time of a file to its file system's now."""
    _ignore_errors(os.utime, path, None)


def last_change(path):
    # type: (bytes) -> Optional[float]
    """Return the time of a file on its server, in seconds; None if it cannot be opened."""
    try:
        stream = os.open(path, os.O_RDONLY)
        try:
            return os.fstat(stream).st_mtime
        finally:
            os.close(stream)
    except EnvironmentError:
        return None


def _remove(function, path):
    # type: (Callable[[bytes], None], bytes) -> None
    """Remove a file or an empty directory if that can be; an error of a server may not come again."""
    _ignore_errors(function, path)
    if os.path.lexists(path):
        _ignore_errors(function, path)


def _ignore_errors(function, *arguments):  # type: ignore[explicit-any] # as many as the function takes
    # type: (Callable[..., object], *object) -> None
    try:
        function(*arguments)
    except EnvironmentError:
        pass
