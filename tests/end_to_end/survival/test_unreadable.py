"""An archive whose medium fails, that is changed while it is read, or that is hidden: it is named, not the store."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.archive import Archive
from end_to_end.archives import ready_roots

if TYPE_CHECKING:
    from testbed.hosts import HostPython
    from testbed.survivor import Survivor

HOSTS = ("2.7", "newest")
FAILS = "the archive cannot be read: Input/output error"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library that makes reads of a file fail, to be preloaded."""
    path = tmp_path_factory.mktemp("library") / "failing_reads.so"
    command = ["cc", "-shared", "-fPIC", "-w", "-o", path, Path(__file__).with_name("failing_reads.c"), "-ldl"]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, host_pythons: list[HostPython]) -> HostPython:
    """Return the oldest or the newest Python that there is."""
    found = [host for host in host_pythons if not host.name.startswith("pypy")]
    chosen = found[0] if request.param == "2.7" else found[-1]
    if request.param == "2.7" and chosen.version != (2, 7):
        pytest.skip("no Python 2.7 is here")
    return chosen


def places(archive: Path) -> dict[str, tuple[int, int]]:
    """Return the parts of an archive that a start reads, by its stages: the first byte and the last."""
    opened = Archive(os.fsencode(archive))
    start, payload = opened.manifest.prelude, opened.manifest.payload
    size, frames = archive.stat().st_size, opened.index.frames
    opened.close()
    found = {"prelude": (0, start), "all frames": (start, start + payload), "end": (size - 22, size)}
    found["last frame"] = (start + frames[-1].offset + frames[-1].size - 1, start + payload)
    with zipfile.ZipFile(archive) as tail:
        for info in tail.infolist():
            found[info.filename] = (info.header_offset + 60, info.header_offset + 61)
    return found


def start(
    survivor: Survivor, host: HostPython, library: Path, place: tuple[int, int],
    by: tuple[Path, ...] = (), words: tuple[str, ...] = ("x",), **more: str,
) -> subprocess.CompletedProcess[str]:
    """Start the archive where a part of it cannot be read; no store is named, so that others could be tried."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(survivor.store), "TMPDIR": str(survivor.store / "tmp")}
    env.update(COEX_PYTHON=str(host.executable), LD_PRELOAD=str(library), FAIL_FILE=str(survivor.archive))
    env.update(FAIL_FROM=str(place[0]), FAIL_TO=str(place[1]), FAIL_ERRNO=str(errno.EIO), **more)
    (survivor.store / "tmp").mkdir(exist_ok=True)
    command = [*by, survivor.archive, *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def left(store: Path) -> list[str]:
    """Return the files in the places where a start may unpack, without a store's own mark."""
    return [str(path) for path in store.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG"]


@pytest.mark.parametrize(
    "stage",
    [
        *("coex_bootstrap/__main__.py", "coex_bootstrap/start/run.py", "coex.json", "index", "libzstd"),
        *("end", "all frames", "last frame"),
    ],
)
def test_bytes_that_cannot_be_read(survivor: Survivor, host: HostPython, library: Path, stage: str) -> None:
    done = start(survivor, host, library, places(survivor.archive)[stage])
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"coex: {survivor.archive}: {FAILS}")
    assert done.stderr.count("\n") == 1
    assert left(survivor.store) == []
    done = start(survivor, host, library, (0, 0))
    assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")


@pytest.mark.parametrize("stage", ["prelude", "all frames"])
def test_started_by_python(survivor: Survivor, host: HostPython, library: Path, stage: str) -> None:
    done = start(survivor, host, library, places(survivor.archive)[stage], (host.executable,))
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"coex: {survivor.archive}: {FAILS}")
    assert left(survivor.store) == []


def test_server_that_gives_few_bytes_at_a_time(survivor: Survivor, host: HostPython, library: Path) -> None:
    done = start(survivor, host, library, (0, 0), FAIL_SHORT="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")


@pytest.mark.parametrize("stage", ["coex.json", "index", "all frames", "last frame"])
@pytest.mark.parametrize("verb", ["verify", "unpack", "repair"])
def test_verbs(survivor: Survivor, host: HostPython, library: Path, tmp_path: Path, verb: str, stage: str) -> None:
    survivor.start()
    (ready_roots(survivor.store)[0] / "app/data/few-39").write_text("damaged")
    words = {"unpack": ("unpack", "-p", str(tmp_path / "env"))}.get(verb, (verb,))
    more = {"COEX_TOOLS": "1", "COEX_ROOT": str(survivor.store)}
    done = start(survivor, host, library, places(survivor.archive)[stage], words=words, **more)
    assert done.returncode == 1
    assert "cannot be read: Input/output error" in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == (verb != "verify" or "frame" not in stage)
    assert not (tmp_path / "env").exists()
    assert [str(path) for path in survivor.store.glob("*.*") if path.name != "CACHEDIR.TAG"] == []


# A start that does something else when it begins to write files.
CHANGE = """if True:
    import os, sys
    sys.path.insert(0, sys.argv[1])
    from coex_bootstrap.__main__ import open_modules
    sys.meta_path.insert(0, open_modules(sys.argv[1]))
    from coex_bootstrap.base import compat
    from coex_bootstrap.start import run
    from coex_bootstrap.unpack.writer import Writer
    prepare = Writer.prepare
    def and_change(self):
        prepare(self)
        exec(os.environ["THEN"])
    Writer.prepare = and_change
    sys.exit(run.main(compat.path_bytes(sys.argv[1]), [b"x"]))
"""


def test_changed_while_it_is_unpacked(survivor: Survivor, host: HostPython, tmp_path: Path) -> None:
    """`cp` of a new version writes into the existing file; touching it does no harm."""
    archive = tmp_path / "app.coex"
    shutil.copy(survivor.archive, archive)
    stat = archive.stat()
    def start_then(what: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(survivor.store), "THEN": what}
        command = [host.executable, "-E", "-s", "-S", "-c", CHANGE, archive]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)

    path = repr(str(archive))
    for what in (
        f"stream = open({path}, 'r+b'); stream.seek({stat.st_size // 2}); stream.write(b'changed'); stream.close()",
        f"open({path}, 'r+b').truncate({stat.st_size // 2})",
    ):
        done = start_then(what)
        said = f"coex: {archive}: the archive was changed while it was unpacked; start it again\n"
        assert (done.returncode, done.stdout, done.stderr) == (125, "", said)
        assert left(survivor.store) == []
        shutil.copy(survivor.archive, archive)
    done = start_then(f"os.utime({path}, (1, 1))")
    assert (done.returncode, done.stdout, done.stderr) == (0, survivor.expected, "")


def test_archive_that_a_mount_hides(survivor: Survivor, host: HostPython, tmp_path: Path, as_root: None) -> None:
    """A shell that has it open goes on; the Python that it starts finds nothing at its path."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    shutil.copy(survivor.archive, hidden / "app.coex")
    script = f'exec 3<"$0"; mount -t tmpfs none {hidden} && exec sh -c ". /dev/fd/3" "$0" x'
    env = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(survivor.store), "COEX_PYTHON": str(host.executable)}
    command = ["unshare", "-m", "sh", "-c", script, hidden / "app.coex"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    said = f"coex: {hidden}/app.coex: the archive cannot be read: No such file or directory\n"
    assert (done.returncode, done.stderr) == (125, said)


# Says where in the device the middle of a file is, and has the pages around it read again.
DROP = """if True:
    import fcntl, os, struct, sys
    stream = os.open(sys.argv[1], os.O_RDONLY)
    size, block = os.fstat(stream).st_size, os.statvfs(sys.argv[1]).f_bsize
    os.posix_fadvise(stream, size // 4, size // 2, os.POSIX_FADV_DONTNEED)
    FIBMAP = 1
    print(block * struct.unpack("I", fcntl.ioctl(stream, FIBMAP, struct.pack("I", size // 2 // block)))[0])
"""
PULL = """
mount -o loop "$1/image" "$1/mounted" || exit 99
cp "$0" "$1/mounted/app.coex" && umount "$1/mounted" && mount -o loop,ro "$1/image" "$1/mounted" || exit 99
cat "$1/mounted/app.coex" >/dev/null
truncate -s "$("$2" -c "$3" "$1/mounted/app.coex")" "$1/image"
exec "$1/mounted/app.coex" x
"""


def test_medium_that_was_pulled(survivor: Survivor, host: HostPython, tmp_path: Path, as_root: None) -> None:
    """A device that ends in the middle of the file: nothing is preloaded, the kernel itself says so."""
    (tmp_path / "mounted").mkdir()
    with (tmp_path / "image").open("wb") as stream:
        stream.truncate(64 << 20)
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(survivor.store), "COEX_PYTHON": str(host.executable)}
    subprocess.run(["mkfs.ext4", "-q", "-F", tmp_path / "image"], env=env, check=True)
    command = ["unshare", "-m", "sh", "-c", PULL, survivor.archive, tmp_path, sys.executable, DROP]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 99:
        pytest.skip("no image can be mounted here")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1)
    assert done.stderr.startswith(f"coex: {tmp_path}/mounted/app.coex: {FAILS}")
    assert left(survivor.store) == []
