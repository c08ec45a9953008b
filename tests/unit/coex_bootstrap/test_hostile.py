"""Archives with a right digest and wrong intent: refused in words, or unpacked with nothing outside their root."""

import io
import os
import random
import resource
import zipfile
from contextlib import closing

import pytest
from coex_bootstrap.base import compat, workers
from coex_bootstrap.base.errors import ArchiveDamaged, CoexError
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.index import Frame, Link
from coex_bootstrap.format.index_write import make_columns
from coex_bootstrap.format.manifest import load_manifest
from coex_bootstrap.tools import command_line
from coex_bootstrap.unpack.write_root import unpack

from unit.coex_bootstrap.building import (
    PLACEHOLDER,
    decode_raw,
    file_row,
    make_index,
    make_manifest,
    raw_frame,
    read,
    sign,
    write,
    write_archive,
)
from unit.coex_bootstrap.hostile import altered_columns, dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

SCRIPT = b"#!/bin/sh\n" + PLACEHOLDER + b"/x\n"
CONTENTS = [SCRIPT, b"0123456789" * 5, b"a" * 32, b"b" * 32]


def decode(frame, size):
    # type: (bytes, int) -> bytes
    """Decode as a decoder does: bytes that are not such a frame mean a damaged archive."""
    try:
        return decode_raw(frame, size)
    except Exception:
        raise ArchiveDamaged("a frame cannot be decoded")


def full_index():
    # type: () -> Any
    """Return an index with something of every kind; its frames are those of CONTENTS."""
    return make_index(
        [
            file_row(b"prefix/bin/demo", 0, 0, len(SCRIPT), b"t:0:0=10", 0o755),
            file_row(b"prefix/a", 1, 0, 10),
            file_row(b"prefix/b", 1, 10, 40, b"e:bin/python"),
            file_row(b"app/large", 2, 0, 64),
        ],
        links=[Link(b"prefix/out", b"/etc"), Link(b"app/zero", b"/dev/zero"), Link(b"app/loop", b"loop")],
        directories=[b"prefix/lib/deep"],
    )


@pytest.fixture
def path(place):
    # type: (bytes) -> bytes
    """Return the archive of `full_index`, in a directory of its own."""
    os.mkdir(place + b"/here")
    write_archive(place + b"/here/full.coex", full_index(), CONTENTS)
    return place + b"/here/full.coex"


def attempt(path, root):
    # type: (bytes, bytes) -> bool
    """Open and unpack an archive as far as it goes; return whether it was whole; raise errors that are not ours."""
    os.mkdir(root)
    try:
        with closing(Archive(path)) as archive:
            unpack(archive, root, b"/final/root", decode)
    except CoexError as error:
        assert "\n" not in str(error)
        return False
    return True


def remove(root):
    # type: (bytes) -> None
    for directory, directories, _ in os.walk(root):
        os.chmod(directory, 0o700)
        for name in directories:
            if not os.path.islink(directory + b"/" + name):
                os.chmod(directory + b"/" + name, 0o700)
    for directory, directories, names in os.walk(root, topdown=False):
        for name in names + [n for n in directories if os.path.islink(directory + b"/" + n)]:
            os.unlink(directory + b"/" + name)
        os.rmdir(directory)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    # type: (Any) -> None
    """Let the error of a worker be raised unchanged."""
    monkeypatch.setattr(workers, "usable_cores", lambda: 1)


def test_the_one_that_is_altered_is_whole(path, place):
    # type: (bytes, bytes) -> None
    assert attempt(path, place + b"/root")
    assert read(place + b"/root/prefix/bin/demo") == b"#!/bin/sh\n/final/root/prefix/x\n"
    assert read(place + b"/root/app/large") == b"a" * 32 + b"b" * 32


def columns_of(index):
    # type: (Any) -> Dict[str, List[Any]]
    """Return the columns of an index that is made, each a list that may be altered."""
    parts = make_columns(index)
    return dict((name, list(values)) for part in (parts.texts, parts.numbers) for name, values in part.items())


def signed(path, index, fields=None):
    # type: (bytes, bytes, Any) -> None
    """Write the archive of CONTENTS with any bytes as its index, and a digest that fits them."""
    payload = b"".join(map(raw_frame, CONTENTS))
    known = dict(payload=len(payload), unpacked={"files": 4, "bytes": 1 << 20})
    known.update(fields or {})
    sign(path, make_manifest(**known), payload, index)


def columns_with_frames():
    # type: () -> Dict[str, List[Any]]
    """Return the columns of `full_index` with the frames of CONTENTS."""
    index, offset = full_index(), 0
    for content in CONTENTS:
        frame = raw_frame(content)
        index.frames.append(Frame(offset, len(frame), len(content), b"0" * 64))
        offset += len(frame)
    return columns_of(index)


@pytest.mark.parametrize("seed", range(4))
def test_indexes_of_any_content(path, place, seed):
    # type: (bytes, bytes, int) -> None
    """Nothing stands outside the root, nothing is hung on, and every refusal is in words."""
    generator, whole = random.Random(seed), 0
    before = sorted(os.listdir(place))
    for _ in range(100):
        columns = columns_with_frames()
        altered_columns(generator, columns)
        signed(path, dump(columns))
        whole += attempt(path, place + b"/root")
        assert sorted(os.listdir(place + b"/root")) in ([], [b"app"], [b"prefix"], [b"app", b"prefix"])
        remove(place + b"/root")
        assert sorted(os.listdir(place)) == before
        assert os.listdir(place + b"/here") == [b"full.coex"]
    assert 5 < whole < 95


@pytest.mark.parametrize("seed", range(4))
def test_tails_of_any_bytes(path, place, seed):
    # type: (bytes, bytes, int) -> None
    """Bytes are altered, put in, and taken out, with no digest that fits."""
    generator, data = random.Random(seed), read(path)
    start = data.index(b"PK\3\4")
    for _ in range(150):
        altered_data = bytearray(data)
        for _ in range(generator.randrange(1, 4)):
            at = generator.choice([generator.randrange(start, len(data) - 8), len(data) - generator.randrange(8, 700)])
            byte = bytes(bytearray([generator.randrange(256)]))
            new = bytearray(generator.choice([b"", b"\0", b"\xff\xff\xff\xff", b"PK\1\2", byte]))
            altered_data[at : at + generator.choice([0, 1, len(new)])] = new
        write(path, bytes(altered_data))
        if altered_data != data:
            attempt(path, place + b"/root")
            remove(place + b"/root")


def grown(**changes):
    # type: (**Any) -> Dict[str, List[Any]]
    columns = columns_with_frames()
    for name, function in changes.items():
        columns[name] = function(columns[name])
    return columns


OF_A_FILE = ("directory", "mode", "seconds", "nanoseconds", "frame", "offset", "size")


def second_large(**more):
    # type: (**Any) -> bytes
    """Return an index with one more large file, at the frames of its one, except for `more` of its columns."""
    changes = dict(("file_" + name, lambda old: old + old[-1:]) for name in OF_A_FILE)
    changes.update(file_name=lambda old: old + [b"again"], large_file=lambda old: old + [4])
    changes.update(more)
    return dump(grown(**changes))


def holding(relocation):
    # type: (bytes) -> bytes
    """Return an index whose large file, of 64 bytes, has this relocation."""
    return dump(grown(relocated_file=lambda old: old + [3], relocated_relocation=lambda old: old + [relocation]))


BAD_HASHES = [
    b"h:x@y", b"h:", b"h:0", b"h:9@0", b"h:1@0", b"h:3@0", b"h:0@1", b"h:0@99999999", b"h:-1@0", b"h:0@0,9@0", b"h:1.0.5@0",
    b"h:99.0.5;-@0", b"h:x.0.5;-@0", b"h:0.0.5;h:0@0@0",
]
BAD_INDEXES = {
    "a directory that is a link": dump(grown(
        directory_path=lambda old: old + [b"prefix/out"], directory_mode=lambda old: old + [0o755],
    )),
    "a link behind a link": dump(grown(
        link_path=lambda old: old + [b"prefix/out/passwd"], link_target=lambda old: old + [b"x"],
    )),
    "frames that overlap": dump(grown(frame_offset=lambda old: [old[0]] * len(old))),
    "frames of the whole payload": dump(grown(frame_offset=lambda old: [0] * len(old))),
    "a frame behind the payload": dump(grown(frame_offset=lambda old: old[:-1] + [1 << 63])),
    "two large files that begin in one frame": second_large(file_size=lambda old: old + [32]),
    "two large files that end in one frame": second_large(
        file_frame=lambda old: old + [3], file_size=lambda old: old + [32],
    ),
    "two large files in one place, relocated each in its way": second_large(
        relocated_file=lambda old: old + [4], relocated_relocation=lambda old: old + [b"e:bin/python"],
    ),
    "a time without end": dump(grown(file_seconds=lambda old: [1 << 62] * len(old))),
    "a second of too many parts": dump(grown(file_nanoseconds=lambda old: [(1 << 32) - 1] * len(old))),
    "a relocation that is none": dump(grown(relocated_relocation=lambda old: [b"q"] * len(old))),
    "a relocation of what is not there": dump(grown(relocated_relocation=lambda old: [b"t:0:0=0"] + old[1:])),
}


BAD_INDEXES.update(("the hash of what is not there: " + str(words), holding(words)) for words in BAD_HASHES)


def test_the_hash_of_an_existing_file(path, place):
    # type: (bytes, bytes) -> None
    signed(path, holding(b"h:0@0"))
    assert attempt(path, place + b"/root")


@pytest.mark.parametrize("what", sorted(BAD_INDEXES))
def test_refuses_an_index(path, place, what):
    # type: (bytes, bytes, str) -> None
    signed(path, BAD_INDEXES[what], {"unpacked": {"files": 5 if "two large" in what else 4, "bytes": 1 << 20}})
    assert not attempt(path, place + b"/root")


PACKAGE = {"name": u"a", "version": u"1", "build": u"0", "compressed": 0, "unpacked": 0, "files": 0}
BAD_FIELDS = {
    "fewer files": {"unpacked": {"files": 3, "bytes": 1 << 20}},
    "fewer bytes": {"unpacked": {"files": 4, "bytes": 10}},
    "no sizes": {"unpacked": {}},
    "no entry point": {"entry_points": []},
    "an entry point without a command": {"entry_points": [{"name": u"x", "command": []}]},
    "an entry point outside": {"entry_points": [{"name": u"x", "command": [["prefix", u"../../bin/sh"]]}]},
    "an absolute entry point": {"entry_points": [{"name": u"x", "command": [["app", u"/bin/sh"]]}]},
    "a kind of word that is not known": {"entry_points": [{"name": u"x", "command": [["host", u"bin/sh"]]}]},
    "NUL in a word": {"entry_points": [{"name": u"x", "command": [["text", u"a\0b"]]}]},
    "half a character": {"entry_points": [{"name": u"x", "command": [["text", u"\ud800"]]}]},
    "a word of another kind": {"entry_points": [{"name": u"x", "command": [["text", 5]]}]},
    "a name that speaks to the terminal": {"name": u"\x1b[2J"},
    "a script outside": {"post_link": [{"name": u"../x", "version": u"1", "build_number": 0}]},
    "a script without a version": {"post_link": [{"name": u"x"}]},
    "a source outside": {"compile": {"python": u"bin/python", "sources": [u"../../x.py"]}},
    "two sources in one": {"compile": {"python": u"bin/python", "sources": [u"a.py\nb.py"]}},
    "a Python outside": {"compile": {"python": u"../../../bin/sh", "sources": []}},
    "a command to keep": {"keep_env": [u"A; id"]},
    "a text to keep": {"keep_env": u"PYTHONPATH"},
    "a shell script outside": {"portable": {u"../a.sh": 1}},
    "a shell script of no size": {"portable": {u"a.sh": None}},
    "a list of scripts": {"portable": [u"a.sh"]},
    "a package without a name": {"packages": [{}]},
    "a package with a newline": {"packages": [dict(PACKAGE, name=u"a\nb")]},
    "a package of no size": {"packages": [dict(PACKAGE, files=None)]},
    "a requirement that is no text": {"requires": {"__glibc": [5]}},
    "a requirement without a list": {"requires": {"__glibc": u"2"}},
    "a date without end": {"date": 1 << 80},
    "a negative payload": {"payload": -1},
    "a platform that is none": {"platform": u"../x"},
}  # type: Dict[str, Dict[str, Any]]


@pytest.mark.parametrize("what", sorted(BAD_FIELDS))
def test_refuses_a_manifest(path, place, what):
    # type: (bytes, bytes, str) -> None
    if what == "half a character" and compat.PY2:
        pytest.skip("2.7 makes bytes of it")
    signed(path, dump(columns_with_frames()))
    with closing(Archive(path)) as archive:
        assert len(archive.index.files) == 4
    signed(path, dump(columns_with_frames()), BAD_FIELDS[what])
    with pytest.raises(ArchiveDamaged):
        with closing(Archive(path)) as archive:
            assert archive.index


VERBS = {
    "info": ["info"], "files": ["files"], "verify": ["verify"], "lock": ["lock"], "sbom": ["sbom"], "repair": ["repair"],
    "unpack": ["unpack", "-p", "PLACE/made"], "unpack with the app": ["unpack", "-p", "PLACE/made", "--app", "PLACE/app"],
    "unpack into a store": ["unpack", "--store", "PLACE/made"],
}
LISTING = ("files", "info", "lock", "sbom")  # which may show the damaged part


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_no_verb_takes_them(path, place, verb):
    # type: (bytes, bytes, str) -> None
    """Every verb that writes or judges refuses the same archives as a start, and leaves nothing at its target."""
    words = [word.replace("PLACE", compat.native(place)) for word in VERBS[verb]]
    options = command_line.make_parser("x").parse_args(words)
    environ = {b"PATH": os.environ["PATH"].encode("ascii"), b"HOME": place, b"COEX_ROOT": place + b"/own"}
    cases = [(dump(columns_with_frames()), fields) for what, fields in sorted(BAD_FIELDS.items()) if what[:4] != "half"]
    if verb != "sbom":
        cases += [(BAD_INDEXES[what], {}) for what in sorted(BAD_INDEXES) if "two large" not in what]
    for index, fields in cases:
        signed(path, index, fields)
        try:
            outcome = command_line.VERBS[options.verb].execute(path, options, environ)
            assert outcome.status or verb in LISTING, (index, fields)
        except CoexError as error:
            assert "\n" not in str(error)
        assert os.listdir(place) == [b"here"], (index, fields)


def test_a_member_that_expands_without_end(path):
    # type: (bytes) -> None
    """A gigabyte of zeros in a megabyte: not even begun."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as tail:
        tail.writestr("index", b"\0" * (300 << 20))
    data = read(path)
    write(path, data[: data.index(b"PK\3\4")] + buffer.getvalue())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArchiveDamaged, match="is too large"):
        Archive(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_number_without_end(path):
    # type: (bytes) -> None
    with pytest.raises(ArchiveDamaged):
        load_manifest(make_manifest().dumps().replace(b"1000000000", b"1" * (1 << 22)))
