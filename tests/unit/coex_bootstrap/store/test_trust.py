"""Users who can change the target of a path: owners and modes of every directory and link on the way."""

import errno
import grp
import os
import pwd
import struct

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.store import trust
from coex_bootstrap.store.trust import distrust, leads_safely, way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

ME = os.geteuid()
OTHER = 12345


def refused(path, named=False):
    # type: (bytes, bool) -> str
    """Return which directory is the reason, below the test's own; `here` for the place itself, empty for none."""
    why = distrust(path, named)
    if why is None:
        return ""
    return os.path.basename(why.split(", which leads there, is ")[0]) if ", which leads there" in why else "here"


@pytest.fixture
def tree(place):
    # type: (bytes) -> bytes
    """Return a directory a/b/c, and links to it: l -> a, m -> a/b."""
    os.makedirs(place + b"/a/b/c")
    for name in (b"/a", b"/a/b", b"/a/b/c"):
        os.chmod(place + name, 0o755)
    os.symlink(b"a", place + b"/l")
    os.symlink(place + b"/a/b", place + b"/m")
    return place


def test_way(tree):
    # type: (bytes) -> None
    real = os.path.realpath(tree)
    found = [step for step in way(real + b"//l/./b/../b/c/none/x") if step.path.startswith(real + b"/")]
    names = [step.path[len(real) + 1 :] for step in found]
    assert names == [b"l", b"a", b"a/b", b"a", b"a/b", b"a/b/c"]
    assert [step.left for step in found] == [6, 6, 5, 4, 3, 2]
    assert [step.is_link for step in found] == [True] + [False] * 5
    assert [step.path for step in way(b"/")] == [b"/"]
    last = list(way(real + b"/m"))
    assert [step.path for step in last if step.is_last] == [real + b"/a/b"]
    assert [step.path for step in last].count(b"/") == 2  # the absolute target of a link begins at /


def test_way_through_a_loop(place):
    # type: (bytes) -> None
    os.symlink(b"two", place + b"/one")
    os.symlink(b"one", place + b"/two")
    with pytest.raises(OSError) as caught:
        list(way(place + b"/one"))
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o772])
@pytest.mark.parametrize("path", [b"/a/b/c", b"/l/b/c", b"/m/c"])
def test_every_directory_on_the_way_counts(tree, path, mode):
    # type: (bytes, bytes, int) -> None
    assert refused(tree + path) == refused(tree + path, named=True) == ""
    for name in ("c", "b", "a"):
        directory = tree + b"/a/b/c".partition(compat.utf8(name))[0] + compat.utf8(name)
        os.chmod(directory, mode)
        assert refused(tree + path) == refused(tree + path, named=True) == (name if name != "c" else "here")
        os.chmod(directory, mode | 0o1000)
        assert refused(tree + path) == refused(tree + path, named=True) == ("" if name != "c" else "here")
        os.chmod(directory, 0o755)


@pytest.mark.parametrize("path", [b"/a/b/c", b"/l/b/c", b"/m/c"])
def test_groups(tree, monkeypatch, path):
    # type: (bytes, Any, bytes) -> None
    """If a place was named, only the place and its directory may not belong to a group."""
    monkeypatch.setattr(trust.Step, "_is_private", lambda step: False)
    for name, both in (("a", False), ("b", True), ("c", True)):
        directory = tree + b"/a/b/c".partition(compat.utf8(name))[0] + compat.utf8(name)
        os.chmod(directory, 0o775)
        assert refused(tree + path) == (name if name != "c" else "here")
        assert refused(tree + path, named=True) == ((name if name != "c" else "here") if both else "")
        os.chmod(directory, 0o755)


def test_the_directory_of_a_link_counts_as_that_of_its_place(tree, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(trust.Step, "_is_private", lambda step: False)
    os.chmod(tree, 0o775)
    assert refused(tree + b"/m", named=True) == os.path.basename(compat.native(tree))
    os.chmod(tree, 0o755)
    os.chmod(tree + b"/a", 0o775)
    assert refused(tree + b"/m", named=True) == "a"


@pytest.mark.parametrize("path", [b"/a/b/c", b"/l/b/c", b"/m/c"])
def test_owners(tree, path):
    # type: (bytes, bytes) -> None
    """A named place may belong to anybody, and so may the directories that lead there."""
    if ME:
        pytest.skip("only root can give a directory away")
    for name in (b"/a", b"/a/b", b"/a/b/c"):
        os.chown(tree + name, OTHER, -1)
        found = os.path.basename(name).decode("ascii")
        assert refused(tree + path) == ("here" if found == "c" else found)
        assert refused(tree + path, named=True) == ""
        os.chown(tree + name, ME, -1)


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_owner_of_a_link(tree, mode):
    # type: (bytes, int) -> None
    """Anybody may put a link into a sticky directory, and have it lead elsewhere later."""
    if ME:
        pytest.skip("only root can give a link away")
    os.lchown(tree + b"/m", OTHER, -1)
    os.chmod(tree, mode)
    assert refused(tree + b"/m/c") == "m"
    assert refused(tree + b"/m/c", named=True) == ("m" if mode == 0o1777 else "")
    os.chown(tree + b"/a/b/c", OTHER, -1)  # of the owner of the place, whom the caller has named
    assert refused(tree + b"/m/c", named=True) == ""


def set_groups(monkeypatch, name, gid, members, user="me", own=None):
    # type: (Any, str, int, List[str], str, Optional[int]) -> None
    group = grp.struct_group((name, "x", gid, members))
    monkeypatch.setattr(grp, "getgrgid", lambda number: group)
    entry = pwd.struct_passwd((user, "x", ME, gid if own is None else own, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda number: entry)


@pytest.mark.parametrize(
    ("name", "members", "own", "private"),
    [
        ("me", [], None, True),
        ("me", ["me"], None, True),
        ("me", ["me", "you"], None, False),
        ("me", ["you"], None, False),
        ("users", [], None, False),
        ("me", [], 99999, False),
    ],
)
def test_private_group(tree, monkeypatch, name, members, own, private):
    # type: (bytes, Any, str, List[str], Optional[int], bool) -> None
    set_groups(monkeypatch, name, os.stat(tree + b"/a/b").st_gid, members, own=own)
    for directory in (b"/a/b", b"/a/b/c"):
        os.chmod(tree + directory, 0o775)
        expected = "" if private else os.path.basename(directory).decode("ascii")
        assert refused(tree + b"/a/b/c") == refused(tree + b"/a/b/c", named=True) == expected.replace("c", "here")
        os.chmod(tree + directory, 0o755)


def test_users_and_groups_without_a_name(tree, monkeypatch):
    # type: (bytes, Any) -> None
    def unknown(number):
        # type: (int) -> None
        raise KeyError(number)

    os.chmod(tree + b"/a/b", 0o775)
    for module, name in ((pwd, "getpwuid"), (grp, "getgrgid")):
        set_groups(monkeypatch, "me", os.stat(tree + b"/a/b").st_gid, [])
        assert refused(tree + b"/a/b/c") == ""
        monkeypatch.setattr(module, name, unknown)
        assert refused(tree + b"/a/b/c") == "b"


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="this Python sets no access list")
def test_an_access_list_behind_a_private_group(tree, monkeypatch):
    # type: (bytes, Any) -> None
    """Its other users may write, and the mode shows that as the group's."""
    entries = ((0x01, 7, -1), (0x02, 7, OTHER), (0x04, 0, -1), (0x10, 7, -1), (0x20, 5, -1))
    words = b"".join(struct.pack("<HHI", tag, mode, identity & 0xFFFFFFFF) for tag, mode, identity in entries)
    try:
        os.setxattr(tree + b"/a/b", trust.ACCESS_LIST, struct.pack("<I", 2) + words)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        pytest.skip("this file system has no access lists")
    assert os.stat(tree + b"/a/b").st_mode & 0o777 == 0o775
    set_groups(monkeypatch, "me", os.stat(tree + b"/a/b").st_gid, [])
    assert refused(tree + b"/a/b/c") == "b"


def test_a_user_without_a_number_counts_as_root(tree, monkeypatch):
    # type: (bytes, Any) -> None
    """So are the host's directories seen in most containers; but not the place itself."""
    if ME:
        pytest.skip("only root can give a directory away")
    monkeypatch.setattr(trust, "is_unmapped", lambda owner: owner == OTHER)
    os.chown(tree + b"/a", OTHER, -1)
    assert refused(tree + b"/a/b/c") == ""
    os.chmod(tree, 0o1777)  # where anybody may have made it
    assert refused(tree + b"/a/b/c") == "a"
    os.chown(tree + b"/a", ME, -1)
    assert refused(tree + b"/a/b/c") == ""
    monkeypatch.setattr(trust, "is_unmapped", lambda owner: owner == ME)
    assert refused(tree + b"/a/b/c") != ""  # also if this user has no number
    os.chmod(tree, 0o755)
    monkeypatch.setattr(trust, "is_unmapped", lambda owner: owner == OTHER)
    os.chmod(tree + b"/a", 0o777)
    assert refused(tree + b"/a/b/c") == "a"
    os.chown(tree + b"/a/b/c", OTHER, -1)
    os.chmod(tree + b"/a", 0o755)
    assert refused(tree + b"/a/b/c") == "here"


def test_leads_safely(tree):
    # type: (bytes) -> None
    assert leads_safely(tree)
    assert not leads_safely(tree + b"/none")
    os.chmod(tree, 0o1777)
    assert leads_safely(tree)
    os.chmod(tree, 0o777)
    assert not leads_safely(tree)
