"""The places in which an archive unpacks: the reason to refuse each, and the life of a root."""

import collections
import errno
import os
import stat
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import StoreUnusable
from coex_bootstrap.base.shell import check_line, quote
from coex_bootstrap.store import leftovers
from coex_bootstrap.store.claim import Claim
from coex_bootstrap.store.directory import NAME_TAKEN, Directory, write_file
from coex_bootstrap.store.file_system import NOEXEC
from coex_bootstrap.store.ladder import find_ready
from coex_bootstrap.store.refused import no_place
from coex_bootstrap.store.removal import remove
from coex_bootstrap.store.store import Store, make_store

from unit.coex_bootstrap.building import make_manifest, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Tuple

    from coex_bootstrap.store.store import Root

CACHES = b"/Library/Caches" if sys.platform == "darwin" else b"/.cache"
NAME = b"0" * 24


def make_ready(store):
    # type: (Store) -> bytes
    root = store.root(make_manifest())
    os.chmod(store.path, 0o700) if os.path.isdir(store.path) else os.makedirs(store.path, 0o700)
    for path in root.needs:
        write(path, b"x")
    return write(root.start, b". " + quote(root.start) + b"".join(map(check_line, root.needs)))


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


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("mode", [0o772, 0o702, 0o1777])
def test_refuses_a_place_that_others_can_write_to(place, mode, explicit):
    # type: (bytes, int, bool) -> None
    path = place + b"/s"
    os.mkdir(path)
    os.chmod(path, mode)
    why = refusal(path, explicit)
    who = (os.geteuid(), os.stat(path).st_gid, mode, compat.native(path))
    mend = "chmod go-w %s and remove files of others in it"
    assert why == ("writable by others (uid %d, gid %d, mode %o; " + mend + ")") % who
    assert os.listdir(path) == []


def test_refuses_a_place_of_others_unless_named(place):
    # type: (bytes) -> None
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    os.mkdir(place + b"/s", 0o700)
    os.chown(place + b"/s", 12345, -1)
    assert refusal(place + b"/s") == "owned by another user (uid 12345)"
    assert Store(place + b"/s", explicit=True).refusal(make_manifest()) is None


def test_refuses_a_read_only_place(place):
    # type: (bytes) -> None
    if not os.geteuid():
        pytest.skip("root can write everywhere")
    os.mkdir(place + b"/s", 0o500)
    assert refusal(place + b"/s") == "not writable"
    assert refusal(place + b"/s/below") == "Permission denied"


Volume = collections.namedtuple("Volume", "f_flag f_bavail f_frsize f_files f_favail f_blocks f_bsize")


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (Volume(NOEXEC, 1 << 30, 4096, 0, 0, 1 << 40, 4096), "mounted noexec"),
        (Volume(0, 100, 1 << 20, 0, 0, 1 << 40, 4096), "100 MB are free, 102 MB are needed"),
        (Volume(0, 102, 1 << 20, 0, 0, 1 << 40, 4096), None),
        (Volume(0, 102, 1 << 20, 90, 8, 1 << 40, 4096), "8 files (inodes) are free, 9 are needed"),
        (Volume(0, 102, 1 << 20, 90, 9, 1 << 40, 4096), None),
        (Volume(0, 0, 4096, 0, 0, 0, 4096), None),
        (Volume(0, 0, 0, 0, 0, 0, 0), None),
        (Volume(0, 102, 0, 0, 0, 1 << 40, 1 << 20), None),
        (Volume(0, 100, 0, 0, 0, 1 << 40, 1 << 20), "100 MB are free, 102 MB are needed"),
    ],
)
def test_volume(place, monkeypatch, volume, why):
    # type: (bytes, Any, Volume, Optional[str]) -> None
    monkeypatch.setattr(os, "statvfs", lambda path: volume)
    manifest = make_manifest(unpacked={"files": 9, "bytes": 102 << 20})
    store = Store(place, explicit=True)
    if sys.platform.startswith("linux") or not volume.f_flag:
        assert (store.refusal(manifest) or store.lack(manifest)) == why


@pytest.mark.parametrize(("options", "why"), [([b"nosuid", b"noexec"], "mounted noexec"), ([b"ro"], None), ([], None)])
def test_noexec_on_macos(place, monkeypatch, options, why):
    # type: (bytes, Any, List[bytes], Optional[str]) -> None
    """statvfs(3) does not show it there."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("coex_bootstrap.store.file_system.file_system", lambda path: (b"apfs", options))
    assert Store(place, explicit=True).refusal(make_manifest()) == why


@pytest.mark.parametrize("more", [0, 1])
def test_prefix_limit(place, more):
    # type: (bytes, int) -> None
    path = place + b"/s"
    limit = len(path + b"/" + NAME + b"/prefix") - more
    why = Store(path, True).refusal(make_manifest(prefix_limit=limit))
    assert why == ("its path makes a prefix of %d bytes, the packages allow %d" % (limit + 1, limit) if more else None)
    assert os.path.exists(path) is not bool(more)


@pytest.mark.parametrize("name", [b"a:b", b"a\nb"])
def test_refuses_a_place_with_a_long_path(place, name):
    # type: (bytes, bytes) -> None
    assert "which PATH cannot hold" in refusal(place + b"/" + name, explicit=True)


@pytest.mark.parametrize("explicit", [False, True])
def test_refuses_a_place_that_others_can_replace(place, explicit):
    # type: (bytes, bool) -> None
    os.chmod(place, 0o777)
    who = (compat.native(place), os.geteuid(), os.stat(place).st_gid, compat.native(place))
    words = "%s, which leads there, is writable by others (uid %d, gid %d, mode 777; chmod +t or go-w %s)" % who
    assert refusal(place + b"/s", explicit) == words
    assert os.listdir(place) == []
    os.chmod(place, 0o1777)
    assert Store(place + b"/s", explicit).refusal(make_manifest()) is None


def test_no_umask_opens_new_directories(place):
    # type: (bytes) -> None
    umask = os.umask(0)
    try:
        assert Store(place + b"/a/b").refusal(make_manifest()) is None
    finally:
        os.umask(umask)
    assert [stat.S_IMODE(os.stat(place + path).st_mode) for path in (b"/a", b"/a/b")] == [0o700, 0o700]


def test_the_tag_is_in_the_directory_that_this_process_made(place):
    # type: (bytes) -> None
    assert Store(place + b"/mine").refusal(make_manifest()) is None
    assert read(place + b"/mine/CACHEDIR.TAG").startswith(b"Signature: ")
    assert stat.S_IMODE(os.stat(place + b"/mine/CACHEDIR.TAG").st_mode) == 0o644
    os.mkdir(place + b"/theirs", 0o700)
    assert Store(place + b"/theirs").refusal(make_manifest()) is None
    assert os.listdir(place + b"/theirs") == []


@pytest.mark.parametrize("moment", ["before", "while"])
def test_no_tag_through_a_link(place, monkeypatch, moment):
    # type: (bytes, Any, str) -> None
    """Another user may put a link to a directory of this user where the store is about to be made."""
    os.mkdir(place + b"/victim")
    make = os.mkdir

    def flip(path, mode=0o777):
        # type: (bytes, int) -> None
        if moment == "while":
            make(path, mode)
            os.rmdir(path)
        os.symlink(b"victim", path)
        if moment == "before":
            make(path, mode)

    monkeypatch.setattr(os, "mkdir", flip)
    make_store(place + b"/store")
    assert os.listdir(place + b"/victim") == []


@pytest.mark.parametrize("there", ["link", "file"])
def test_a_file_is_replaced(place, there):
    # type: (bytes, str) -> None
    """A link that somebody left, or a file that somebody still has open, does not get the text."""
    write(place + b"/other", b"other", 0o666)
    if there == "link":
        os.symlink(b"other", place + b"/file.new")
    else:
        os.link(place + b"/other", place + b"/file.new")
    write_file(place + b"/file", b"mine")
    assert (read(place + b"/file"), read(place + b"/other")) == (b"mine", b"other")
    assert sorted(os.listdir(place)) == [b"file", b"other"]


@pytest.mark.parametrize(("explicit", "name"), [(False, "a directory of yours"), (True, "another directory")])
def test_no_place(explicit, name):
    # type: (bool, str) -> None
    text = str(no_place([Store(b"/a b", explicit)], ["/a b: not a directory", "/c: mounted noexec"]))
    assert text == "no place to unpack: /a b: not a directory, /c: mounted noexec; name %s in COEX_ROOT" % name


def test_ready(place):
    # type: (bytes) -> None
    stores = [Store(place + b"/one"), Store(place + b"/two")]
    assert find_ready(stores, make_manifest()) is None
    os.makedirs(stores[0].root(make_manifest()).path + b"/prefix")
    assert find_ready(stores, make_manifest()) is None
    make_ready(stores[1])
    root = find_ready(stores, make_manifest())
    assert root is not None
    assert root.path == place + b"/two/" + NAME


@pytest.mark.parametrize("harm", [os.unlink, lambda path: write(path, b"")], ids=["removed", "truncated"])
@pytest.mark.parametrize("name", [b"activate.sh", b"prefix/bin/demo", b"start"])
def test_a_damaged_root_is_not_ready(place, name, harm):
    # type: (bytes, bytes, Any) -> None
    make_ready(Store(place))
    root = Store(place).root(make_manifest())
    assert root.ready()
    harm(root.path + b"/" + name)
    assert not root.ready()


def test_a_moved_root_is_not_ready(place):
    # type: (bytes) -> None
    make_ready(Store(place + b"/one"))
    os.rename(place + b"/one", place + b"/two")
    assert not Store(place + b"/two").root(make_manifest()).ready()
    os.mkdir(place + b"/one", 0o700)
    os.rename(place + b"/two/" + NAME, place + b"/one/" + NAME)
    assert Store(place + b"/one").root(make_manifest()).ready()


@pytest.mark.parametrize("whose", ["start", "root"])
def test_a_root_of_another_user_is_not_ready(place, whose):
    # type: (bytes, str) -> None
    """Only users who may write to a named store make roots in it: its owner, and root."""
    if os.geteuid():
        pytest.skip("only root can give a file away")
    start = make_ready(Store(place))
    os.chown(start if whose == "start" else os.path.dirname(start), 12345, -1)
    root = Store(place, explicit=True).root(make_manifest())
    assert not Store(place).root(make_manifest()).ready()
    assert not root.ready()
    assert "is owned by another user (uid 12345): its owner (uid 0) can" in root.lack()
    os.chown(place, 12345, -1)
    assert root.ready()
    assert not Store(place).root(make_manifest()).ready()


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", [b"", b"/" + NAME, b"/" + NAME + b"/start"])
def test_a_root_where_others_can_write_is_not_ready(place, name, explicit):
    # type: (bytes, bytes, bool) -> None
    make_ready(Store(place))
    assert Store(place, explicit).root(make_manifest()).ready()
    os.chmod(place + name, 0o772)
    assert not Store(place, explicit).root(make_manifest()).ready()


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", [b"/" + NAME, b"/" + NAME + b"/start"])
def test_a_root_behind_a_link_is_not_ready(place, name, explicit):
    # type: (bytes, bytes, bool) -> None
    make_ready(Store(place))
    os.rename(place + name, place + b"/elsewhere")
    os.symlink(place + b"/elsewhere", place + name)
    assert not Store(place, explicit).root(make_manifest()).ready()


@pytest.fixture
def claimed(place):
    # type: (bytes) -> Tuple[Root, Claim]
    """Return a root, and the claim on it of this process."""
    root = Store(place).root(make_manifest())
    claim = Claim(root.path)
    assert claim.wait(root.ready, lambda: None)
    return root, claim


def make_work(claim):
    # type: (Claim) -> bytes
    work = claim.new_name(b"work")
    write(work + b"/prefix/file", b"mine")
    return work


def test_publish(place, claimed):
    # type: (bytes, Tuple[Root, Claim]) -> None
    root, claim = claimed
    assert root.publish(make_work(claim), claim)
    claim.release()
    assert os.listdir(place) == [NAME]
    assert os.path.exists(root.path + b"/prefix/file")
    assert stat.S_IMODE(os.stat(root.path).st_mode) == 0o755


def test_a_ready_root_is_not_replaced(place, claimed):
    # type: (bytes, Tuple[Root, Claim]) -> None
    root, claim = claimed
    make_ready(root.store)
    assert not root.publish(make_work(claim), claim)
    assert not os.path.exists(root.path + b"/prefix/file")


def test_a_process_that_lost_the_claim_does_not_publish(place, claimed):
    # type: (bytes, Tuple[Root, Claim]) -> None
    root, claim = claimed
    os.rename(claim.mark, claim.mark + b"x")
    assert not root.publish(make_work(claim), claim)
    assert not os.path.exists(root.path)


@pytest.mark.parametrize("there", [b"/prefix/half", b""], ids=["half made", "a file"])
def test_a_file_in_the_way_of_a_root_is_removed(place, claimed, there):
    # type: (bytes, Tuple[Root, Claim], bytes) -> None
    root, claim = claimed
    write(root.path + there, b"half")
    assert root.publish(make_work(claim), claim)
    claim.release()
    assert os.listdir(place) == [NAME]


def test_a_damaged_root_is_set_aside(place, claimed):
    # type: (bytes, Tuple[Root, Claim]) -> None
    root, claim = claimed
    make_ready(root.store)
    write(root.path + b"/used-by-a-process", b"")
    os.unlink(root.path + b"/activate.sh")
    root.clear(claim)
    assert root.publish(make_work(claim), claim)
    claim.release()
    assert not os.path.exists(root.path + b"/used-by-a-process")
    (aside,) = [name for name in os.listdir(place) if name != NAME]
    assert aside.startswith(NAME + b".gone-")
    assert os.path.exists(place + b"/" + aside + b"/used-by-a-process")


ODD = [errno.EPERM, errno.EACCES, errno.EBUSY, errno.EIO]  # the errors of servers for a directory that is not empty


def refuse(monkeypatch, odd):
    # type: (Any, int) -> None
    """Let rename(2) fail over a directory that is not empty with the error of some server, and never otherwise."""
    real = os.rename

    def rename(old, new):
        # type: (bytes, bytes) -> None
        try:
            real(old, new)
        except OSError as error:
            if error.errno not in NAME_TAKEN:
                raise
            raise OSError(odd, os.strerror(odd))

    monkeypatch.setattr(os, "rename", rename)


@pytest.mark.parametrize("odd", ODD)
def test_a_server_with_errors_of_its_own(place, claimed, monkeypatch, odd):
    # type: (bytes, Tuple[Root, Claim], Any, int) -> None
    root, claim = claimed
    refuse(monkeypatch, odd)
    write(root.path + b"/prefix/half", b"half")
    assert root.publish(make_work(claim), claim)
    assert os.path.exists(root.path + b"/prefix/file")
    make_ready(root.store)
    assert not root.publish(make_work(claim), claim)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT, errno.ENOTDIR])
@pytest.mark.parametrize("there", [b"/prefix/half", b"/start", None])
def test_a_rename_that_never_succeeds_ends_it(claimed, monkeypatch, there, number):
    # type: (Tuple[Root, Claim], Any, Optional[bytes], int) -> None
    root, claim = claimed
    if there:
        write(root.path + there, b"x")
    work = make_work(claim)

    def rename(old, new):
        # type: (bytes, bytes) -> None
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(EnvironmentError) as caught:
        root.publish(work, claim)
    assert caught.value.errno == number


def below(monkeypatch, path):
    # type: (Any, bytes) -> None
    """Let a directory be of a lower layer of an overlay, in which no directory can be renamed."""
    real = os.rename

    def rename(old, new):
        # type: (bytes, bytes) -> None
        if old == path:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(old, new)

    monkeypatch.setattr(os, "rename", rename)


@pytest.mark.parametrize("damage", [b"/activate.sh", b"/start"])
def test_a_damaged_root_in_a_layer_below(place, claimed, monkeypatch, damage):
    # type: (bytes, Tuple[Root, Claim], Any, bytes) -> None
    root, claim = claimed
    make_ready(root.store)
    os.unlink(root.path + damage)
    below(monkeypatch, root.path)
    root.clear(claim)
    assert root.publish(make_work(claim), claim)
    claim.release()
    assert os.listdir(place) == [NAME]
    assert os.listdir(root.path) == [b"prefix"]


def test_a_half_root_of_another_user_in_a_layer_below_ends_it(claimed, monkeypatch):
    # type: (Tuple[Root, Claim], Any) -> None
    """Its files cannot be removed, and the next try would not be the last."""
    root, claim = claimed
    write(root.path + b"/prefix/half", b"x")
    below(monkeypatch, root.path)
    tries = [1]
    monkeypatch.setattr(leftovers, "remove_in_place", lambda path: tries.pop())
    with pytest.raises(EnvironmentError, match="Invalid cross-device link"):
        root.publish(make_work(claim), claim)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="processes can be seen by proc(5) alone")
def test_a_damaged_root_in_a_layer_below_that_is_in_use(claimed, monkeypatch):
    # type: (Tuple[Root, Claim], Any) -> None
    root, claim = claimed
    make_ready(root.store)
    write(root.path + b"/activate.sh", b"")
    below(monkeypatch, root.path)
    work = make_work(claim)
    with open(root.start, "rb"):
        with pytest.raises(StoreUnusable, match="in use there, and in a layer"):
            root.publish(work, claim)
    assert os.path.exists(root.start)


@pytest.mark.parametrize("published", [False, True])
def test_withdraw(place, claimed, published):
    # type: (bytes, Tuple[Root, Claim], bool) -> None
    root, claim = claimed
    work = make_work(claim)
    directory = Directory(work)
    assert not published or root.publish(work, claim)
    root.withdraw(work, directory, claim)
    claim.release()
    assert os.listdir(place) == []


def test_withdraw_leaves_the_root_of_another_and_one_that_is_ready(place, claimed):
    # type: (bytes, Tuple[Root, Claim]) -> None
    root, claim = claimed
    work = make_work(claim)
    directory = Directory(work)
    write(root.path + b"/prefix/file", b"another's")
    root.withdraw(work, directory, claim)
    assert os.path.exists(root.path + b"/prefix/file")
    own = Directory(root.path)
    make_ready(root.store)
    root.withdraw(work, own, claim)
    assert root.ready()
