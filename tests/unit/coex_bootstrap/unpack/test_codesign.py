"""Archives for macOS: unpacked, verified and repaired files have valid signatures, and the system signs the others."""

import errno
import hashlib
import os
import sys
from argparse import Namespace
from collections import namedtuple

import pytest
from coex_bootstrap.base.errors import SigningFailed
from coex_bootstrap.base.trace import Trace
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.start.run import ready_root
from coex_bootstrap.store.ladder import stores
from coex_bootstrap.tools import repair, verify
from coex_bootstrap.unpack import codesign

from unit.coex_bootstrap.building import file_row, make_index, read, write, write_archive
from unit.coex_bootstrap.mach_o_files import ARM64, ENTITLEMENTS, X86_64, blob, fat, mach_o, wrong_hashes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

FRAME = 1 << 17
LONG = b"/opt" + b"/placehold" * 24
STRING = LONG + b"/lib\0"
THIN = mach_o(b"x" * 5000 + STRING)
FAT = fat([(X86_64, mach_o(b"x" * 300000 + STRING, cpu=X86_64)), (ARM64, mach_o(STRING, entitlements=ENTITLEMENTS))])
UNSIGNED = mach_o(b"x" * 5000 + STRING, [])
CERTIFIED = mach_o(STRING, cms=blob(0xFADE0B01, b"of a company"))
UNREADABLE = THIN.replace(b"\xfa\xde\x0c\xc0", b"\0\0\0\0")
MANY = mach_o(STRING * 2000 + b"x" * 200000, [])
DARWIN = namedtuple("Sys", "platform")("darwin")
# A codesign that signs by a line at the end, and says which command it was.
SIGNS = b"#!/bin/sh\nfor path; do :; done\nprintf '%s\\n' \"$*\" >> \"$0.log\"\nprintf 'signed %s' \"${path##*/}\" >> \"$path\"\n"
FAILS = b"#!/bin/sh\nprintf '%s\\n' \"$*\" >> \"$0.log\"\necho 'no room' >&2\nexit 1\n"


def relocation(data):
    # type: (bytes) -> bytes
    at, items = data.find(LONG), []  # type: int, List[str]
    while at >= 0:
        items.append("%d.%d" % (at, data.index(b"\0", at)))
        at = data.find(LONG, at + 1)
    return b"b:0:0=" + "+".join(items).encode("ascii")


def make_archive(place, files, platform="osx-arm64"):
    # type: (bytes, List[Tuple[bytes, bytes]], str) -> bytes
    """Return an archive of binaries (name, content), each in frames of its own, and a record of their sha256."""
    frames, rows, number = [], [], 0  # type: List[bytes], List[Any], int
    for name, data in files:
        number = len(frames)
        frames += [data[at : at + FRAME] for at in range(0, len(data), FRAME)]
        rows.append(file_row(b"prefix/lib/" + name, number, 0, len(data), relocation(data), mode=0o755))
    slots = [b"%d@%d" % (row, 64 * row) for row in range(len(rows))]
    # The content of the last file again, as of one that another package replaced.
    slots.append(b"%d.0.%d;%s@%d" % (number, len(data), relocation(data), 64 * len(rows)))
    record = b"0" * (64 * (len(rows) + 1))
    rows.append(file_row(b"prefix/conda-meta/record", len(frames), 0, len(record), b"h:" + b",".join(slots)))
    path = place + b"/mac.coex"
    write_archive(path, make_index(rows, placeholders=[LONG]), frames + [record], platform=platform)
    return path


def unpacked(path, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return the prefix of the root that a start makes."""
    archive = Archive(path)
    try:
        return ready_root(stores(environ), archive, environ, Trace(environ)).path + b"/prefix"
    finally:
        archive.close()


def differences(path, environ):
    # type: (bytes, Dict[bytes, bytes]) -> Any
    found = verify.execute(path, Namespace(archive_alone=False, root=False, prefix=None), environ).fields
    assert found["damages"] == []
    return [(each["path"], each["what"]) for each in found["root"]["differences"]]


def check_record(prefix, names):
    # type: (bytes, List[bytes]) -> None
    """A record has the sha256 of the files as they were signed, as conda's has."""
    sums = [hashlib.sha256(read(prefix + b"/lib/" + name)).hexdigest() for name in names]
    assert read(prefix + b"/conda-meta/record").decode("ascii")[: 64 * len(names)] == "".join(sums)


@pytest.fixture
def mac(place, environ, monkeypatch):
    # type: (bytes, Dict[bytes, bytes], Any) -> bytes
    """Return the path of a codesign, for a system that is macOS."""
    environ[b"COEX_ROOT"] = place + b"/store"
    monkeypatch.setattr(codesign, "sys", DARWIN)
    monkeypatch.setattr(codesign, "CODESIGN", place + b"/codesign")
    return place + b"/codesign"


@pytest.mark.parametrize("platform", ["osx-arm64", "osx-64"])
def test_start_verify_repair(place, environ, platform):
    # type: (bytes, Dict[bytes, bytes], str) -> None
    environ[b"COEX_ROOT"] = place + b"/store"
    path = make_archive(place, [(b"thin.dylib", THIN), (b"fat", FAT)], platform)
    prefix = unpacked(path, environ)
    contents = dict((name, read(prefix + b"/lib/" + name)) for name in (b"thin.dylib", b"fat"))
    for data in contents.values():
        assert LONG not in data and prefix + b"/lib\0" in data
        assert wrong_hashes(data) == []
    check_record(prefix, [b"thin.dylib", b"fat", b"fat"])
    assert differences(path, environ) == []
    for name, data in contents.items():
        write(prefix + b"/lib/" + name, data[:-100000] + b"?" + data[-99999:], 0o755)
        assert differences(path, environ) == [("prefix/lib/" + name.decode("ascii"), "altered")]
        repair.execute(path, None, environ)
        assert read(prefix + b"/lib/" + name) == data
        os.unlink(prefix + b"/lib/" + name)
        repair.execute(path, None, environ)
        assert read(prefix + b"/lib/" + name) == data


def test_other_platforms_sign_nothing(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    environ[b"COEX_ROOT"] = place + b"/store"
    prefix = unpacked(make_archive(place, [(b"thin.dylib", THIN)], "linux-64"), environ)
    data = read(prefix + b"/lib/thin.dylib")
    assert prefix + b"/lib\0" in data and wrong_hashes(data)


def test_codesign_signs_files_without_ad_hoc_signature(mac, place, environ):
    # type: (bytes, bytes, Dict[bytes, bytes]) -> None
    write(mac, SIGNS, 0o755)
    names = [b"thin.dylib", b"unsigned", b"certified.so", b"many", b"unreadable"]
    path = make_archive(place, list(zip(names, (THIN, UNSIGNED, CERTIFIED, MANY, UNREADABLE))))
    prefix = unpacked(path, environ)
    for name in names:
        data = read(prefix + b"/lib/" + name)
        assert data.endswith(b"signed " + name) == (name != b"thin.dylib")
    check_record(prefix, names)
    assert differences(path, environ) == []
    lines = read(mac + b".log").decode("ascii").splitlines()
    start = "--force --sign - --preserve-metadata=entitlements,flags,runtime /"
    assert lines and all(line.startswith(start) for line in lines)
    before = dict((name, read(prefix + b"/lib/" + name)) for name in names)
    for name in names:
        os.unlink(prefix + b"/lib/" + name)
    repair.execute(path, None, environ)
    assert dict((name, read(prefix + b"/lib/" + name)) for name in names) == before
    assert os.listdir(place + b"/tmp") == []


@pytest.fixture(autouse=True)
def temporary(place, monkeypatch):
    # type: (bytes, Any) -> None
    os.mkdir(place + b"/tmp")
    monkeypatch.setattr("tempfile.tempdir", (place + b"/tmp").decode("utf-8"))


FAILING = {"unsigned": UNSIGNED, "signed by a certificate": CERTIFIED, "of several frames": MANY}


@pytest.mark.parametrize("name", sorted(FAILING))
def test_error_of_codesign_names_the_file(mac, place, environ, name):
    # type: (bytes, bytes, Dict[bytes, bytes], str) -> None
    data, words = FAILING[name], "it is signed by a certificate" if "cert" in name else "it is not signed"
    write(mac, FAILS, 0o755)
    path = make_archive(place, [(b"some.dylib", data)])
    with pytest.raises(SigningFailed) as caught:
        unpacked(path, environ)
    said = "prefix/lib/some.dylib: macOS does not load it after its relocation: %s, and codesign says: no room; check that "
    assert str(caught.value).startswith(said % words)
    assert [name for name in os.listdir(environ[b"COEX_ROOT"]) if name != b"CACHEDIR.TAG"] == []
    # First with the metadata of its signature, then as conda does.
    lines = read(mac + b".log").decode("ascii").splitlines()
    assert ["--preserve" in line for line in lines] == [True, False]
    assert os.listdir(place + b"/tmp") == []


@pytest.mark.parametrize("present", [True, False])
def test_files_that_no_system_loads_may_stay_unsigned(mac, place, environ, present):
    # type: (bytes, bytes, Dict[bytes, bytes], bool) -> None
    """A signature that cannot be read was not valid in the package: conda installs such a file, with any result of codesign."""
    if present:
        write(mac, FAILS, 0o755)
    path = make_archive(place, [(b"unreadable", UNREADABLE), (b"thin", THIN)])
    prefix = unpacked(path, environ)
    assert prefix + b"/lib\0" in read(prefix + b"/lib/unreadable")
    assert differences(path, environ) == []


def test_no_codesign(mac, place, environ):
    # type: (bytes, bytes, Dict[bytes, bytes]) -> None
    with pytest.raises(SigningFailed) as caught:
        unpacked(make_archive(place, [(b"unsigned", UNSIGNED)]), environ)
    assert "codesign says: " + os.strerror(errno.ENOENT) in str(caught.value)


def test_intel_files_need_no_codesign(mac, place, environ):
    # type: (bytes, bytes, Dict[bytes, bytes]) -> None
    write(mac, FAILS, 0o755)
    prefix = unpacked(make_archive(place, [(b"unsigned", UNSIGNED)], "osx-64"), environ)
    assert prefix + b"/lib\0" in read(prefix + b"/lib/unsigned")
    assert not os.path.exists(mac + b".log")
