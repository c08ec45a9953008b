"""Roots share files of packages: linked if nothing was changed, written otherwise."""

import errno
import fcntl
import os
import stat
import time
from contextlib import closing

import pytest
from coex_bootstrap.base import workers
from coex_bootstrap.base.trace import Trace
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.start.new_root import obtain
from coex_bootstrap.store.store import Store
from coex_bootstrap.unpack import clone, link_frames
from coex_bootstrap.unpack.link_frames import FrameLinker
from coex_bootstrap.unpack.neighbours import FRAME_LIST, MARK_SIZE, Neighbours

from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, read, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Sequence

    from coex_bootstrap.format.index_write import IndexDraft

    Started = Callable[..., bytes]

SCRIPT = b"#!/bin/sh\nexit 0\n"
TEXT = b"x=" + PLACEHOLDER + b"\n"
PACKAGE = [SCRIPT + b"plain" + TEXT, b"second"]
FRACTION = 1000000000123456789
CLONE, NONE = clone.REQUEST, 0  # no file system has the request 0


def package_rows():
    # type: () -> List[Any]
    start = len(SCRIPT)
    return [
        file_row(b"prefix/bin/demo", 0, 0, start, mode=0o755, mtime_ns=FRACTION),
        file_row(b"prefix/lib/plain", 0, start, 5, mode=0o444, mtime_ns=-5 * 10**9),
        file_row(b"prefix/lib/text", 0, start + 5, len(TEXT), b"t:0:0=2"),
        file_row(b"prefix/lib/empty", 0, 0, 0),
        file_row(b"prefix/lib/second", 1, 0, 6, mode=0o4755),
    ]


def package(app=b"app", packaged=(0, 1)):
    # type: (bytes, Sequence[int]) -> Any
    """Return the index and the contents of an archive of one package and an app."""
    index = make_index(package_rows() + [file_row(b"app/main", 2, 0, len(app))])
    index.package_frames = packaged
    return index, PACKAGE + [app]


@pytest.fixture(params=["forked", "one core"])
def started(request, place, environ, monkeypatch):
    # type: (Any, bytes, Dict[bytes, bytes], Any) -> Started
    """Return a function that makes the root of an archive in one store, and returns it."""
    monkeypatch.setattr(workers, "usable_cores", lambda: 1 if request.param == "one core" else 3)
    monkeypatch.setattr(clone, "REQUEST", NONE)

    def run(index, contents, **fields):
        # type: (IndexDraft, Sequence[bytes], **Any) -> bytes
        write_archive(place + b"/a.coex", index, contents, **fields)
        store = Store(place + b"/store", explicit=True)
        with closing(Archive(place + b"/a.coex")) as archive:
            assert store.refusal(archive.manifest) is None
            root = store.root(archive.manifest)
            obtain(archive, root, environ, Trace({}))
        assert root.ready()
        assert read(root.path + b"/prefix/bin/demo") == SCRIPT
        assert read(root.path + b"/prefix/lib/text") == b"x=" + root.path + b"/prefix\n"
        return bytes(root.path)

    return run


def shared(first, second):
    # type: (bytes, bytes) -> List[bytes]
    """Return the paths that two roots have as one file each."""
    found = []
    for directory, _, names in os.walk(second):
        for path in [directory[len(second) + 1 :] + b"/" + name for name in names]:
            if os.path.lexists(first + b"/" + path) and os.path.samefile(first + b"/" + path, second + b"/" + path):
                found.append(path)
    return sorted(found)


def states(root):
    # type: (bytes) -> List[Any]
    """Return mode, time and content of the package's plain files."""
    found = []
    for row in package_rows():
        path = root + b"/" + row.path
        state = os.lstat(path)
        if row.relocation == b"-":
            found.append((row.path, stat.S_IMODE(state.st_mode), state.st_mtime, read(path)))
    return found


PLAIN = [b"prefix/bin/demo", b"prefix/lib/empty", b"prefix/lib/plain", b"prefix/lib/second"]


def test_second_archive_links(started):
    # type: (Started) -> None
    first, second = started(*package()), started(*package(b"other"))
    assert first != second
    assert shared(first, second) == PLAIN
    assert states(first) == states(second)
    third = started(*package(b"third"))  # a source of links is a neighbour like any other
    assert shared(second, third) == PLAIN


def test_list(started):
    # type: (Started) -> None
    first, second = started(*package()), started(*package(b"other", packaged=(1,)))
    marks = read(first + b"/" + FRAME_LIST)
    assert len(marks) == 2 * MARK_SIZE
    assert read(second + b"/" + FRAME_LIST) == marks[MARK_SIZE:]
    assert shared(first, second) == [b"prefix/lib/second"]


@pytest.mark.parametrize("what", ["path", "mode", "time", "offset", "content"])
def test_files_that_differ_are_written(started, what):
    # type: (Started, str) -> None
    first = started(*package())
    index, contents = package(b"other")
    row = 1 if what == "offset" else 4
    files = index.files
    if what == "path":
        files[row] = files[row]._replace(path=b"prefix/lib/third")
    elif what == "mode":
        files[row] = files[row]._replace(mode=0o755)
    elif what == "time":
        files[row] = files[row]._replace(mtime_ns=1000000001 * 10**9)
    elif what == "offset":
        files[row] = files[row]._replace(offset=files[row].offset - 1)
    elif what == "content":
        contents[1] = b"SECOND"
    second = started(index, contents)
    assert shared(first, second) == [path for path in PLAIN if (path == b"prefix/lib/second") != (row == 4)]


def test_a_file_that_was_not_used_for_long_counts_as_used(started):
    # type: (Started) -> None
    first = started(*package())
    before = states(first)
    for path in PLAIN:
        os.utime(first + b"/" + path, (5, os.stat(first + b"/" + path).st_mtime))
    second = started(*package(b"other"))
    assert shared(first, second) == PLAIN
    assert min(os.stat(second + b"/" + path).st_atime for path in PLAIN) > time.time() - 3600
    for old, new in zip(before, states(second)):
        assert abs(old[2] - new[2]) < 2e-6
        assert (old[:2], old[3]) == (new[:2], new[3])


@pytest.mark.parametrize("what", ["content", "time", "mode", "gone", "link", "directory"])
def test_changed_files_are_not_taken(started, place, what):
    # type: (Started, bytes, str) -> None
    first = started(*package())
    path = first + b"/prefix/lib/second"
    if what == "content":
        os.chmod(path, 0o644)
        write(path, b"SECOND", 0o4755)
    elif what == "time":
        os.utime(path, (5, 5))
    elif what == "mode":
        os.chmod(path, 0o777)
    else:
        os.unlink(path)
    if what == "link":
        os.symlink(b"../bin/demo", path)
    elif what == "directory":
        os.mkdir(path)
    second = started(*package(b"other"))
    assert shared(first, second) == PLAIN[:-1]
    assert read(second + b"/prefix/lib/second") == b"second"


def test_other_neighbour_is_asked_where_one_was_changed(started):
    # type: (Started) -> None
    first, second = started(*package()), started(*package(b"other"))
    for name in (b"/prefix/lib/second", b"/prefix/lib/plain"):
        os.unlink(first + name)
    third = started(*package(b"third"))
    assert shared(second, third) == PLAIN


@pytest.mark.parametrize("what", ["start", FRAME_LIST])
def test_neighbour_without(started, what):
    # type: (Started, Any) -> None
    first = started(*package())
    os.unlink(first + b"/" + (b"start" if what == "start" else what))
    assert shared(first, started(*package(b"other"))) == []


@pytest.mark.parametrize("how", ["owner", "mode"])
def test_neighbour_that_another_user_may_change(started, how):
    # type: (Started, str) -> None
    first = started(*package())
    if how == "mode":
        os.chmod(first, 0o777)
    elif os.geteuid():
        pytest.skip("only root can give a directory away")
    else:
        os.chown(first, 12345, -1)
    assert shared(first, started(*package(b"other"))) == []


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 100])
def test_damaged_list(started, damage):
    # type: (Started, bytes) -> None
    first = started(*package())
    write(first + b"/" + FRAME_LIST, damage)
    assert shared(first, started(*package(b"other"))) == []


def test_neighbour_is_removed_meanwhile(started, monkeypatch):
    # type: (Started, Any) -> None
    first = started(*package())
    real, calls = os.link, []

    def link_then_remove(source, target):
        # type: (bytes, bytes) -> None
        real(source, target)
        calls.append(source)
        os.rename(first, first + b".gone-1-1-1-1")

    monkeypatch.setattr(os, "link", link_then_remove)
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)
    second = started(*package(b"other"))
    assert len(calls) == 1
    assert all(os.lstat(second + b"/" + path).st_nlink == 1 for path in PLAIN)


@pytest.mark.parametrize("error", [errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOSPC])
def test_link_fails(started, monkeypatch, error):
    # type: (Started, Any, int) -> None
    first = started(*package())

    def refuse(source, target):
        # type: (bytes, bytes) -> None
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", refuse)
    second = started(*package(b"other"))
    assert (shared(first, second), states(second)) == ([], states(first))


@pytest.mark.parametrize("value", [b"", b"0", b"1"])
def test_copies_on_request(started, environ, value):
    # type: (Started, Dict[bytes, bytes], bytes) -> None
    environ[b"COEX_COPY"] = value
    first, second = started(*package()), started(*package(b"other"))
    assert shared(first, second) == ([] if value == b"1" else PLAIN)


def test_scripts_get_files_of_their_own(started, monkeypatch):
    # type: (Started, Any) -> None
    index, contents = package()
    first = started(index, contents)
    index, contents = package(b"other")
    index.files.append(file_row(b"prefix/bin/.demo-post-link.sh", 3, 0, 7))
    scripts = [{"name": "demo", "version": "1", "build_number": 0}]
    second = started(index, contents + [b"exit 0\n"], post_link=scripts)
    assert shared(first, second) == []
    third = started(*package(b"third"))
    assert shared(first, third) + shared(second, third) == PLAIN


def copy_for_clone(new, request, stream):
    # type: (int, int, int) -> int
    """Do the work of ioctl_ficlone(2), on a file system that cannot."""
    assert request == CLONE
    data = os.read(stream, 1 << 20)
    os.write(new, data)
    return 0


@pytest.mark.parametrize("scripts", [False, True])
def test_clones(started, monkeypatch, scripts):
    # type: (Started, Any, bool) -> None
    monkeypatch.setattr(link_frames.sys, "platform", "linux")
    monkeypatch.setattr(clone, "REQUEST", CLONE)
    monkeypatch.setattr(fcntl, "ioctl", copy_for_clone)
    first = started(*package())
    index, contents = package(b"other")
    fields = {}  # type: Dict[str, Any]
    if scripts:
        index.files.append(file_row(b"prefix/bin/.demo-post-link.sh", 3, 0, 7))
        contents = contents + [b"exit 0\n"]
        fields = {"post_link": [{"name": "demo", "version": "1", "build_number": 0}]}
    taken, real = [], FrameLinker.link

    def keep(*words):
        # type: (*Any) -> Any
        taken.append(real(*words))
        return taken[-1]

    monkeypatch.setattr(FrameLinker, "link", keep)
    second = started(index, contents, **fields)
    assert taken == [set([0, 1])]
    assert (shared(first, second), states(second)) == ([], states(first))


def test_clone_of_a_changed_file(started, monkeypatch):
    # type: (Started, Any) -> None
    monkeypatch.setattr(link_frames.sys, "platform", "linux")
    monkeypatch.setattr(clone, "REQUEST", CLONE)
    monkeypatch.setattr(fcntl, "ioctl", copy_for_clone)
    first = started(*package())
    os.utime(first + b"/prefix/lib/second", (5, 5))
    second = started(*package(b"other"))
    assert states(second)[:-1] == states(first)[:-1] and states(second)[-1][2] != 5
    assert read(second + b"/prefix/lib/second") == b"second"


def test_clones_on_this_file_system(started, place, monkeypatch):
    # type: (Started, bytes, Any) -> None
    with open(write(place + b"/from", b"x"), "rb") as old, open(place + b"/to", "wb") as new:
        try:
            fcntl.ioctl(new.fileno(), CLONE, old.fileno())
        except EnvironmentError as error:
            pytest.skip("this file system cannot clone: %s" % error.strerror)
    monkeypatch.setattr(clone, "REQUEST", CLONE)
    first = started(*package())
    taken, real = [], FrameLinker.link
    monkeypatch.setattr(FrameLinker, "link", lambda *words: taken.append(real(*words)) or taken[-1])
    second = started(*package(b"other"))
    assert taken == [set([0, 1])]
    assert (shared(first, second), states(second)) == ([], states(first))


def large_index(app):
    # type: (bytes) -> Any
    size = 3 * 1000
    index = make_index(package_rows() + [
        file_row(b"prefix/lib/large", 2, 0, size, mtime_ns=FRACTION), file_row(b"prefix/lib/equal", 2, 0, size, mode=0o755),
        file_row(b"app/main", 5, 0, len(app)),
    ])
    index.package_frames = (0, 1, 2, 3, 4)
    return index, PACKAGE + [b"a" * 1000, b"b" * 1000, b"c" * 1000, app]


def test_large_file(started):
    # type: (Started) -> None
    first, second = started(*large_index(b"a")), started(*large_index(b"b"))
    assert shared(first, second) == sorted(PLAIN + [b"prefix/lib/equal", b"prefix/lib/large"])
    index, contents = large_index(b"c")
    contents[3] = b"B" * 1000
    third = started(index, contents)
    assert shared(first, third) == PLAIN
    for name in (b"large", b"equal"):
        assert read(third + b"/prefix/lib/" + name) == b"a" * 1000 + b"B" * 1000 + b"c" * 1000


def test_room(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """Linked files need no room; without neighbours all files need room."""
    index, contents = package()
    write_archive(place + b"/a.coex", index, contents)
    with closing(Archive(place + b"/a.coex")) as archive:
        os.mkdir(place + b"/store")
        neighbours = Neighbours(archive, place + b"/store/" + archive.manifest.root_name, environ)
        assert neighbours.saved() == (0, 0)
        neighbours.holders = dict((mark, [b"/somewhere"]) for mark in neighbours.marks.values())
        neighbours.held = sorted(neighbours.marks)
        assert neighbours.saved() == (4, len(SCRIPT) + 5 + 6)
        manifest = archive.manifest
        volume = os.statvfs(place)
        free = volume.f_bavail * volume.f_frsize
        manifest.fields["unpacked"] = {"files": 6, "bytes": free + (100 << 20)}
        store = Store(place, explicit=True)
        assert store.lack(manifest) is not None
        assert store.lack(manifest, (4, 200 << 20)) is None
