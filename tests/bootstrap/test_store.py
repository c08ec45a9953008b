"""Where an archive unpacks: the ladder of places, why each is refused, and the life of a root."""

import collections
import fcntl
import os
import stat
import sys

import pytest
from coex_bootstrap import compat
from coex_bootstrap.errors import StoreUnusable
from coex_bootstrap.shell import quote
from coex_bootstrap.store import NOEXEC, Store, choose, find_ready, remove, stores

from bootstrap.building import make_manifest, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

CACHES = b"/Library/Caches" if sys.platform == "darwin" else b"/.cache"
NAME = b"0" * 24


def temporary(given):
    # type: (Dict[bytes, bytes]) -> bytes
    return given.get(b"TMPDIR", b"/tmp") + b"/coex-" + str(os.geteuid()).encode("ascii")


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({b"COEX_ROOT": b"/mine"}, b"/mine"),
        ({b"COEX_ROOT": b"/mine", b"XDG_CACHE_HOME": b"/x", b"HOME": b"/h"}, b"/mine"),
        ({b"XDG_CACHE_HOME": b"/x", b"HOME": b"/h"}, b"/x/coex"),
        ({b"XDG_CACHE_HOME": b"relative", b"HOME": b"/h"}, b"/h" + CACHES + b"/coex"),
        ({b"COEX_ROOT": b"", b"HOME": b"/h"}, b"/h" + CACHES + b"/coex"),
        ({b"HOME": b"/"}, None),
        ({b"TMPDIR": b"/t"}, None),
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
        assert found == ([first] if first else []) + [temporary(given)]


def test_relative_coex_root_is_absolute(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.chdir(compat.native(place))
    (store,) = stores({b"COEX_ROOT": b"here/below"})
    assert (store.path, store.explicit) == (os.path.realpath(place) + b"/here/below", True)


def test_store_is_made_for_this_user_alone(place):
    # type: (bytes) -> None
    store = Store(place + b"/a/b/coex")
    assert store.refusal(make_manifest()) is None
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o700


def refusal(path, explicit=False, **fields):
    # type: (bytes, bool, **Any) -> str
    why = Store(path, explicit).refusal(make_manifest(**fields))
    assert why is not None
    return why


def test_refuses_a_file(place):
    # type: (bytes) -> None
    path = write(place + b"/file", b"")
    assert refusal(path) == "not a directory"
    assert "ot a directory" in refusal(path + b"/below")


def test_refuses_a_link_unless_named(place):
    # type: (bytes) -> None
    os.mkdir(place + b"/there", 0o700)
    os.symlink(b"there", place + b"/link")
    assert refusal(place + b"/link") == "not a directory"
    assert Store(place + b"/link", explicit=True).refusal(make_manifest()) is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_refuses_what_others_can_write_to_unless_named(place, mode):
    # type: (bytes, int) -> None
    os.mkdir(place + b"/s")
    os.chmod(place + b"/s", mode)
    assert refusal(place + b"/s") == "writable by others (mode %o)" % mode
    assert Store(place + b"/s", explicit=True).refusal(make_manifest()) is None


def test_refuses_what_others_own_unless_named(place):
    # type: (bytes) -> None
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    os.mkdir(place + b"/s", 0o700)
    os.chown(place + b"/s", 12345, -1)
    assert refusal(place + b"/s") == "owned by another user (uid 12345)"
    assert Store(place + b"/s", explicit=True).refusal(make_manifest()) is None


def test_refuses_what_is_read_only(place):
    # type: (bytes) -> None
    if not os.geteuid():
        pytest.skip("root can write everywhere")
    os.mkdir(place + b"/s", 0o500)
    assert refusal(place + b"/s") == "not writable"
    assert refusal(place + b"/s/below") == "Permission denied"


Volume = collections.namedtuple("Volume", "f_flag f_bavail f_frsize")


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (Volume(NOEXEC, 1 << 30, 4096), "mounted noexec"),
        (Volume(0, 100, 1 << 20), "100 MB are free, 102 MB are needed"),
        (Volume(0, 102, 1 << 20), None),
    ],
)
def test_volume(place, monkeypatch, volume, why):
    # type: (bytes, Any, Volume, Optional[str]) -> None
    monkeypatch.setattr(os, "statvfs", lambda path: volume)
    manifest = make_manifest(unpacked={"files": 1, "bytes": 102 << 20})
    if sys.platform.startswith("linux") or not volume.f_flag:
        assert Store(place, explicit=True).refusal(manifest) == why


@pytest.mark.parametrize("more", [0, 1])
def test_prefix_limit(place, more):
    # type: (bytes, int) -> None
    path = place + b"/s"
    limit = len(path + b"/" + NAME + b"/prefix") - more
    why = Store(path, True).refusal(make_manifest(prefix_limit=limit))
    assert why == ("its path makes a prefix of %d bytes, the packages allow %d" % (limit + 1, limit) if more else None)


@pytest.mark.parametrize("name", [b"a:b", b"a\nb"])
def test_refuses_what_path_cannot_hold(place, name):
    # type: (bytes, bytes) -> None
    assert "which PATH cannot hold" in refusal(place + b"/" + name, explicit=True)


def test_choose_takes_the_first_that_fits(place):
    # type: (bytes) -> None
    bad, good = Store(write(place + b"/file", b"")), Store(place + b"/good")
    assert choose([bad, good, Store(place + b"/never")], make_manifest()).path == place + b"/good/" + NAME
    assert not os.path.exists(place + b"/never")


def test_choose_says_why_each_was_refused(place):
    # type: (bytes) -> None
    bad = Store(write(place + b"/a b", b"")), Store(write(place + b"/\xff", b""))
    with pytest.raises(StoreUnusable) as caught:
        choose(list(bad), make_manifest())
    text = str(caught.value)
    assert text.count("not a directory") == 2
    assert "/a b: not a directory" in text
    assert "COEX_ROOT" in text


def make_ready(store):
    # type: (Store) -> bytes
    return write(store.root(NAME).start, b". " + quote(store.root(NAME).start))


def test_ready(place):
    # type: (bytes) -> None
    stores = [Store(place + b"/one"), Store(place + b"/two")]
    assert find_ready(stores, make_manifest()) is None
    os.makedirs(stores[0].root(NAME).path + b"/prefix")
    assert find_ready(stores, make_manifest()) is None
    make_ready(stores[1])
    root = find_ready(stores, make_manifest())
    assert root is not None
    assert root.path == place + b"/two/" + NAME


def test_a_moved_root_is_not_ready(place):
    # type: (bytes) -> None
    make_ready(Store(place + b"/one"))
    os.rename(place + b"/one", place + b"/two")
    assert not Store(place + b"/two").root(NAME).ready()
    os.mkdir(place + b"/one")
    os.rename(place + b"/two/" + NAME, place + b"/one/" + NAME)
    assert Store(place + b"/one").root(NAME).ready()


def test_a_root_of_another_user_is_not_ready_unless_named(place):
    # type: (bytes) -> None
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(make_ready(Store(place)), 12345, -1)
    assert not Store(place).root(NAME).ready()
    assert Store(place, explicit=True).root(NAME).ready()


def test_claim_is_for_one(place):
    # type: (bytes) -> None
    root = Store(place).root(NAME)
    root.claim()
    other = os.open(root.path + b".lock", os.O_RDWR)
    with pytest.raises(EnvironmentError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    root.release()
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_work_directory_removes_what_dead_processes_left(place):
    # type: (bytes) -> None
    root = Store(place).root(NAME)
    for left in (root.path + b"/half", root.path + b".work-abc/half", place + b"/other.work-abc/kept"):
        write(left, b"")
    os.chmod(root.path + b".work-abc", 0o500)
    work = root.work_directory()
    assert sorted(os.listdir(place)) == sorted([os.path.basename(work), b"other.work-abc"])
    assert os.listdir(work) == []
    assert stat.S_IMODE(os.stat(work).st_mode) == 0o700


def test_publish(place):
    # type: (bytes) -> None
    root = Store(place).root(NAME)
    work = root.work_directory()
    write(work + b"/prefix/file", b"")
    root.publish(work)
    assert os.listdir(place) == [NAME]
    assert os.path.exists(root.path + b"/prefix/file")
    assert stat.S_IMODE(os.stat(root.path).st_mode) == 0o755


def test_remove(place):
    # type: (bytes) -> None
    write(place + b"/t/a/b/file", b"", 0o400)
    write(place + b"/kept/file", b"")
    os.symlink(b"../kept", place + b"/t/link")
    os.chmod(place + b"/t/a/b", 0o500)
    os.chmod(place + b"/t/a", 0o000)
    remove(place + b"/t")
    remove(place + b"/missing")
    assert os.listdir(place) == [b"kept"]
    assert os.listdir(place + b"/kept") == [b"file"]
