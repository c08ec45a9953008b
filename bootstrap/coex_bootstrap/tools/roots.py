"""Find the roots in the stores of this user: their archives, sizes, last starts, and the processes that use them."""

import errno
import os
import re
import stat
import time

from ..base.untrusted import parse_json, read_regular
from ..format.manifest import ID_LENGTH
from ..store.boot import START, USED
from ..store.claim import Claim
from ..store.directory import move
from ..store.file_system import file_systems, is_of_server
from ..store.leftovers import DAY, cannot_be_moved, set_aside, sweep, used_paths
from ..store.removal import remove, remove_in_place
from ..store.store import Store
from ..store.trust import distrust_made
from ..store.unpacked_python import PREFIX
from .root_sizes import Weighed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Set

ROOT_NAME = re.compile(br"(?:python-)?[0-9a-f]{24}\Z")  # a carried Python that was kept is listed and cleaned as one
MOMENT = 2  # seconds that a start needs to reach its entry point, before which no process may be visible


class Unpacked(Weighed):
    """One root as `cache` shows it: name of its archive, time of the last start, pids that use it, and its bytes.

    `server` is the type of its file system if that is one of a server.
    """

    def __init__(self, store, path):
        # type: (Store, bytes) -> None
        Weighed.__init__(self, path)
        self.store, self.path = store, path
        self.name = _name(path)
        self.used = last_use(path)
        self.ready = os.path.lexists(path + sign_of(path))
        self.pids = []  # type: List[int]
        self.server = b""


def find_roots(places):
    # type: (List[Store]) -> List[Unpacked]
    """Return the roots in the stores that this user may trust, the one used last first."""
    roots = []
    for store in places:
        try:
            if not os.path.isdir(store.path) or store.distrust():
                continue
            names = sorted(os.listdir(store.path))
        except EnvironmentError:
            continue
        paths = [store.path + b"/" + name for name in names if ROOT_NAME.match(name)]
        roots += [Unpacked(store, path) for path in paths if _is_trusted(store, path)]
    users = users_of([root.path for root in roots])
    for root, (kind, _) in zip(roots, file_systems([root.path for root in roots])):
        root.pids, root.server = users[root.path], kind if is_of_server(kind) else b""
    return sorted(roots, key=lambda root: (-root.used, root.path))


def _is_trusted(store, path):
    # type: (Store, bytes) -> bool
    """Return whether a root belongs to a user who may make roots in the store; roots of others are not read."""
    try:
        return distrust_made(path, stat.S_ISDIR, store.owners()) is None
    except EnvironmentError:  # it was removed meanwhile
        return False


def users_of(paths):
    # type: (List[bytes]) -> Dict[bytes, List[int]]
    """Return the processes of this host that use something below each path, as far as this user can see."""
    users = dict((path, set()) for path in paths)  # type: Dict[bytes, Set[int]]
    for pid, used in used_paths():
        for path in paths:
            if used == path or used.startswith(path + b"/"):
                users[path].add(pid)
    return dict((path, sorted(pids)) for path, pids in users.items())


def last_use(path):
    # type: (bytes) -> float
    """Return the time of the last start of a root, in seconds since 1970; 0 if it never was ready.

    If a server does not tell it, that is now: a root in use must not be removed.
    """
    times = [0.0]
    for sign in (path + USED, path + START):
        try:
            times.append(os.lstat(sign).st_mtime)
        except EnvironmentError as error:
            if error.errno != errno.ENOENT:
                times.append(time.time())
    return max(times)


def _name(path):
    # type: (bytes) -> str
    try:
        manifest = parse_json(read_regular(path + b"/coex.json") or b"")
    except (EnvironmentError, ValueError):
        return "?"
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return name if isinstance(name, type(u"")) else "?"


def why_in_use(root, now):
    # type: (Unpacked, float) -> Optional[str]
    """Return how a root is in use, also by invisible processes: those of other hosts, or of a host without proc(5)."""
    if root.pids:
        return _by_processes(root.pids)
    if now - root.used >= DAY or (os.path.isdir("/proc/self/fd") and not root.server):
        return None
    return "it was started within a day, and processes that use it may be invisible"


def _by_processes(pids):
    # type: (List[int]) -> str
    return "it is in use by the %s %s" % ("process" if len(pids) == 1 else "processes", ", ".join(map(str, pids)))


def sign_of(path):
    # type: (bytes) -> bytes
    """Return the name below a root without which no start takes it."""
    return USED if os.path.basename(path).startswith(PREFIX) else START


def remove_root(root):
    # type: (Unpacked) -> Optional[str]
    """Remove a root, unless a process unpacks or uses it: return why not. A start meanwhile finds it whole, or not at all.

    Raises EnvironmentError if it cannot be removed.
    """
    store, name = os.path.split(root.path)
    claim = Claim(store + b"/" + name[-ID_LENGTH:])
    try:
        if not claim.wait(lambda: True, lambda: None):
            return "another process unpacks or repairs it; try again later"
        try:
            aside = set_aside(root.path, claim)
        except EnvironmentError as error:
            if not cannot_be_moved(error):
                raise
            return _remove_in_place(root.path, claim)
        why = _use_of(aside, last_use(aside), claim)
        if why is None:
            remove(aside)
        elif not os.path.lexists(root.path):
            put_back(aside, root.path)
        return why
    finally:
        claim.release()


def _use_of(path, used, claim):
    # type: (bytes, float, Claim) -> Optional[str]
    """Return how a root is in use that was started at a time; None if it is not."""
    pids = users_of([path])[path]
    if pids:
        return _by_processes(pids)
    return "it was started just now; try again in a moment" if claim.now() - used < MOMENT else None


def _remove_in_place(path, claim):
    # type: (bytes, Claim) -> Optional[str]
    """Remove a root that cannot be renamed; no process can start it during the check."""
    start = path + sign_of(path)
    hidden = start + b".removed"
    used = last_use(path)
    if os.path.lexists(start):
        move(start, hidden)
    why = _use_of(path, used, claim)
    if why is None:
        remove_in_place(path)
    elif os.path.lexists(hidden):
        put_back(hidden, start)
    return why


def put_back(aside, path):
    # type: (bytes, bytes) -> None
    """Rename a root or file that was set aside to its place. Programs use it, so an error of a server gets a second try."""
    try:
        move(aside, path)
    except EnvironmentError:
        move(aside, path)


def remove_leftovers(path):
    # type: (bytes) -> None
    """Remove the leftovers of killed processes in a store."""
    claim = Claim(path + b"/" + b"0" * 24)
    try:
        if claim.wait(lambda: True, lambda: None):
            sweep(claim)
    finally:
        claim.release()
