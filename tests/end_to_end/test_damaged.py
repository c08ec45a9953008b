"""Incomplete or damaged archives: one clear line, a status other than zero, and never a wrong output."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.archive import PRELUDE_START, Archive
from rebuilding import rebuild

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda, MakeArchive
    from testbed.hosts import HostPython

WAYS = ("./file", "sh", "oldest", "newest")
REMEDY = "get a fresh copy of the file"
# The message of a host's Python about a file that is not a zip, and which it cannot run therefore.
NO_ZIP = "{ : coex - this archive is not complete, " + REMEDY


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Path:
    """Return a small archive."""
    return make_archive("cprog", packages=("cprog",)).path


@pytest.fixture(scope="module")
def data(archive: Path) -> bytes:
    """Return the bytes of the archive."""
    return archive.read_bytes()


@pytest.fixture(scope="module")
def marks(archive: Path) -> dict[str, int]:
    """Return where the parts of the archive begin."""
    with closing(Archive(os.fsencode(archive))) as opened:
        prelude, payload = opened.manifest.prelude, opened.manifest.payload
        frames = {f"frame {number}": prelude + frame.offset for number, frame in enumerate(opened.index.frames)}
    size = archive.stat().st_size
    return {"payload": prelude, "tail": prelude + payload, "end": size - 22, "size": size, **frames}


def start(path: Path, way: str, store: Path, host_pythons: list[HostPython]) -> subprocess.CompletedProcess[str]:
    """Start a file in a way, and see that it says nothing on stdout, and leaves nothing."""
    pythons = sorted((host.version, host.executable) for host in host_pythons if not host.name.startswith("pypy"))
    words = {"./file": [], "sh": ["sh"], "oldest": [pythons[0][1]], "newest": [pythons[-1][1]]}[way]
    environ = {**os.environ, "PATH": f"{pythons[-1][1].parent}:{os.environ['PATH']}"}
    done = subprocess.run([*words, path], env=environ, capture_output=True, text=True, check=False, errors="replace")
    assert done.stdout == ""
    assert list(store.glob("*")) == []
    return done


def refused(path: Path, way: str, store: Path, host_pythons: list[HostPython]) -> str:
    """Return the one line of a start that fails."""
    done = start(path, way, store, host_pythons)
    assert done.returncode == 125, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("coex: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_truncated(
    data: bytes, marks: dict[str, int], way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    payload, tail, size = marks["payload"], marks["tail"], marks["size"]
    sizes = [payload, payload + 1, (payload + tail) // 2, tail, tail + 1, tail + 3000, (tail + size) // 2]
    for length in [*sizes, marks["end"], size - 21, size - 1]:
        path = write(tmp_path / "cut.coex", data[:length])
        if way in ("./file", "sh"):
            assert REMEDY in refused(path, way, store, host_pythons)
        else:
            done = start(path, way, store, host_pythons)
            assert done.returncode != 0
            assert NO_ZIP in done.stderr, length


@pytest.mark.parametrize("way", WAYS)
def test_truncated_in_its_prelude(
    data: bytes, marks: dict[str, int], way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    """From the first byte behind the #! line, which alone is an empty program to every shell and Python."""
    first, last = len("#!/bin/sh\n") + 1, marks["payload"] - 2
    step = 5 if way in ("./file", "sh") else 61
    for length in [*range(first, 200, step), *range(200, last, 97), last]:
        done = start(write(tmp_path / "cut.coex", data[:length]), way, store, host_pythons)
        assert done.returncode != 0, length
        if way in ("./file", "sh"):
            assert len(done.stderr.splitlines()) == 1
        else:
            assert "SyntaxError" in done.stderr.splitlines()[-1]
            assert NO_ZIP in done.stderr or length < first + len(NO_ZIP)


@pytest.mark.parametrize("way", ["dash", "bash", "busybox"])
def test_truncated_in_its_first_lines(
    data: bytes, way: str, shells: dict[str, list[str]], store: Path, tmp_path: Path
) -> None:
    if way not in shells:
        pytest.skip(f"missing on this machine: {way}")
    for length in range(len("#!/bin/sh\n") + 1, 800, 13):
        path = write(tmp_path / "cut.coex", data[:length])
        done = subprocess.run([*shells[way], path], capture_output=True, text=True, check=False)
        assert (done.returncode != 0, done.stdout, list(store.iterdir())) == (True, "", []), length
        assert 1 <= len(done.stderr.splitlines()) <= 2


def flipped(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 0x10]) + data[offset + 1 :]


@pytest.mark.parametrize("way", ["./file", "oldest", "newest"])
def test_byte_flipped_in_the_payload(
    data: bytes, marks: dict[str, int], way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    starts = [offset for name, offset in marks.items() if name.startswith("frame")]
    for number, offset in enumerate(starts):
        for place in (offset + number, (offset + (*starts, marks["tail"])[number + 1]) // 2):
            path = write(tmp_path / "flipped.coex", flipped(data, place))
            assert f"{path}: not a complete coex archive (a frame " in refused(path, way, store, host_pythons)


@pytest.mark.parametrize("way", ["./file", "oldest", "newest"])
def test_byte_flipped_in_the_tail(
    data: bytes, marks: dict[str, int], way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as tail:
        members = [info for info in tail.infolist() if way == "./file" or info.filename != "__main__.py"]
    if way != "./file":  # one checksum is of them all: some show that each Python compares it
        members = members[::3]
    for number, info in enumerate(members):
        name = info.filename.encode()
        middle = data.index(name, info.header_offset) + len(name) + info.compress_size // 2
        entry = data.rindex(name)  # its directory's, behind its checksum
        for place in {middle, (middle, entry, entry - 30)[number % 3]}:
            done = start(write(tmp_path / "flipped.coex", flipped(data, place)), way, store, host_pythons)
            assert REMEDY in done.stderr.splitlines()[-1], (info.filename, place)
            assert (done.returncode, "Traceback" in done.stderr) == (125, False)


def test_byte_flipped_in_the_prelude(
    data: bytes, marks: dict[str, int], store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    for place in range(20, marks["payload"], 127):
        done = start(write(tmp_path / "flipped.coex", flipped(data, place)), "./file", store, host_pythons)
        assert "greeting" not in done.stdout + done.stderr  # an altered line may do anything, except this


@pytest.mark.parametrize("way", WAYS)
def test_bytes_more(
    data: bytes, marks: dict[str, int], way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    for place in (marks["payload"], marks["tail"], marks["size"]):
        path = write(tmp_path / "more.coex", data[:place] + b"\n" + data[place:])
        done = start(path, way, store, host_pythons)
        assert done.returncode != 0
        assert REMEDY in done.stderr


def foreign(kind: str) -> bytes:
    """Return a file that begins with the first line of an archive, and is not an archive."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("some.txt", "text")
    elif kind == "tar":
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("x"))
    return {"empty": b"", "program": b"\x7fELF", "text": b"hello\n", "tail alone": b""}.get(kind, buffer.getvalue())


@pytest.mark.parametrize("kind", ["program", "text", "zip", "tar", "empty", "half"])
def test_inspect_of_another_file(conda: Conda, data: bytes, kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "foreign", data[: len(data) // 2] if kind == "half" else foreign(kind))
    done = conda("coex", "inspect", path, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}: not a complete coex archive (" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["zip", "text"])
@pytest.mark.parametrize("way", WAYS)
def test_prelude_before_other_bytes(
    data: bytes, marks: dict[str, int], kind: str, way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    path = write(tmp_path / "foreign", data[: marks["payload"]] + foreign(kind))
    done = start(path, way, store, host_pythons)
    assert done.returncode != 0
    is_run = kind == "zip" and way in ("oldest", "newest")  # by a Python that takes it for an application in a zip
    assert ("can't find '__main__' module in" if is_run else REMEDY) in done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_another_platform(archive: Path, way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path) -> None:
    other = rebuild(archive, tmp_path / "other.coex", platform="osx-arm64")
    assert "this archive is for osx-arm64, this host is " in refused(other, way, store, host_pythons)


@pytest.mark.parametrize("way", WAYS)
def test_another_format(
    archive: Path, conda: Conda, way: str, store: Path, host_pythons: list[HostPython], tmp_path: Path
) -> None:
    other = rebuild(archive, tmp_path / "other.coex", format=99)
    expected = f"{other}: coex format 99 is not known to this reader; use a newer conda-coex"
    assert expected in refused(other, way, store, host_pythons)
    if way == "./file":
        done = conda("coex", "inspect", other, check=False)
        assert done.returncode == 1
        assert expected in done.stderr


def test_altered_while_it_is_warm(archive: Path, data: bytes, store: Path, tmp_path: Path) -> None:
    subprocess.run([archive], check=True, capture_output=True)
    path = write(tmp_path / "cut.coex", data[: len(data) // 2])
    done = subprocess.run([path], capture_output=True, text=True, check=True)
    assert "greeting=good day" in done.stdout  # the root is whole: the rest of the file is not read


def test_archives_begin_as_builders_look_for(data: bytes) -> None:
    assert data.startswith(PRELUDE_START)
