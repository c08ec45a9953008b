"""Find the roots in the stores of this user: their archives, sizes, last starts, and the processes that use them."""

import errno
import os
import re
import stat
import time

from ..base.untrusted import LARGEST, parse_json
from ..format.manifest import ID_LENGTH
from ..store.carried_python import PREFIX, USED
from ..store.claim import Claim
from ..store.directory import move
from ..store.file_system import file_systems, is_of_server
from ..store.leftovers import DAY, cannot_be_moved, set_aside, sweep, used_paths
from ..store.removal import remove, remove_in_place
from ..store.store import Store
from ..store.trust import distrust_made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Optional, Set, Tuple

ROOT_NAME = re.compile(br"(?:python-)?[0-9a-f]{24}\Z")  # a carried Python that was kept is listed and cleaned as one
MOMENT = 2  # seconds that a start needs to reach its entry point, before which no process may be visible


class Unpacked(object):
    """One root as `cache` shows it: name of its archive, time of the last start, pids that use it, and its bytes.

    `size` is the room of its files on the disk; `shared` is the part that other roots share by hard links. `files` is how
    many files and directories it has, `server` the type of its file system if that is one of a server.
    """

    def __init__(self, store, path):
        # type: (Store, bytes) -> None
        self.store, self.path = store, path
        self.name = _name(path)
        self.own, self.linked, self.files = _weigh(path)
        self.size = self.own + sum(each.size for each in self.linked.values())
        self.shared = sum(each.size for each in self.linked.values() if each.left)
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
    for sign in (path + b"/used", path + b"/start"):
        try:
            times.append(os.lstat(sign).st_mtime)
        except EnvironmentError as error:
            if error.errno != errno.ENOENT:
                times.append(time.time())
    return max(times)


def _name(path):
    # type: (bytes) -> str
    try:
        with open(path + b"/coex.json", "rb") as stream:
            manifest = parse_json(stream.read(LARGEST + 1))
    except (EnvironmentError, ValueError):
        return "?"
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return name if isinstance(name, type(u"")) else "?"


class Linked(object):
    """A file that has several names: `size` in bytes, `here` names in a root, and the names that are `left` elsewhere."""

    def __init__(self, state):
        # type: (os.stat_result) -> None
        self.size, self.here, self.left = state.st_blocks * 512, 0, state.st_nlink


def _weigh(path):
    # type: (bytes) -> Tuple[int, Dict[Tuple[int, int], Linked], int]
    """Return the bytes of files with one name below a path, the files with several names, and the number of all.

    Files with several names are by device and inode.
    """
    own, count, linked = 0, 0, {}  # type: int, int, Dict[Tuple[int, int], Linked]
    for directory, _, names in os.walk(path):
        for name in names + [b"."]:
            try:
                state = os.lstat(directory + b"/" + name)
            except EnvironmentError:
                continue
            count += 1
            if state.st_nlink == 1 or stat.S_ISDIR(state.st_mode):
                own += state.st_blocks * 512
                continue
            each = linked.setdefault((state.st_dev, state.st_ino), Linked(state))
            each.here, each.left = each.here + 1, each.left - 1
    return own, linked, count


def total_size(roots):
    # type: (Iterable[Unpacked]) -> int
    """Return the bytes that roots take together: shared files count once."""
    total, linked = 0, {}  # type: int, Dict[Tuple[int, int], int]
    for root in roots:
        total += root.own
        linked.update((key, each.size) for key, each in root.linked.items())
    return total + sum(linked.values())


class Freed(object):
    """Adds up the bytes that a removal of roots frees: a shared file is gone with its last name."""

    def __init__(self):
        # type: () -> None
        self.size = 0
        self._names = {}  # type: Dict[Tuple[int, int], int] # that are left

    def add(self, root):
        # type: (Unpacked) -> None
        """Add a root that is removed."""
        self.size += root.own
        for key, each in root.linked.items():
            left = self._names.get(key, each.here + each.left) - each.here
            self._names[key] = left
            if not left:
                self.size += each.size


def may_be_used_elsewhere(root, now):
    # type: (Unpacked, float) -> bool
    """Return whether invisible processes may use a root: those of other hosts, or of a host without proc(5)."""
    if now - root.used >= DAY:
        return False
    return not os.path.isdir("/proc/self/fd") or bool(root.server)


def sign_of(path):
    # type: (bytes) -> bytes
    """Return the name below a root without which no start takes it."""
    return USED if os.path.basename(path).startswith(PREFIX) else b"/start"


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
        return "it is in use by the %s %s" % ("process" if len(pids) == 1 else "processes", ", ".join(map(str, pids)))
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
