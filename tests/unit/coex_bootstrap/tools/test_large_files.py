"""Large files of a root, and files that a start compiled: verified and repaired."""

import hashlib
import os

import pytest

from unit.coex_bootstrap.building import PLACEHOLDER, file_row, make_index, read, write, write_archive
from unit.coex_bootstrap.demo_archive import PYTHON, ask, start, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List

SIZE = 1000  # bytes of a frame
LONG = PLACEHOLDER + b"_placehold" * 15  # for a string of the length that packages have
MAIN = b"#!/bin/sh\n"
LONG_RECORD = b"prefix/conda-meta/long-1-0.json"


@pytest.fixture
def archive(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return an archive of a binary of four frames whose strings cross them, a text of two, and a record with their sha256.

    The binary and a plain file of two frames have a twin each, which is in the same frames. Another record spans two.
    """
    environ[b"COEX_ROOT"] = place + b"/store"
    string = LONG + b"/lib\0"
    starts = [SIZE - 20, 3 * SIZE - 90]
    binary = bytearray(b"\1" * (4 * SIZE))
    for at in starts:
        binary[at : at + len(string)] = string
    words = b"+".join(b"%s.%s" % (number(at), number(at + len(string) - 1)) for at in starts)
    text = b"#" * (SIZE - 5) + LONG + b"#" * (SIZE + 5 - len(LONG))
    record = b"0" * 64 * 3
    frames = [bytes(binary[at : at + SIZE]) for at in range(0, 4 * SIZE, SIZE)] + [text[:SIZE], text[SIZE:], record + MAIN]
    frames += [b"2" * SIZE, b"3" * 10]
    long_record = b'{"files": ["lib/binary"], "sums": "' + b"0" * SIZE + b'"}'
    frames += [long_record[:SIZE], long_record[SIZE:]]
    slots = [b"0@100", b"2@" + number(SIZE - 30)]  # and of contents that are not files: one is relocated, one is not
    slots += [b"0.0.%s;b:0:0=%s@200" % (number(4 * SIZE), words), b"6.192.%s;-@300" % number(len(MAIN))]
    index = make_index([
        file_row(b"prefix/lib/binary", 0, 0, 4 * SIZE, b"b:0:0=" + words, mode=0o755),
        file_row(b"prefix/lib/twin", 0, 0, 4 * SIZE, b"b:0:0=" + words),
        file_row(b"prefix/lib/text", 4, 0, 2 * SIZE, b"t:0:0=" + number(SIZE - 5)),
        file_row(b"prefix/conda-meta/record", 6, 0, 192, b"h:0@0,2@64,1@128"),
        file_row(b"prefix/bin/demo", 6, 192, len(MAIN), mode=0o755),
        file_row(b"prefix/plain", 7, 0, SIZE + 10, mode=0o755),
        file_row(b"prefix/share/equal", 7, 0, SIZE + 10),
        file_row(b"app/equal", 7, 0, SIZE + 10, mode=0o600, mtime_ns=5 * 10**9),
        file_row(LONG_RECORD, 9, 0, len(long_record), b"h:" + b",".join(slots), mode=0o640),
    ], placeholders=[LONG])
    package = {"name": "long", "version": "1", "build": "0", "compressed": 1, "unpacked": 1, "files": 1}
    write_archive(place + b"/large.coex", index, frames, packages=[package])
    return place + b"/large.coex"


def number(value):
    # type: (int) -> bytes
    return str(value).encode("ascii")


def flip(path, at):
    # type: (bytes, int) -> None
    data = read(path)
    write(path, data[:at] + b"?" + data[at + 1 :], os.stat(path).st_mode & 0o777)


def test_large_relocated_files(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    root = start(archive, environ)
    prefix = root + b"/prefix"
    assert (prefix + b"/lib\0") in read(prefix + b"/lib/binary")
    status, found, _ = ask(archive, environ, b"verify")
    assert (status, found["damages"], found["root"]["differences"]) == (0, [], [])
    sums = [hashlib.sha256(read(prefix + name)).hexdigest() for name in (b"/lib/binary", b"/lib/text", b"/lib/twin")]
    assert sums[0] == sums[2]
    filled = read(root + b"/" + LONG_RECORD).decode("ascii")
    assert (filled[100:164], filled[SIZE - 30 : SIZE + 34], filled[-2:]) == (sums[0], sums[1], '"}')
    assert (filled[200:264], filled[300:364]) == (sums[0], hashlib.sha256(MAIN).hexdigest())
    assert (len(filled), filled[36:100] + filled[164:200] + filled[364 : SIZE - 30]) == (SIZE + 37, "0" * (SIZE - 294))
    state = os.stat(root + b"/" + LONG_RECORD)
    assert (state.st_mode & 0o7777, state.st_mtime) == (0o640, 1000000000)
    _, found, _ = ask(archive, environ, b"files")
    owned = [row["path"] for row in found["files"] if row["package"] == "long-1-0"]
    assert owned == [LONG_RECORD.decode("ascii"), "prefix/lib/binary"]
    for name, mode in ((b"/prefix/plain", 0o755), (b"/prefix/share/equal", 0o644), (b"/app/equal", 0o600)):
        assert read(root + name) == b"2" * SIZE + b"3" * 10
        assert os.stat(root + name).st_mode & 0o7777 == mode
    assert read(prefix + b"/conda-meta/record").decode("ascii") == "".join(sums)
    before = tree(root)
    for name, harm in [
        (b"/lib/binary", lambda path: flip(path, 2 * SIZE)), (b"/lib/binary", lambda path: flip(path, SIZE - 20)),
        (b"/lib/binary", lambda path: write(path, read(path) + b"x", 0o755)), (b"/lib/binary", os.unlink),
        (b"/lib/text", lambda path: flip(path, 0)), (b"/lib/text", os.unlink), (b"/lib/text", lambda path: os.chmod(path, 0o600)),
        (b"/conda-meta/record", lambda path: flip(path, 70)), (b"/lib/twin", os.unlink), (b"/share/equal", os.unlink),
        (b"/lib/twin", lambda path: flip(path, 2 * SIZE)), (b"/share/equal", lambda path: flip(path, SIZE + 1)),
        (LONG_RECORD[6:], lambda path: flip(path, SIZE + 3)), (LONG_RECORD[6:], lambda path: flip(path, 101)),
        (LONG_RECORD[6:], lambda path: flip(path, 205)), (LONG_RECORD[6:], os.unlink),
        (b"/plain", lambda path: flip(path, SIZE + 1)),
        (b"/plain", lambda path: os.chmod(path, 0o644)),
    ]:
        harm(prefix + name)
        inside = "prefix" + name.decode("ascii")
        for words in ([b"verify"], [b"verify", b"--root"]):
            status, found, error = ask(archive, environ, *words)
            assert (status, [row["path"] for row in found["root"]["differences"]], error) == (1, [inside], b"")
        status, found, _ = ask(archive, environ, b"repair")
        assert (status, found["repaired"]) == (0, [inside])
        assert tree(root) == before


def test_files_that_a_start_compiled(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """It is made again if it is missing or its source was repaired; a source that does not compile is passed over."""
    environ[b"COEX_ROOT"] = place + b"/store"
    python = b'#!/bin/sh\nexec %s "$@"\n' % PYTHON
    sources = [b"PLACE = '%s'\n" % PLACEHOLDER, b"x = 1\n", b"no Python\n"]
    content, rows = python + MAIN, []
    for name, source in zip((b"a", b"b", b"c"), sources):
        words = b"t:0:0=9" if name == b"a" else b"-"
        rows.append(file_row(b"prefix/lib/%s.py" % name, 0, len(content), len(source), words))
        content += source
    rows.append(file_row(b"prefix/bin/python", 0, 0, len(python), mode=0o755))
    rows.append(file_row(b"prefix/bin/demo", 0, len(python), len(MAIN), mode=0o755))
    compiled = {"python": "bin/python", "sources": ["lib/a.py", "lib/b.py", "lib/c.py"]}
    archive = place + b"/compiled.coex"
    write_archive(archive, make_index(rows), [content], compile=compiled)
    root = start(archive, environ)
    made = pycs(root)
    assert len(made) == 2
    assert ask(archive, environ, b"repair")[1]["compiled"] == []
    assert pycs(root) == made
    for path in made:
        os.unlink(path)
    status, found, _ = ask(archive, environ, b"repair")
    assert (status, found["repaired"], found["compiled"]) == (0, [], ["lib/a.py", "lib/b.py"])
    assert pycs(root) == made
    write(root + b"/prefix/lib/b.py", b"x = 2\n")
    old = os.stat(made[1]).st_ino, read(made[1])
    write(made[1], b"old")
    assert ask(archive, environ, b"repair")[1]["repaired"] == ["prefix/lib/b.py"]
    assert read(made[1]) == old[1]


def pycs(root):
    # type: (bytes) -> List[bytes]
    found = [
        os.path.join(directory, name) for directory, _, names in os.walk(root + b"/prefix/lib") for name in names
        if name.endswith(b".pyc")
    ]
    return sorted(found)
