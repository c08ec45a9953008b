"""Unpacking: modes, times, links, files over several frames, slots of hashes, and every way it can fail."""

import errno
import hashlib
import os
import stat
import time
from contextlib import closing

import pytest
from coex_bootstrap.base import workers
from coex_bootstrap.base.errors import ArchiveDamaged, CoexError, StoreUnusable
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.index import Directory, Link
from coex_bootstrap.store.refused import alike, unusable
from coex_bootstrap.unpack import write_root
from coex_bootstrap.unpack.write_root import unpack

from unit.coex_bootstrap.building import PLACEHOLDER, decode_raw, file_row, make_index, read, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence, Tuple

    from coex_bootstrap.format.index_write import IndexDraft

    Unpacked = Callable[..., bytes]

ROOT = b"/final/place"


@pytest.fixture(params=["forked", "one core", "no fork"])
def unpacked(request, place, monkeypatch):
    # type: (Any, bytes, Any) -> Unpacked
    """Return a function that unpacks an index and its contents, and returns the directory."""
    if request.param == "no fork":
        monkeypatch.delattr(os, "fork")
    monkeypatch.setattr(workers, "usable_cores", lambda: 1 if request.param == "one core" else 3)
    monkeypatch.setattr(write_root, "SMALL", 0)

    def run(index, contents=(), decoder=decode_raw, **fields):
        # type: (IndexDraft, Sequence[bytes], Callable[[bytes, int], bytes], **Any) -> bytes
        write_archive(place + b"/a.coex", index, contents, **fields)
        work = place + b"/work"
        os.mkdir(work)
        with closing(Archive(place + b"/a.coex")) as archive:
            unpack(archive, work, ROOT, decoder)
        return work

    return run


def mode_of(path):
    # type: (bytes) -> int
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("size", [10, write_root.SMALL])
def test_few_files_are_written_by_this_process_alone(place, monkeypatch, size):
    # type: (bytes, Any, int) -> None
    forks = []
    fork = os.fork
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    contents = [b"x" * (size // 2)] * 2
    index = make_index([file_row(b"app/a", frame=0, size=size // 2), file_row(b"app/b", frame=1, size=size // 2)])
    write_archive(place + b"/a.coex", index, contents)
    os.mkdir(place + b"/work")
    with closing(Archive(place + b"/a.coex")) as archive:
        unpack(archive, place + b"/work", place + b"/root", decode_raw)
    assert len(forks) == (2 if size > 10 else 0)
    assert read(place + b"/work/app/b") == contents[1]


def test_contents(unpacked):
    # type: (Unpacked) -> None
    rows = [file_row(("prefix/%d" % n).encode("ascii"), n // 3, n % 3 * 2, 2) for n in range(30)]
    contents = [("%02d%02d%02d" % (n, n + 1, n + 2)).encode("ascii") for n in range(0, 30, 3)]
    work = unpacked(make_index(rows), contents)
    assert [read(work + b"/" + row.path) for row in rows] == [("%02d" % n).encode("ascii") for n in range(30)]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_under_any_umask(unpacked, umask):
    # type: (Unpacked, int) -> None
    if umask == 0o777 and os.geteuid():
        pytest.skip("only root can read the archive that is written under this umask")
    modes = [0o644, 0o755, 0o600, 0o444, 0o664, 0o777, 0o4755, 0o2755, 0o1644, 0o000]
    index = make_index(
        [file_row(("prefix/%o" % mode).encode("ascii"), 0, 0, 1, mode=mode) for mode in modes]
        + [file_row(("prefix/empty%o" % mode).encode("ascii"), mode=mode) for mode in modes],
        directories=[b"prefix/sealed/below", b"prefix/open"],
    )
    index.directories = [
        Directory({b"prefix/sealed": 0o555, b"prefix/open": 0o775}.get(d.path, 0o755), d.path)
        for d in index.directories
    ]
    old = os.umask(umask)
    try:
        work = unpacked(index, [b"x"])
        assert os.umask(umask) == umask
    finally:
        os.umask(old)
    for mode in modes:
        assert "%o" % mode_of(work + ("/prefix/%o" % mode).encode("ascii")) == "%o" % (mode & 0o7755)
        assert "%o" % mode_of(work + ("/prefix/empty%o" % mode).encode("ascii")) == "%o" % (mode & 0o7755)
    found = [mode_of(work + b"/prefix/" + name) for name in (b"sealed", b"open", b"sealed/below")]
    assert found == [0o555, 0o755, 0o755]  # nobody else may write


def test_times(unpacked):
    # type: (Unpacked) -> None
    work = unpacked(
        make_index([
            file_row(b"app/whole", 0, 0, 1, mtime_ns=1234567890 * 10**9),
            file_row(b"app/fine", 0, 0, 1, mtime_ns=1234567890123456000),
            file_row(b"app/empty", mtime_ns=12 * 10**9),
            file_row(b"app/before", 0, 0, 1, mtime_ns=-12 * 10**9),
            file_row(b"app/relocated", 0, 0, 1, b"t:0:", mtime_ns=12 * 10**9),
        ]),
        [b"x"],
    )
    assert os.stat(work + b"/app/whole").st_mtime == 1234567890
    assert abs(os.stat(work + b"/app/fine").st_mtime - 1234567890.123456) < 2e-6
    assert os.stat(work + b"/app/empty").st_mtime == 12
    assert os.stat(work + b"/app/before").st_mtime == -12
    assert os.stat(work + b"/app/relocated").st_mtime > 1500000000
    used = [os.stat(work + b"/app/" + name).st_atime for name in os.listdir(work + b"/app")]
    assert min(used) > time.time() - 3600  # cleaners remove files that were not used for long


def test_relative_paths(place, monkeypatch):
    # type: (bytes, Any) -> None
    """Each worker goes into the root; the paths of the caller are as before."""
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    monkeypatch.setattr(write_root, "SMALL", 0)
    monkeypatch.chdir(place.decode("ascii"))
    contents = [b"1" + PLACEHOLDER, b"2"]
    rows = [file_row(b"app/a", 0, 0, len(contents[0]), b"t:0:0=1"), file_row(b"app/b", 1, 0, 1)]
    write_archive(b"a.coex", make_index(rows), contents)
    os.mkdir(b"work")
    with closing(Archive(b"a.coex")) as archive:
        unpack(archive, b"work", ROOT, decode_raw)
    assert read(b"work/app/a") == b"1" + ROOT + b"/prefix"
    assert read(b"work/app/b") == b"2"
    assert os.path.samefile(b".", place)


def test_short_writes(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)
    rows = [file_row(b"app/a", 0, 0, 10), file_row(b"app/b", 0, 10, 4), file_row(b"app/c", 0, 14, 7, b"t:0:")]
    write_archive(place + b"/a.coex", make_index(rows), [b"0123456789abcdrelated"])
    os.mkdir(place + b"/work")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda stream, content: whole(stream, content[:3]))
    with closing(Archive(place + b"/a.coex")) as archive:
        unpack(archive, place + b"/work", ROOT, decode_raw)
    assert [read(place + b"/work/app/" + name) for name in (b"a", b"b", b"c")] == [b"0123456789", b"abcd", b"related"]


@pytest.mark.parametrize("cores", [1, 3])
def test_a_file_of_another_process(place, monkeypatch, cores):
    # type: (bytes, Any, int) -> None
    monkeypatch.setattr(workers, "usable_cores", lambda: cores)
    monkeypatch.setattr(write_root, "SMALL", 0)
    rows = [file_row(b"app/a", 0, 0, 1), file_row(b"app/b", 1, 0, 1), file_row(b"app/c", 2, 0, 1)]
    write_archive(place + b"/a.coex", make_index(rows), [b"1", b"2", b"3"])
    os.makedirs(place + b"/work/app")
    write(place + b"/work/app/b", b"other")
    with closing(Archive(place + b"/a.coex")) as archive, pytest.raises(StoreUnusable, match="writes there: app/b$"):
        unpack(archive, place + b"/work", ROOT, decode_raw)
    assert read(place + b"/work/app/b") == b"other"


def test_links(unpacked):
    # type: (Unpacked) -> None
    targets = {b"prefix/a": b"missing", b"prefix/b": b"/etc/x y", b"prefix/c": b"../app", b"app/\xff": b"\xfe"}
    work = unpacked(make_index([file_row(b"app/f")], links=[Link(*pair) for pair in sorted(targets.items())]), [b"x"])
    for path, target in targets.items():
        assert os.readlink(work + b"/" + path) == target
    assert os.path.exists(work + b"/prefix/c/f")


@pytest.mark.parametrize("size", [10, 15, 20])
def test_large_file(unpacked, size):
    # type: (Unpacked, int) -> None
    content = bytes(bytearray(range(size)))
    parts = [content[start : start + 5] for start in range(0, size, 5)]
    index = make_index([file_row(b"app/large", 1, 0, size, mode=0o4755), file_row(b"app/x", len(parts) + 1, 0, 1)])
    work = unpacked(index, [b"before"] + parts + [b"x"])
    assert read(work + b"/app/large") == content
    assert mode_of(work + b"/app/large") == 0o4755
    assert os.stat(work + b"/app/large").st_mtime == 1000000000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (b"t", b"see " + ROOT + b"/prefix/x\0 " + ROOT + b"/prefix"),
        (b"b", b"see " + ROOT + b"/prefix/x\0" + b"\0" * (len(PLACEHOLDER) - len(ROOT + b"/prefix")) + b" " + PLACEHOLDER),
    ],
)
def test_large_file_relocated(unpacked, kind, expected):
    # type: (Unpacked, bytes, bytes) -> None
    content = b"see " + PLACEHOLDER + b"/x\0 " + PLACEHOLDER
    items = {b"t": "4+%d" % (len(PLACEHOLDER) + 8), b"b": "4.%d" % (len(PLACEHOLDER) + 7)}[kind]
    relocation = kind + b":0:0=" + items.encode("ascii")
    parts = [content[start : start + 30] for start in range(0, len(content), 30)]
    slots = file_row(b"prefix/record", len(parts), 0, 64, b"h:0@0")
    work = unpacked(make_index([file_row(b"prefix/large", 0, 0, len(content), relocation), slots]), parts + [b"#" * 64])
    assert read(work + b"/prefix/large") == expected
    assert read(work + b"/prefix/record") == hashlib.sha256(expected).hexdigest().encode("ascii")


def test_relocation_is_for_the_final_place(unpacked):
    # type: (Unpacked) -> None
    index = make_index([
        file_row(b"prefix/text", 0, 0, len(PLACEHOLDER), b"t:0:0=0"),
        file_row(b"prefix/script", 0, 0, 0, b"e:bin/python"),
    ])
    work = unpacked(index, [PLACEHOLDER])
    assert read(work + b"/prefix/text") == ROOT + b"/prefix"
    assert read(work + b"/prefix/script") == b"#!" + ROOT + b"/prefix/bin/python\n"


def test_slots_of_hashes(unpacked):
    # type: (Unpacked) -> None
    index = make_index([
        file_row(b"prefix/one", 0, 0, len(PLACEHOLDER), b"t:0:0=0"),
        file_row(b"prefix/two", 1, 0, 1, b"t:0:"),
        file_row(b"prefix/record", 2, 1, 140, b"h:0@3,1@70", mode=0o444),
    ])
    work = unpacked(index, [PLACEHOLDER, b"2", b"!" + b"." * 140])
    first = hashlib.sha256(ROOT + b"/prefix").hexdigest().encode("ascii")
    second = hashlib.sha256(b"2").hexdigest().encode("ascii")
    assert read(work + b"/prefix/record") == b"..." + first + b"..." + second + b"." * 6
    assert os.stat(work + b"/prefix/record").st_mtime == 1000000000
    assert mode_of(work + b"/prefix/record") == 0o444


def test_nothing_at_all(unpacked):
    # type: (Unpacked) -> None
    assert sorted(os.listdir(unpacked(make_index()))) == [b"app", b"prefix"]


def test_a_damaged_frame_of_a_worker(unpacked):
    # type: (Unpacked) -> None
    def fail(frame, size):
        # type: (bytes, int) -> bytes
        if b"bad" in frame:
            raise ArchiveDamaged("a frame cannot be decoded")
        return decode_raw(frame, size)

    index = make_index([file_row(("app/%d" % n).encode("ascii"), n, 0, 3) for n in range(6)])
    with pytest.raises(ArchiveDamaged) as caught:
        unpacked(index, [b"one", b"two", b"thr", b"fou", b"bad", b"six"], fail)
    assert "a.coex: not a complete coex archive (a frame cannot be decoded)" in str(caught.value)


@pytest.fixture
def no_case(monkeypatch):
    # type: (Any) -> None
    """Let the file system ignore case below a directory `work`."""

    def blind(function):
        # type: (Any) -> Any
        def call(path, *arguments, **named):
            # type: (Any, *Any, **Any) -> Any
            if isinstance(path, int):
                return function(path, *arguments, **named)
            start, mark, rest = path.partition(b"/work/")
            try:
                return function(start + mark + rest.lower(), *arguments, **named)
            except EnvironmentError as error:
                error.filename = path
                raise

        return call

    for name in ("open", "mkdir", "lstat", "chmod", "utime"):
        monkeypatch.setattr(os, name, blind(getattr(os, name)))


@pytest.mark.parametrize("names", [(b"app/x/Name", b"app/x/nAME"), (b"app/Below/name", b"app/below/name")])
def test_names_that_are_not_told_apart(unpacked, no_case, names):
    # type: (Unpacked, None, Tuple[bytes, bytes]) -> None
    rows = [file_row(name, 0, 0, 1) for name in (b"app/other",) + names]
    with pytest.raises(StoreUnusable) as caught:
        unpacked(make_index(rows), [b"x"])
    assert caught.value.what == "its file system does not tell %s and %s apart" % tuple(
        name.decode("ascii") for name in names
    )


def test_directories_that_are_not_told_apart_are_one(unpacked, no_case):
    # type: (Unpacked, None) -> None
    work = unpacked(make_index([file_row(b"app/Below/one", 0, 0, 1), file_row(b"app/below/two", 0, 0, 1)]), [b"x"])
    assert sorted(os.listdir(work + b"/app/below")) == [b"one", b"two"]


def test_alike():
    # type: () -> None
    accents = [u"app/\xe9".encode("utf-8"), u"app/e\u0301".encode("utf-8")]
    paths = [b"app/One", b"app/one", b"app/two", b"app/D", b"app/\xff"] + accents
    found = set(map(frozenset, alike(paths, [b"app", b"app/d", b"app/X", b"app/x"])))
    assert found == set(map(frozenset, [(b"app/One", b"app/one"), (b"app/d", b"app/D"), accents]))


def test_files_in_the_way(unpacked, place):
    # type: (Unpacked, bytes) -> None
    write(place + b"/work/prefix/x", b"")
    with pytest.raises((CoexError, OSError)):
        unpacked(make_index())
    assert read(place + b"/work/prefix/x") == b""


def test_nothing_is_written_through_a_link(place):
    # type: (bytes) -> None
    write_archive(place + b"/a.coex", make_index([file_row(b"app/f", 0, 0, 1)]), [b"x"])
    os.makedirs(place + b"/work")

    def plant(frame, size):
        # type: (bytes, int) -> bytes
        os.symlink(place + b"/outside", place + b"/work/app/f")
        return decode_raw(frame, size)

    with pytest.raises(CoexError), closing(Archive(place + b"/a.coex")) as archive:
        unpack(archive, place + b"/work", ROOT, plant)
    assert not os.path.exists(place + b"/outside")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space is left"), (errno.EDQUOT, "quota"), (errno.EACCES, os.strerror(errno.EACCES))],
)
def test_errors_of_the_system(number, words):
    # type: (int, str) -> None
    text = str(unusable(OSError(number, os.strerror(number)), b"/store"))
    assert text.startswith("/store: ")
    assert words in text
    assert "COEX_ROOT" in text
