"""Clones on macOS: a function of its C library, here one of a library that does the same with the same arguments."""

import errno
import os
import stat
import sys
from contextlib import closing

import pytest
from coex_bootstrap.base import workers
from coex_bootstrap.base.trace import Trace
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.start.new_root import obtain
from coex_bootstrap.store.store import Store
from coex_bootstrap.unpack import clone

from unit.coex_bootstrap.building import file_row, make_index, read, write, write_archive
from unit.coex_bootstrap.c_library import compile_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

# The prototype and the constants are those of sys/clonefile.h. It counts its calls in the file that $CALLS names.
LIBRARY = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int statfs(const char *path, void *state) { return -1; }
int fclonefileat(int source, int directory, const char *target, uint32_t flags) {
    const char *refused = getenv("REFUSED");
    struct stat state;
    char piece[4096];
    ssize_t size;
    off_t at = 0;
    int calls = open(getenv("CALLS"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    write(calls, "x", 1);
    close(calls);
    if (directory != -2 || flags != 2) { errno = EBADF; return -1; }
    if (refused) { errno = atoi(refused); return -1; }
    if (fstat(source, &state)) return -1;
    int new = open(target, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (new < 0) return -1;
    while ((size = pread(source, piece, sizeof piece, at)) > 0) { write(new, piece, size); at += size; }
    fchmod(new, state.st_mode & 0777);
    close(new);
    return 0;
}
"""
TIME = 1000000000


@pytest.fixture
def mac(place, monkeypatch):
    # type: (bytes, Any) -> bytes
    """Return the path of the list of calls, for a system that is macOS."""
    import ctypes

    library = compile_library(place, LIBRARY)
    monkeypatch.setattr(clone, "LIBRARY", [])
    monkeypatch.setattr(ctypes, "CDLL", lambda name, real=ctypes.CDLL, **options: real(library, **options))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("CALLS", str((place + b"/calls").decode("ascii")))
    return place + b"/calls"


def made(source, target, mode=0o755):
    # type: (bytes, bytes, int) -> None
    stream = os.open(source, os.O_RDONLY)
    try:
        clone.clone(stream, target, mode, TIME, 0)
    finally:
        os.close(stream)


@pytest.mark.parametrize("mode", [0o755, 0o444, 0o4755])
def test_clone(mac, place, mode):
    # type: (bytes, bytes, int) -> None
    write(place + b"/source", b"content" * 1000, 0o600)
    made(place + b"/source", place + b"/target", mode)
    state = os.stat(place + b"/target")
    assert (stat.S_IMODE(state.st_mode), state.st_mtime) == (mode, TIME)
    assert read(place + b"/target") == b"content" * 1000
    assert read(mac) == b"x"


def test_a_target_that_is_there(mac, place):
    # type: (bytes, bytes) -> None
    write(place + b"/source", b"new")
    write(place + b"/target", b"old")
    with pytest.raises(EnvironmentError) as caught:
        made(place + b"/source", place + b"/target")
    assert caught.value.errno == errno.EEXIST
    assert read(place + b"/target") == b"old"


def test_no_such_function(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(clone, "LIBRARY", [])
    monkeypatch.setattr(sys, "platform", "darwin")
    if clone.load_library() is not None:
        pytest.skip("this system has the function")
    write(place + b"/source", b"content")
    with pytest.raises(EnvironmentError) as caught:
        made(place + b"/source", place + b"/target")
    assert caught.value.errno in clone.UNABLE
    assert not os.path.exists(place + b"/target")


def start(place, environ, app):
    # type: (bytes, Dict[bytes, bytes], bytes) -> bytes
    """Return the root of an archive of two packaged files and an app."""
    rows = [
        file_row(b"prefix/lib/one", 0, 0, 3, mode=0o444), file_row(b"prefix/lib/two", 0, 3, 3, mode=0o755),
        file_row(b"app/main", 1, 0, len(app)),
    ]
    index = make_index(rows)
    index.package_frames = (0,)
    write_archive(place + b"/a.coex", index, [b"onetwo", app])
    with closing(Archive(place + b"/a.coex")) as archive:
        store = Store(place + b"/store", explicit=True)
        assert store.refusal(archive.manifest) is None
        root = store.root(archive.manifest)
        obtain(archive, root, environ, Trace({}))
    return bytes(root.path)


@pytest.mark.parametrize("refused", [None, errno.EXDEV, errno.EOPNOTSUPP, errno.EIO])
def test_roots_share_by_clones(mac, place, environ, monkeypatch, refused):
    # type: (bytes, bytes, Dict[bytes, bytes], Any, Any) -> None
    """If the file system has none, files are hard links; after another error they are written."""
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)
    first = start(place, environ, b"app")
    if refused is not None:
        monkeypatch.setenv("REFUSED", str(refused))
    second = start(place, environ, b"other")
    assert first != second
    same = [os.path.samefile(first + path, second + path) for path in (b"/prefix/lib/one", b"/prefix/lib/two")]
    assert same == [refused in (errno.EXDEV, errno.EOPNOTSUPP)] * 2
    assert (read(second + b"/prefix/lib/one"), read(second + b"/prefix/lib/two")) == (b"one", b"two")
    assert os.stat(second + b"/prefix/lib/one").st_mtime == os.stat(first + b"/prefix/lib/one").st_mtime
    assert stat.S_IMODE(os.stat(second + b"/prefix/lib/two").st_mode) == 0o755
    assert read(mac) == (b"x" if refused else b"xx")
