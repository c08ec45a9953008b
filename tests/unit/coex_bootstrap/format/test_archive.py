"""Opening an archive: a whole file is read; a truncated, altered or foreign file is refused with a reason."""

import os
from contextlib import closing

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import ArchiveDamaged, CoexError, FormatUnknown
from coex_bootstrap.format.archive import OLD_START, PRELUDE_START, Archive
from coex_bootstrap.format.index import Frame
from coex_bootstrap.format.manifest import (
    INDEX, MANIFEST, PACKAGE, PRELUDE, PYTHON, Manifest, digest, fill_prelude, python_id, python_mark, seal,
)

from unit.coex_bootstrap.building import (
    bootstrap_members,
    decode_raw,
    file_row,
    make_index,
    make_manifest,
    read,
    write,
    write_archive,
    zip_bytes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple


@pytest.fixture
def path(place):
    # type: (bytes) -> bytes
    """Return a whole archive with one file in two frames."""
    path = place + b"/demo.coex"
    write_archive(path, make_index([file_row(b"prefix/file", 0, 0, 5)]), [b"hello", b"more"])
    return path


def whole(path):
    # type: (bytes) -> Tuple[Dict[str, bytes], Manifest]
    """Return the members and the manifest of an archive that opens."""
    with closing(Archive(path)) as archive:
        return archive.members, archive.manifest


def refusal(path):
    # type: (bytes) -> str
    with pytest.raises(ArchiveDamaged) as caught:
        with closing(Archive(path)) as archive:
            assert not archive.index
    text = str(caught.value)
    assert text.startswith(os.path.dirname(path).decode("utf-8"))
    assert "\n" not in text
    return text


def test_whole(path):
    # type: (bytes) -> None
    with closing(Archive(path)) as archive:
        assert archive.manifest.name == "demo"
        assert [row.path for row in archive.index.files] == [b"prefix/file"]
        assert decode_raw(archive.frame(0), 5) == b"hello"
        archive.reopen()
        assert decode_raw(archive.frame(1), 4) == b"more"


@pytest.mark.parametrize("reads_at", [True, False])
@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_changed_while_it_is_read(path, monkeypatch, reads_at, change):
    # type: (bytes, Any, bool, str) -> None
    if reads_at and not compat.READS_AT:
        pytest.skip("this Python has no pread")
    monkeypatch.setattr(compat, "READS_AT", reads_at)
    with closing(Archive(path)) as archive:
        os.rename(path, path + b".old")
        if change == "replaced":
            write(path, read(path + b".old"))
        if not reads_at:
            with pytest.raises(CoexError, match=change + " while it was unpacked"):
                archive.reopen()
        else:
            archive.reopen()
            assert decode_raw(archive.frame(1), 4) == b"more"


def test_truncated_anywhere(path):
    # type: (bytes) -> None
    data = read(path)
    for size in list(range(0, len(data), 997)) + [1, 9, len(data) - 1, len(data) - 22, len(data) - 23]:
        write(path, data[:size])
        refusal(path)


def test_tail_altered_anywhere(path):
    # type: (bytes) -> None
    data = read(path)
    start = data.index(b"PK\x03\x04")
    members, refused = whole(path)[0], 0
    for offset in list(range(start, len(data), 509)) + list(range(len(data) - 22, len(data), 3)):
        altered = bytearray(data)
        altered[offset] ^= 0x55
        write(path, bytes(altered))
        try:
            assert whole(path)[0] == members  # a date, or a flag, that no reader looks at
        except ArchiveDamaged:
            refused += 1
    assert refused > 50


def test_prelude_altered_anywhere(path):
    # type: (bytes) -> None
    data = read(path)
    for offset in range(0, whole(path)[1].prelude, 101):
        write(path, data[:offset] + b"~" + data[offset + 1 :])
        refusal(path)


@pytest.mark.parametrize("where", ["before", "after", "payload"])
def test_one_byte_more(path, where):
    # type: (bytes, str) -> None
    data = read(path)
    cut = {"before": 0, "after": len(data), "payload": data.index(b"PK\x03\x04")}[where]
    write(path, data[:cut] + b"x" + data[cut:])
    refusal(path)


FOREIGN = [b"", b"\x7fELF", b"#!/bin/sh\necho\n", zip_bytes({"x": b""}), zip_bytes(bootstrap_members())]


@pytest.mark.parametrize("content", FOREIGN, ids=["empty", "program", "script", "zip", "tail alone"])
def test_foreign(place, content):
    # type: (bytes, bytes) -> None
    assert "get a fresh copy" in refusal(write(place + b"/f", content))


def test_a_prelude_alone_is_not_an_archive(path):
    # type: (bytes) -> None
    write(path, read(path)[: whole(path)[1].prelude])
    assert "its last bytes are not a zip" in refusal(path)


@pytest.mark.parametrize("missing", [MANIFEST, INDEX, PACKAGE + "/" + PRELUDE])
def test_without_a_member(path, missing):
    # type: (bytes, str) -> None
    members, manifest = whole(path)
    del members[missing]
    head = read(path)[: manifest.prelude + manifest.payload]
    assert missing in refusal(write(path, head + zip_bytes(members)))


def test_frame_outside_the_payload(place):
    # type: (bytes) -> None
    index = make_index()
    index.frames.append(Frame(0, 1, 1, b"0" * 64))
    write_archive(place + b"/f", index)
    assert "outside the payload" in refusal(place + b"/f")


def test_file_that_shrinks_while_it_is_read(path):
    # type: (bytes) -> None
    with closing(Archive(path)) as archive:
        assert archive.index
        with open(path, "r+b") as stream:
            stream.truncate(archive.manifest.prelude + 3)
        archive.reopen()
        with pytest.raises(ArchiveDamaged, match="ends within its payload"):
            archive.frame(0)


def test_unknown_version(place):
    # type: (bytes) -> None
    write_archive(place + b"/f", make_index(), format=7)
    with pytest.raises(FormatUnknown) as caught:
        Archive(place + b"/f")
    assert "coex format 7 is not known" in str(caught.value)


@pytest.mark.parametrize("name", [b"missing", b"missing \xff\n"])
def test_missing(place, name):
    # type: (bytes, bytes) -> None
    with pytest.raises(CoexError) as caught:
        Archive(place + b"/" + name)
    assert "cannot be read" in str(caught.value)


def test_directory(place):
    # type: (bytes) -> None
    with pytest.raises(CoexError):
        Archive(place)


def test_manifest_keeps_the_name_of_its_root(path):
    # type: (bytes) -> None
    manifest = whole(path)[1]
    assert manifest.root_name == manifest.digest[:24].encode("ascii")
    assert manifest.root_name in read(path)[: manifest.prelude]
    assert make_manifest().root_name not in read(path)[: manifest.prelude]


def test_start_of_archives_made_before(place):
    # type: (bytes) -> None
    """Their first lines were in another order; they are read as any."""
    name = PACKAGE + "/" + PRELUDE
    now = bootstrap_members()[name]
    assert now.startswith(PRELUDE_START)
    before = OLD_START + b"\n: coex ]\n{\n" + now[now.index(b"\n#") :]
    write_archive(place + b"/old.coex", make_index([file_row(b"prefix/x", 0, 0, 1)]), [b"x"], {name: before})
    assert read(place + b"/old.coex").startswith(OLD_START)
    with closing(Archive(place + b"/old.coex")) as archive:
        assert len(archive.index.files) == 1
    for start in (b"", b"#!/bin/sh\n", OLD_START[:-1], b"#!/bin/sh\n{ : other"):
        write(place + b"/old.coex", start)
        with pytest.raises(ArchiveDamaged):
            Archive(place + b"/old.coex")


CARRIED = b"\x1f\x8b a Python"


def write_with_python(path, **fields):
    # type: (bytes, **Any) -> Manifest
    return write_archive(path, make_index([file_row(b"prefix/file", 0, 0, 5)]), [b"hello"], {PYTHON: CARRIED}, **fields)


def test_carried_python(path):
    # type: (bytes) -> None
    """A shell finds it by the numbers in the prelude, which is as large without one."""
    before = whole(path)[1]
    write_with_python(path)
    members, manifest = whole(path)
    assert members[PYTHON] == CARRIED
    assert manifest.prelude == before.prelude
    words = python_mark(manifest, members)
    assert words in read(path)[: manifest.prelude]
    name, offset, size = words.split()
    assert name.decode("ascii") == manifest.python["id"] == python_id(CARRIED)
    assert read(path)[int(offset) :][: int(size)] == CARRIED
    assert before.python is None


@pytest.mark.parametrize("wrong", [{"id": "0" * 24}, None], ids=["another", "none"])
def test_python_that_the_manifest_does_not_name(path, wrong):
    # type: (bytes, Any) -> None
    manifest = write_with_python(path)
    members = dict(whole(path)[0])
    manifest.fields["python"] = dict(manifest.fields["python"], **wrong) if wrong else None
    if wrong is None:
        del manifest.fields["python"]
    payload = read(path)[manifest.prelude :][: manifest.payload]
    del members[MANIFEST]
    manifest.fields["digest"] = digest(manifest, members)
    members[MANIFEST] = manifest.dumps()
    text, mark = members[PACKAGE + "/" + PRELUDE], python_mark(manifest, members)
    prelude, tail = fill_prelude(text, manifest.root_name, manifest.platform, mark), zip_bytes(members)
    write(path, prelude + payload + seal(prelude, tail) + tail)
    assert "its Python is not the one that its manifest names" in refusal(path)


def test_python_without_a_member(path):
    # type: (bytes) -> None
    about = {"id": "0" * 24, "version": "3.12", "size": 1}
    write_archive(path, make_index([file_row(b"prefix/file", 0, 0, 5)]), [b"hello"], python=about)
    assert "its Python is not the one that its manifest names" in refusal(path)
