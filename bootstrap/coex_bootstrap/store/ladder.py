"""Choose the places in which an archive may unpack, best first, with the reason for the choice.

A place of this host comes before one of a server: a program that starts opens hundreds of files, and each of them costs
a server several messages, for every start on every host.
"""

import os
import sys

from ..base import cgroups, compat
from ..base.working_directory import absolute
from .file_system import file_systems, is_of_server
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional, Sequence, Tuple

    from ..format.manifest import Manifest
    from .store import Root

EXPLICIT = b"COEX_ROOT"
TEMPORARY = (b"/tmp", b"/var/tmp")
IN_MEMORY = b"/dev/shm"
SPARE = 2  # times the size of a root that have to be free in memory


class MemoryStore(Store):
    """A candidate directory whose files take the memory of this host."""

    def lack(self, manifest, linked=(0, 0)):
        # type: (Manifest, Tuple[int, int]) -> Optional[str]
        """Return why there is not enough memory for a root and as much again; None if there is. Raises EnvironmentError."""
        needed = (manifest.unpacked["bytes"] - linked[1]) * SPARE
        volume = os.statvfs(self.path)
        free = min(volume.f_bavail * volume.f_frsize, free_memory())
        if free < needed:
            return "%d MB of memory are free for this process, %d MB are needed" % (free >> 20, needed >> 20)
        return super(MemoryStore, self).lack(manifest, linked)


def stores(environ):
    # type: (Dict[bytes, bytes]) -> List[Store]
    """Return the places to try, best first: COEX_ROOT alone, or the user's cache and then temporary directories.

    Those on a server are the last ones, after the memory of this host. Raises WorkingDirectoryGone.
    """
    explicit = environ.get(EXPLICIT)
    if explicit:
        return [Store(absolute(explicit), explicit=True)]
    found = []  # type: List[Store]
    for path in list(_caches(environ)) + list(_temporary(environ)):
        if path not in [store.path for store in found]:
            found.append(Store(path))
    return by_distance(found)


def by_distance(places):
    # type: (List[Store]) -> List[Store]
    """Return places in their order, those on a server last; if there are such, the memory of this host comes before them."""
    for rank, (store, (kind, _)) in enumerate(zip(places, file_systems([store.path for store in places]))):
        store.rank, store.server = rank, kind if is_of_server(kind) else b""
    near, far = [store for store in places if not store.server], [store for store in places if store.server]
    if far and os.path.isdir(IN_MEMORY):
        near.append(MemoryStore(_private(IN_MEMORY)))
        near[-1].rank = len(places)
    return near + far


def _caches(environ):
    # type: (Dict[bytes, bytes]) -> Iterator[bytes]
    """Yield the store in the user's cache, if the environment names a home or a cache."""
    cache, home = environ.get(b"XDG_CACHE_HOME", b""), environ.get(b"HOME", b"")
    if cache.startswith(b"/"):
        yield cache + b"/coex"
    elif home.startswith(b"/") and home.strip(b"/"):
        yield home + (b"/Library/Caches" if sys.platform == "darwin" else b"/.cache") + b"/coex"


def _temporary(environ):
    # type: (Dict[bytes, bytes]) -> Iterator[bytes]
    """Yield the private stores in temporary directories: of the job, of the caller, of the host."""
    for directory in (environ.get(b"SLURM_TMPDIR", b""), environ.get(b"TMPDIR", b"")) + TEMPORARY:
        if directory.startswith(b"/"):
            yield _private(directory)


def _private(directory):
    # type: (bytes) -> bytes
    """Return the path of this user's own store in a directory where others have theirs."""
    return os.path.join(directory, compat.utf8("coex-%d" % os.geteuid()))


def find_ready(places, manifest):
    # type: (List[Store], Manifest) -> Optional[Root]
    """Return the first ready root of an archive in these stores; None if there is none."""
    for store in places:
        root = store.root(manifest)
        if root.ready():
            return root
    return None


def passed_over(places, taken, refused=()):
    # type: (Sequence[Store], Store, Sequence[str]) -> List[str]
    """Return why places that come before another one were not taken, each as PATH: REASON."""
    far = [store for store in places if store.server and store.rank < taken.rank]
    words = ["%s: on a network file system (%s)" % (compat.one_line(s.path), compat.one_line(s.server)) for s in far]
    return list(refused) + words


def reason(places, taken, refused=()):
    # type: (Sequence[Store], Store, Sequence[str]) -> str
    """Return the reason to take a place, for a person."""
    if taken.explicit:
        return "named by COEX_ROOT"
    return "; ".join(passed_over(places, taken, refused)) or "the first choice"


def free_memory(host=b"/proc/meminfo", groups=cgroups.GROUPS, mounts=cgroups.MOUNTS):
    # type: (bytes, bytes, bytes) -> int
    """Return how many bytes of memory this process may still take, by the host and by the limits of its cgroups."""
    free = 0
    for line in cgroups.read(host).splitlines():
        if line.startswith(b"MemAvailable:"):
            free = int(line.split()[1]) << 10
    for group in cgroups.directories(b"memory", (b"memory",), groups, mounts):
        for limit, used in ((b"/memory.max", b"/memory.current"), (b"/memory.limit_in_bytes", b"/memory.usage_in_bytes")):
            words = cgroups.read(group + limit).split() + cgroups.read(group + used).split()
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
                free = min(free, max(0, int(words[0]) - int(words[1])))
    return free
