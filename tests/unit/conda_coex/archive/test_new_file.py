"""A new file: it has its place when it is whole, with the mode that it needs, and leaves nothing otherwise."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conda_coex.archive import new_file
from conda_coex.archive.new_file import NewFile, check_place, output_file
from conda_coex.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WRITE = """
import os, sys
from pathlib import Path
from conda_coex.archive import new_file
if sys.argv[2] == "named":
    new_file.DESCRIPTORS = "/nowhere"
with new_file.output_file(Path(sys.argv[1]), 0o777) as stream:
    stream.write(b"new")
    stream.flush()
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["unnamed", "named"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return whether files have a name while they are written: not every file system has files without one."""
    if request.param == "named":
        monkeypatch.setattr(new_file, "DESCRIPTORS", "/nowhere")
    return str(request.param)


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


@pytest.mark.parametrize(("mode", "mask", "expected"), [(0o777, 0o022, 0o755), (0o666, 0o077, 0o600)])
@pytest.mark.usefixtures("kind")
def test_takes_its_place(tmp_path: Path, mode: int, mask: int, expected: int) -> None:
    path = tmp_path / "out"
    path.write_text("old", encoding="utf-8")
    with umask(mask), output_file(path, mode) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o7777 == expected
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, FileNotFoundError(2, "gone", "source")])
@pytest.mark.usefixtures("kind")
def test_error_inside_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out"
    path.write_text("old", encoding="utf-8")
    with contextlib.suppress(ValueError, KeyboardInterrupt, FileNotFoundError):
        with output_file(path, 0o666) as stream:
            stream.write(b"new")
            raise error
        pytest.fail("the error was lost")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


@pytest.mark.usefixtures("kind")
def test_full_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with (
            pytest.raises(OutputError, match="cannot be written: File too large"),
            output_file(tmp_path / "out", 0o666) as stream,
        ):
            stream.write(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "held"), [(signal.SIGINT, "named"), (signal.SIGKILL, "unnamed")])
def test_signals(tmp_path: Path, number: signal.Signals, held: str) -> None:
    """A signal that Python sees cleans up; one that kills leaves nothing if the file has no name."""
    words = [sys.executable, "-c", WRITE, str(tmp_path / "out"), held]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(list(tmp_path.iterdir())) == (held == "named")
        process.send_signal(number)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_on_the_disk_before_and_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "out", []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_ino, path.exists())))
    with output_file(path, 0o666) as stream:
        stream.write(b"new")
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]
    new = NewFile(tmp_path / "entry")
    new.commit(0o644, durable=False)
    assert len(synced) == 2


def test_link_stays(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d/out")
    with output_file(tmp_path / "link", 0o666) as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "d/out").read_bytes() == b"new"


def test_directory_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file"), output_file(tmp_path / "d/out", 0o666):
        pass


def test_place(tmp_path: Path) -> None:
    own, other, pipe = tmp_path / "own", tmp_path / "other", tmp_path / "pipe"
    own.write_bytes(b"own")
    other.write_bytes(b"other")
    os.mkfifo(pipe)
    (tmp_path / "to a pipe").symlink_to(pipe)
    descriptor, other_end = os.pipe()

    def is_own(path: Path) -> bool:
        return path.read_bytes() == b"own"

    check_place(own, is_own, "a test", "-o")
    check_place(tmp_path / "new", is_own, "a test", "-o")
    for path, says in (
        (other, "is not a test, and would be replaced"),
        (pipe, "the output is a pipe or a device; name a file with -o"),
        (tmp_path / "to a pipe", "to a pipe: the output is a pipe or a device"),
        (type(tmp_path)(f"/dev/fd/{descriptor}"), f"/dev/fd/{descriptor}: the output is a pipe"),
        (type(tmp_path)(os.devnull), "/dev/null: the output is a pipe or a device"),
        (tmp_path, "is a directory"),
        (tmp_path / "d/x", "does not exist"),
    ):
        with pytest.raises(OutputError, match=says):
            check_place(path, is_own, "a test", "-o")
    os.close(descriptor)
    os.close(other_end)


def refuse(*_: object) -> int:
    raise OSError(errno.EXDEV, "not within a file system")


@pytest.mark.parametrize("lacking", [(), ("copy_file_range",), ("copy_file_range", "sendfile")], ids=len)
@pytest.mark.parametrize("end", [3_000_000, 2_000_000], ids=["whole", "short"])
def test_copy_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: Sequence[str], end: int) -> None:
    """Every way to copy that a system can have gives the same bytes, and fewer if the file ends early."""
    for name in lacking:
        monkeypatch.setattr(os, name, refuse)
    data = random.Random(3).randbytes(end)
    (tmp_path / "from").write_bytes(data)
    with (tmp_path / "from").open("rb") as source, (tmp_path / "to").open("w+b") as target:
        source.seek(7)
        target.seek(9)
        new_file.copy_range(source.fileno(), 1000, 2_500_000, target.fileno(), 5000, lambda error: error)
        assert (source.tell(), target.tell()) == (7, 9)
    assert (tmp_path / "to").read_bytes() == bytes(5000) + data[1000:2_501_000]


@pytest.mark.parametrize("fails", ["source", "target"])
def test_copy_range_of_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """The error is about the file that cannot be read, or written: they may be on two disks."""

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    for name in ("copy_file_range", "sendfile", "pread" if fails == "source" else "pwrite"):
        monkeypatch.setattr(os, name, fail)
    (tmp_path / "from").write_bytes(b"data")
    expected = pytest.raises(LookupError if fails == "source" else OSError, match="Input/output error")
    with (tmp_path / "from").open("rb") as source, (tmp_path / "to").open("w+b") as target, expected:
        new_file.copy_range(source.fileno(), 0, 4, target.fileno(), 0, lambda error: LookupError(str(error)))
