"""A store on a server that fails: each call of a first start there fails once, or from then on, and the start goes on."""

import errno
import os
import shutil
import time
from contextlib import closing

import pytest
from coex_bootstrap.base import compat, workers
from coex_bootstrap.base.errors import CoexError
from coex_bootstrap.base.trace import Trace
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.index import Link
from coex_bootstrap.start.run import make_ready, ready_root
from coex_bootstrap.store.identity import this_host
from coex_bootstrap.store.directory import Directory
from coex_bootstrap.store.store import TAG, Store

from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, read, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Tuple

try:
    import builtins
except ImportError:  # 2.7
    import __builtin__ as builtins  # type: ignore[import-not-found,no-redef,unused-ignore]

CALLS = (
    "chmod", "link", "listdir", "lstat", "mkdir", "open", "readlink", "rename", "rmdir", "stat", "statvfs", "symlink", "unlink",
    "utime",
)
OF_DESCRIPTORS = ("fchmod", "fstat", "write")
CHANGES = ("link", "mkdir", "rename", "rmdir", "symlink", "unlink")  # which a server may do, and lose its answer
ERRORS = [errno.ESTALE, errno.EIO, errno.ENOENT]
HANG = 30  # seconds of waiting
MANY = 10000  # calls of one start
EACH = [errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT, errno.ESTALE, errno.EIO, errno.EPERM, errno.EACCES, errno.EBUSY, errno.EXDEV]
ENDED = this_host() + b"-1-1-00"
SCRIPT = b"#!/bin/sh\n" + PLACEHOLDER + b"\n"


class Server(object):
    """Makes one call on paths below a store fail, the one of a number; `lasting`: and all after it. `done`: after it was done."""

    def __init__(self, store, monkeypatch):
        # type: (bytes, Any) -> None
        self.store, self.error, self.at = store, 0, -1
        self.is_done = self.is_lasting = False
        self.kind = ""
        self.calls = []  # type: List[str]
        self.slept = 0.0
        self._names = os.readlink
        for name in CALLS + OF_DESCRIPTORS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        monkeypatch.setattr(builtins, "open", self._wrapped("open", open))
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds):
        # type: (float) -> None
        self.slept += seconds
        assert self.slept < HANG, "it waits for nobody"

    def _wrapped(self, name, real):
        # type: (str, Any) -> Any
        def call(*arguments, **words):
            # type: (*Any, **Any) -> Any
            if not any(self._is_there(each, words) for each in arguments[:2]):
                return real(*arguments, **words)
            number = len(self.calls)
            self.calls.append("%s %r" % (name, arguments[:2]))
            assert number < MANY, "it never ends"
            if number == self.at or name == self.kind or self.is_lasting and 0 <= self.at < number:
                if self.is_done and name in CHANGES:
                    real(*arguments, **words)
                raise OSError(self.error, os.strerror(self.error))
            return real(*arguments, **words)

        return call

    def _is_there(self, argument, words):
        # type: (Any, Any) -> bool
        """Return whether an argument of a function of `os` is something in the store."""
        if isinstance(argument, int) and not isinstance(argument, bool) and argument > 2:
            return self._path_of(argument).startswith(self.store)
        if not isinstance(argument, (bytes, type(u""))):
            return False
        path = compat.path_bytes(argument)
        for at in ("dir_fd", "src_dir_fd", "dst_dir_fd"):
            if words.get(at) is not None:
                return self._path_of(words[at]).startswith(self.store)
        return path.startswith(self.store)

    def _path_of(self, descriptor):
        # type: (int) -> bytes
        try:
            return compat.path_bytes(self._names("/proc/self/fd/%d" % descriptor))
        except EnvironmentError:
            return b""

    def begin(self, at=-1, error=0, is_done=False, is_lasting=False, kind=""):
        # type: (int, int, bool, bool, str) -> None
        """Count calls from now on; `kind`: all calls of this name fail."""
        self.calls[:] = []
        self.slept, self.kind = 0.0, kind
        self.at, self.error, self.is_done, self.is_lasting = at, error, is_done, is_lasting


@pytest.fixture
def archives(place, monkeypatch):
    # type: (bytes, Any) -> Iterator[Tuple[Archive, Archive]]
    """Return two archives that share a package: a file of it is plain, and one is relocated."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system has no /proc/self/fd, which says whose a descriptor is")
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)
    monkeypatch.setattr("coex_bootstrap.unpack.clone.REQUEST", 0)
    opened = []
    for name in (b"one", b"two"):
        index = make_index(
            [
                file_row(b"prefix/bin/demo", 0, 0, len(SCRIPT), b"t:0:0=10", mode=0o755),
                file_row(b"prefix/lib/plain", 1, 0, 5), file_row(b"app/name", 2, 0, 3),
            ],
            links=[Link(b"prefix/lib/link", b"plain")],
        )
        index.package_frames = (0, 1)
        write_archive(place + b"/" + name, index, [SCRIPT, b"plain", name])
        opened.append(Archive(place + b"/" + name))
    opened[0].index, opened[1].index  # read at the first use
    with closing(opened[0]), closing(opened[1]):
        yield opened[0], opened[1]


@pytest.fixture
def server(place, monkeypatch):
    # type: (bytes, Any) -> Server
    return Server(place + b"/store", monkeypatch)


def again(server, first):
    # type: (Server, Archive) -> Store
    """Return a store that has the root of one archive, and a leftover."""
    server.begin()
    store = Store(server.store, explicit=True)
    kept = make_ready([store], first, {}, Trace({})).path
    for name in os.listdir(store.path):
        if name != TAG and not kept.endswith(name):
            shutil.rmtree(compat.native(store.path + b"/" + name))
    os.mkdir(kept + b".work-1-1-1-1")
    return store


def start(places, archive):
    # type: (List[Store], Archive) -> bytes
    """Start an archive as far as Python does, and return its root."""
    root = ready_root(places, archive, {}, Trace({}))
    return root.path


def is_whole(root, name):
    # type: (bytes, bytes) -> bool
    """Return whether a root has all files of its archive."""
    return (
        read(root + b"/app/name") == name and read(root + b"/prefix/lib/link") == b"plain"
        and read(root + b"/prefix/bin/demo") == SCRIPT.replace(PLACEHOLDER, root + b"/prefix")
    )


@pytest.mark.parametrize("is_done", [False, True], ids=["not done", "done"])
def test_each_call_fails_once(server, archives, is_done):
    # type: (Server, Tuple[Archive, Archive], bool) -> None
    """It starts from the store, which is named: there is no other place."""
    store = again(server, archives[0])
    start([store], archives[1])
    calls, failed = list(server.calls), []
    assert len(calls) > 100
    for number, what in enumerate(calls):
        if is_done and what.split(" ")[0] not in CHANGES:
            continue
        store = again(server, archives[0])
        server.begin(number, ERRORS[number % len(ERRORS)], is_done)
        try:
            root = start([store], archives[1])
        except Exception as raised:
            failed.append((number, what, repr(raised)))
            continue
        server.begin()
        if not is_whole(root, b"two") or os.path.lexists(root + b".claim"):
            failed.append((number, what, repr(os.listdir(server.store))))
    assert failed == [], "\n".join(map(repr, failed))


def test_each_call_and_all_after_it_fail(server, archives, place):
    # type: (Server, Tuple[Archive, Archive], bytes) -> None
    """It starts from the next place."""
    store, other = again(server, archives[0]), Store(place + b"/other", explicit=True)
    start([store], archives[1])
    calls, failed = list(server.calls), []
    for number, what in enumerate(calls):
        store = again(server, archives[0])
        server.begin(number, ERRORS[number % len(ERRORS)], is_lasting=True)
        try:
            root = start([store, other], archives[1])
        except Exception as raised:
            failed.append((number, what, repr(raised)))
            continue
        server.begin()
        if not is_whole(root, b"two"):
            failed.append((number, what, repr(root)))
        shutil.rmtree(compat.native(other.path), ignore_errors=True)
    assert failed == [], "\n".join(map(repr, failed))


@pytest.mark.parametrize("left", ["nothing", "half a root", "a claim of a process that has ended"])
@pytest.mark.parametrize("kind", CALLS + OF_DESCRIPTORS)
def test_all_calls_of_one_kind_fail(server, archives, place, kind, left):
    # type: (Server, Tuple[Archive, Archive], bytes, str, str) -> None
    """It starts, from that place or from the next one: no error is waited for, or tried again, for ever."""
    other, failed = Store(place + b"/other", explicit=True), []
    for error in EACH:
        store = again(server, archives[0])
        path = store.root(archives[1].manifest).path
        if left == "half a root":
            os.makedirs(path + b"/prefix")
        elif left != "nothing":
            write(path + b".claim/" + ENDED, b"")
        server.begin(error=error, kind=kind)
        try:
            root = start([store, other], archives[1])
        except Exception as raised:
            failed.append((errno.errorcode[error], repr(raised), server.calls[-6:]))
            server.begin()
        server.begin()
        if not failed and not is_whole(root, b"two"):
            failed.append((errno.errorcode[error], repr(root), []))
        for path in (store.path, other.path):
            shutil.rmtree(compat.native(path), ignore_errors=True)
    assert failed == [], "\n".join(map(repr, failed))


def test_root_that_is_not_found_where_it_was_made(server, archives, place, monkeypatch):
    # type: (Server, Tuple[Archive, Archive], bytes, Any) -> None
    """Some file systems give a directory another number each time. It starts from the next place."""
    made = []  # type: List[bytes]

    def is_at(directory, path):
        # type: (Directory, bytes) -> bool
        made.append(path)
        assert len(made) < 100, "it never ends"
        return not path.startswith(server.store)

    monkeypatch.setattr(Directory, "is_at", is_at)
    store, other = Store(server.store, explicit=True), Store(place + b"/other", explicit=True)
    monkeypatch.setattr("coex_bootstrap.store.store.Root.ready", lambda root: False)
    assert start([store, other], archives[1]).startswith(other.path)


def test_no_other_place(server, archives):
    # type: (Server, Tuple[Archive, Archive]) -> None
    store = again(server, archives[0])
    server.begin(0, errno.EIO, is_lasting=True)
    with pytest.raises(CoexError) as caught:
        start([store], archives[1])
    assert str(caught.value).startswith("no place to unpack: " + compat.native(store.path) + ": ")
