"""Choose the places in which an archive may unpack, best first, with the reason for the choice.

A place of this host comes before one of a server: a program that starts opens hundreds of files, and each of them costs
a server several messages, for every start on every host.
"""

import os
import sys

from ..base import compat
from ..base.working_directory import absolute
from .file_system import file_systems, is_of_server
from .store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence

    from ..format.manifest import Manifest
    from .site import Setting
    from .store import Root

SITE = b"/etc/coex.conf"
OTHER_SITE = b"COEX_CONFIG"
EXPLICIT = b"COEX_ROOT"
TEMPORARY = (b"/tmp", b"/var/tmp")
IN_MEMORY = b"/dev/shm"


def stores(environ):
    # type: (Dict[bytes, bytes]) -> List[Store]
    """Return the places to try, best first: COEX_ROOT alone, or those of the site, the user's cache, temporary directories.

    Those on a server are the last ones, after the memory of this host. A site may name stores, which come first, and
    another order, which holds as it is. Raises CoexError.
    """
    explicit = environ.get(EXPLICIT)
    if explicit:
        return [_named(Store(absolute(explicit), explicit=True), "COEX_ROOT")]
    setting = setting_of_site(environ)
    if setting is None:
        return by_distance(_each(list(_caches(environ)) + list(_temporary(environ))))
    named = [_named(Store(path, of_site=True), compat.one_line(setting.path)) for path in setting.stores]
    if setting.order is None:
        return named + by_distance(_each(list(_caches(environ)) + list(_temporary(environ))), len(named))
    places = in_order(setting.order, named, environ)
    if not places:
        from .site import SettingWrong

        raise SettingWrong("none of its places is there: variables in its stores are not set", setting.path)
    return places


def setting_of_site(environ):
    # type: (Dict[bytes, bytes]) -> Optional[Setting]
    """Return the setting of the site; None if there is none, as on most hosts. Raises CoexError."""
    value = environ.get(OTHER_SITE)
    path = absolute(value) if value else SITE
    if not value and not os.path.lexists(path):
        return None
    from .site import read_setting

    return read_setting(path, environ)


def in_order(order, named, environ):
    # type: (Iterable[bytes], List[Store], Dict[bytes, bytes]) -> List[Store]
    """Return the places of each kind, in the order of the site: its own stores and those that are named by their kind."""
    kinds = {
        b"store": lambda: named,
        b"cache": lambda: _each(_caches(environ)),
        b"temporary": lambda: _each(_temporary(environ)),
        b"memory": _in_memory,
    }  # type: Dict[bytes, Callable[[], Sequence[Store]]]
    places = [store for kind in order for store in kinds[kind]()]
    for rank, store in enumerate(places):
        store.rank = rank
    return places


def _named(store, name):
    # type: (Store, str) -> Store
    store.named_by = name
    return store


def _each(paths):
    # type: (Iterable[bytes]) -> List[Store]
    """Return a store for each path, each once."""
    places = []  # type: List[Store]
    for path in paths:
        if path not in [store.path for store in places]:
            places.append(Store(path))
    return places


def by_distance(places, first=0):
    # type: (List[Store], int) -> List[Store]
    """Return places in their order, those on a server last; if there are such, the memory of this host comes before them.

    `first` is the rank of the first one.
    """
    for rank, (store, (kind, _)) in enumerate(zip(places, file_systems([store.path for store in places])), first):
        store.rank, store.server = rank, kind if is_of_server(kind) else b""
    near, far = [store for store in places if not store.server], [store for store in places if store.server]
    memory = _in_memory() if far else []
    for store in memory:
        store.rank = first + len(places)
    return near + memory + far


def _in_memory():
    # type: () -> List[Store]
    """Return the place in the memory of this host, if it has one."""
    if not os.path.isdir(IN_MEMORY):
        return []
    from .memory import MemoryStore  # few hosts need it

    return [MemoryStore(_private(IN_MEMORY))]


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
    """Yield the private stores in temporary directories."""
    return (_private(directory) for directory in temporary_directories(environ))


def temporary_directories(environ):
    # type: (Dict[bytes, bytes]) -> Iterator[bytes]
    """Yield the temporary directories: of the job, of the caller, of the host."""
    for directory in (environ.get(b"SLURM_TMPDIR", b""), environ.get(b"TMPDIR", b"")) + TEMPORARY:
        if directory.startswith(b"/"):
            yield directory


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
    if taken.named_by:
        return "; ".join(["named by " + taken.named_by] + list(refused))
    return "; ".join(passed_over(places, taken, refused)) or "the first choice"
