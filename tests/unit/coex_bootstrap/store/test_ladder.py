"""The order of the places to unpack in: the one that the caller names, those of this host, those of a server."""

import os
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import CoexError
from coex_bootstrap.store import ladder, memory
from coex_bootstrap.store.ladder import passed_over, reason, stores
from coex_bootstrap.store.memory import MemoryStore, free_memory

from unit.coex_bootstrap.building import make_manifest, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

CACHES = b"/Library/Caches" if sys.platform == "darwin" else b"/.cache"
GIB = 1 << 30
OWN = b"/coex-" + str(os.geteuid()).encode("ascii")
TEMPORARY = [b"/tmp" + OWN, b"/var/tmp" + OWN]


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({b"COEX_ROOT": b"/mine"}, b"/mine"),
        ({b"COEX_ROOT": b"/mine", b"XDG_CACHE_HOME": b"/x", b"HOME": b"/h"}, b"/mine"),
        ({b"XDG_CACHE_HOME": b"/x", b"HOME": b"/h"}, b"/x/coex"),
        ({b"XDG_CACHE_HOME": b"relative", b"HOME": b"/h"}, b"/h" + CACHES + b"/coex"),
        ({b"XDG_CACHE_HOME": b"", b"HOME": b"/h"}, b"/h" + CACHES + b"/coex"),
        ({b"COEX_ROOT": b"", b"HOME": b"/h"}, b"/h" + CACHES + b"/coex"),
        ({b"HOME": b"/"}, None),
        ({b"HOME": b""}, None),
        ({b"HOME": b"relative"}, None),
        ({}, None),
    ],
)
def test_ladder(given, first):
    # type: (Dict[bytes, bytes], Optional[bytes]) -> None
    found = [store.path for store in stores(given)]
    if b"mine" in (first or b""):
        assert found == [first]
    else:
        assert found == ([first] if first else []) + TEMPORARY


@pytest.mark.parametrize(
    ("given", "more"), [(b"/mine", [b"/mine" + OWN]), (b"/tmp", []), (b"relative", []), (b"", [])]
)
def test_ladder_of_temporary_directories(given, more):
    # type: (bytes, List[bytes]) -> None
    assert [store.path for store in stores({b"TMPDIR": given})] == more + TEMPORARY


def test_relative_coex_root_is_absolute(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.chdir(compat.native(place))
    (store,) = stores({b"COEX_ROOT": b"here/below"})
    assert (store.path, store.explicit) == (os.path.realpath(place) + b"/here/below", True)


def test_relative_coex_root_below_a_directory_that_was_removed(place, monkeypatch):
    # type: (bytes, Any) -> None
    os.mkdir(place + b"/here")
    monkeypatch.chdir(compat.native(place))
    os.chdir(place + b"/here")
    os.rmdir(place + b"/here")
    with pytest.raises(CoexError) as caught:
        stores({b"COEX_ROOT": b"below"})
    words = "below: this path is relative, and the working directory was removed; give the path from / on"
    assert str(caught.value) == words
    assert [store.path for store in stores({b"COEX_ROOT": b"/mine"})] == [b"/mine"]


def put_on_servers(monkeypatch, **kinds):
    # type: (Any, **bytes) -> None
    """Let the file systems of directories below / have other types; all others are local."""
    def types(paths):
        # type: (List[bytes]) -> List[Any]
        return [(kinds.get(compat.native(path.split(b"/")[1]), b"ext4"), []) for path in paths]

    monkeypatch.setattr(ladder, "file_systems", types)
    monkeypatch.setattr(ladder, "IN_MEMORY", b"/dev/null/memory")  # which nobody can make


def test_places_of_a_server_come_last(monkeypatch):
    # type: (Any) -> None
    put_on_servers(monkeypatch, h=b"nfs4", scratch=b"lustre")
    environ = {b"HOME": b"/h", b"SLURM_TMPDIR": b"/job", b"TMPDIR": b"/scratch/me"}
    places = stores(environ)
    cache, scratch = b"/h" + CACHES + b"/coex", b"/scratch/me" + OWN
    assert [store.path for store in places] == [b"/job" + OWN] + TEMPORARY + [cache, scratch]
    far = compat.native(cache) + ": on a network file system (nfs4)"
    assert passed_over(places, places[0]) == [far]
    assert passed_over(places, places[1]) == [far, compat.native(scratch) + ": on a network file system (lustre)"]
    assert passed_over(places, places[-2], ["/tmp: full"]) == ["/tmp: full"]
    assert reason(places, places[0]) == far


def test_order_stays_if_all_is_near_or_all_is_far(monkeypatch):
    # type: (Any) -> None
    environ = {b"HOME": b"/h", b"SLURM_TMPDIR": b"/job"}
    expected = [b"/h" + CACHES + b"/coex", b"/job" + OWN] + TEMPORARY
    for kinds in ({}, {"h": b"nfs", "job": b"nfs", "tmp": b"nfs", "var": b"nfs"}):
        put_on_servers(monkeypatch, **kinds)
        places = stores(environ)
        assert [store.path for store in places] == expected
        assert reason(places, places[0]) == "the first choice"


def test_place_that_is_named_is_the_only_one_wherever_it_is(monkeypatch):
    # type: (Any) -> None
    put_on_servers(monkeypatch, h=b"nfs4")
    (place,) = stores({b"COEX_ROOT": b"/h/mine", b"HOME": b"/h"})
    assert (place.path, reason([place], place)) == (b"/h/mine", "named by COEX_ROOT")


def test_memory_comes_before_servers_only(monkeypatch, place):
    # type: (Any, bytes) -> None
    put_on_servers(monkeypatch, h=b"nfs4")
    monkeypatch.setattr(ladder, "IN_MEMORY", place)
    paths = [store.path for store in stores({b"HOME": b"/h"})]
    assert paths == TEMPORARY + [place + OWN, b"/h" + CACHES + b"/coex"]
    assert [store.path for store in stores({b"HOME": b"/near"})] == [b"/near" + CACHES + b"/coex"] + TEMPORARY


@pytest.mark.parametrize(("free", "fits"), [(0, False), (2 * GIB - 1, False), (2 * GIB, True)])
def test_room_in_memory(place, monkeypatch, free, fits):
    # type: (bytes, Any, int, bool) -> None
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    room = os.statvfs(place)
    if room.f_bavail * room.f_frsize < 2 * GIB:
        pytest.skip("less than 2 GiB are free")
    manifest = make_manifest(unpacked={"bytes": GIB, "files": 1})
    why = MemoryStore(place).lack(manifest)
    assert why is None if fits else why == "%d MB of memory are free for this process, 2048 MB are needed" % (free >> 20)


@pytest.mark.parametrize(("groups", "files", "expected"), [
    (b"", {}, 8 * GIB),
    (b"0::/a/b\n", {b"a/memory.max": b"max", b"a/memory.current": b"5"}, 8 * GIB),
    (b"0::/a/b\n", {b"a/memory.max": b"3000", b"a/memory.current": b"1000"}, 2000),
    (b"0::/a/b\n", {b"a/b/memory.max": b"3000", b"a/b/memory.current": b"4000"}, 0),
    (b"4:memory:/j\n", {b"memory/j/memory.limit_in_bytes": b"9000", b"memory/j/memory.usage_in_bytes": b"1"}, 8999),
    (b"4:cpu:/j\n", {b"memory/j/memory.limit_in_bytes": b"9000", b"memory/j/memory.usage_in_bytes": b"1"}, 8 * GIB),
])
def test_memory_that_the_cgroups_leave(place, groups, files, expected):
    # type: (bytes, bytes, Dict[bytes, bytes], int) -> None
    host = write(place + b"/meminfo", b"MemTotal: 1 kB\nMemAvailable: %s kB\n" % str(8 * GIB >> 10).encode("ascii"))
    for name, content in files.items():
        path = place + b"/groups/" + name
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        write(path, content)
    assert free_memory(host, write(place + b"/cgroup", groups), place + b"/groups") == expected
