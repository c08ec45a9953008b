"""The Python that the prelude unpacked: a store gets it once, whole; a copy that cannot be kept is removed."""

import errno
import os
import subprocess
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.store.identity import this_host
from coex_bootstrap.store.store import Store
from coex_bootstrap.store.unpacked_python import UnpackedPython, follow, sweep, unpacked_python

from unit.coex_bootstrap.building import dead_process, read, write
from unit.coex_bootstrap.other_users import give_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ID = b"0123456789abcdef01234567"
FILES = (b"/bin/python", b"/lib/os.py", b"/try")


@pytest.fixture
def store(place):
    # type: (bytes) -> Store
    os.mkdir(place + b"/store", 0o700)
    return Store(place + b"/store")


def unpacked(place, monkeypatch, number=b"1"):
    # type: (bytes, Any, bytes) -> UnpackedPython
    """Return a Python that this process seems to run on, in a directory of its own."""
    path = place + b"/" + ID + b".python-" + this_host() + b"-%d-0-" % os.getpid() + number
    for name in FILES:
        write(path + name, name)
    os.chmod(path, 0o700)
    monkeypatch.setattr("coex_bootstrap.store.unpacked_python.unpacked_python", lambda: path)
    return UnpackedPython()


def test_kept(place, store, monkeypatch):
    # type: (bytes, Store, Any) -> None
    python = unpacked(place, monkeypatch)
    python.keep(store)
    kept = store.path + b"/python-" + ID
    assert sorted(os.listdir(kept)) == [b"bin", b"coex.json", b"lib", b"used"]
    assert os.stat(kept).st_mode & 0o7777 == 0o755
    assert os.listdir(place) == [b"store"]
    python.end(store)
    python.end()
    assert os.listdir(store.path) == [b"python-" + ID]


def test_of_several_one_is_kept(place, store, monkeypatch):
    # type: (bytes, Store, Any) -> None
    pythons = [unpacked(place, monkeypatch, number) for number in (b"1", b"2", b"3")]
    for python in pythons:
        python.keep(store)
        inode = os.stat(store.path + b"/python-" + ID).st_ino
    assert os.stat(store.path + b"/python-" + ID).st_ino == inode
    assert os.listdir(place) == [b"store"]
    assert os.listdir(store.path) == [b"python-" + ID]


@pytest.mark.parametrize("damage", ["missing", "short", "owner", "mode", "link"])
def test_one_that_is_not_whole_is_replaced(place, store, monkeypatch, damage):
    # type: (bytes, Store, Any, str) -> None
    """It may be in use: a start that cleans up removes it."""
    unpacked(place, monkeypatch, b"1").keep(store)
    kept = store.path + b"/python-" + ID
    if damage == "missing":
        os.unlink(kept + FILES[1])
    elif damage == "short":
        write(kept + FILES[1], b"")
    else:
        give_away(kept, damage)
    unpacked(place, monkeypatch, b"2").keep(store)
    assert read(kept + FILES[1]) == FILES[1]
    assert not os.path.islink(kept)
    assert os.stat(kept).st_uid == os.geteuid()
    assert [name for name in os.listdir(store.path) if not name.startswith((b"python-", b"aside", ID + b".gone-"))] == []


def test_on_another_file_system(place, store, monkeypatch):
    # type: (bytes, Store, Any) -> None
    """The store gets a copy, last of all; the Python that ran is removed."""
    python = unpacked(place, monkeypatch)
    rename = os.rename

    def refuse(old, new, **rest):
        # type: (bytes, bytes, **Any) -> None
        if old.startswith(place + b"/" + ID) and new.startswith(store.path):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new, **rest)

    monkeypatch.setattr(os, "rename", refuse)
    python.keep(store)
    assert (os.listdir(store.path), len(os.listdir(place))) == ([], 2)
    python.end(store)
    assert os.listdir(place) == [b"store"]
    assert os.listdir(store.path) == [b"python-" + ID]
    assert sorted(os.listdir(store.path + b"/python-" + ID)) == [b"bin", b"coex.json", b"lib", b"used"]


@pytest.mark.parametrize("mode", [0o500, 0o777])
def test_store_that_cannot_have_it(place, store, monkeypatch, mode):
    # type: (bytes, Store, Any, int) -> None
    if mode == 0o500:
        monkeypatch.setattr(os, "access", lambda path, mode: path != store.path)
    os.chmod(store.path, mode)
    python = unpacked(place, monkeypatch)
    python.keep(store)
    python.end(store)
    os.chmod(store.path, 0o700)
    assert (os.listdir(place), os.listdir(store.path)) == ([b"store"], [])


def test_leftovers(place):
    # type: (bytes) -> None
    """Files that other starts are unpacking stay, and files of other users."""
    names = [ID + b".python-" + identity + b"-0" for identity in (dead_process(), this_host() + b"-%d-0" % os.getpid())]
    names += [b"other", ID + b".python-0123456789abcdef-1-0-0"]
    for name in names:
        write(place + b"/" + name + b"/bin/python", b"")
    sweep(place)
    assert sorted(os.listdir(place)) == sorted(names[1:])
    sweep(place + b"/nothing")


def test_another_python():
    # type: () -> None
    """Only the directory of this very Python is meant, by the name that the prelude gives."""
    assert unpacked_python() is None
    if sys.version_info < (3, 6):
        return
    code = "import sys; from coex_bootstrap.store.unpacked_python import unpacked_python; print(unpacked_python())"
    for words in (["-X", "coex"], ["-X", "coex=/"], ["-X", "coex=" + sys.prefix]):
        assert subprocess.check_output([sys.executable] + words + ["-c", code]).strip() == b"None"


def test_follow(monkeypatch):
    # type: (Any) -> None
    """Modules that are imported after the rename come from the new place."""
    module = type(sys)("pkg")
    module.__path__ = ["/old/lib/pkg", "/older"]
    monkeypatch.setitem(sys.modules, "pkg", module)
    monkeypatch.setattr(sys, "path", ["/old", "/old/lib", "/older/lib", "old"])
    monkeypatch.setattr(sys, "prefix", "/old")
    monkeypatch.setattr(sys, "executable", "/old/bin/python")
    follow(b"/old", b"/new")
    assert sys.path == ["/new", "/new/lib", "/older/lib", "old"]
    assert (sys.prefix, sys.executable, module.__path__) == ("/new", "/new/bin/python", ["/new/lib/pkg", "/older"])
    assert compat.path_bytes(sys.executable) == b"/new/bin/python"
