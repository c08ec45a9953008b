"""The entry point's process is the caller's: pid, arguments, streams, signals, status; no host Python shows through."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from archives import ready_roots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import MakeArchive
    from testbed.hosts import HostPython

ARGUMENTS = [b"", b"a b", b"-n", b"--help", b"$x", b"\xff\xfe", b"new\nline", b"'\"", b"*", b"\\", b"@file"]
INPUT = bytes(range(256)) * 1000
PROBE = """
import hashlib, json, multiprocessing, os, sys
os.umask(mask := os.umask(0))
descriptors = {}
for name in os.listdir("/proc/self/fd"):
    try:
        descriptors[name] = os.readlink("/proc/self/fd/" + name)
    except OSError:
        pass
json.dump({
    "pid": os.getpid(), "argv": [os.fsencode(word).hex() for word in sys.argv[1:]], "cwd": os.getcwd(), "umask": mask,
    "stdin": hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), "descriptors": descriptors,
    "environ": dict(os.environ), "executable": sys.executable, "prefix": sys.prefix, "path": sys.path,
    "spawned": multiprocessing.get_context("spawn").Pool(1).map(abs, [-1]),
}, sys.stdout)
sys.exit(7)
"""
HOSTILE = (
    "argparse", "base64", "binascii", "bisect", "coex_bootstrap", "ctypes", "fcntl", "hashlib", "json", "marshal",
    "platform", "random", "shutil", "signal", "struct", "subprocess", "tempfile", "zlib",
)  # fmt: skip


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Path:
    """Return an archive whose entry point is its Python."""
    return make_archive("python", packages=("python",)).path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of modules that end any process that imports them."""
    directory = tmp_path_factory.mktemp("hostile")
    for name in HOSTILE:
        (directory / f"{name}.py").write_text("raise SystemExit('hostile')\n")
    return directory


@dataclass(frozen=True)
class Started:
    """The input of a start of the probe, and its output."""

    process: subprocess.Popen[bytes]
    store: Path
    directory: Path
    descriptor: int
    said: dict[str, Any]


def words_of(way: str, archive: Path, host_pythons: list[HostPython]) -> list[str | Path]:
    """Return the command of a way to start: the file itself, or the oldest or the newest Python with it."""
    if way == "./file":
        return []
    hosts = sorted((host.version, host.executable) for host in host_pythons if not host.name.startswith("pypy"))
    return [hosts[0 if way == "oldest" else -1][1]]


@pytest.fixture(scope="module", params=["./file", "oldest", "newest"])
def way(request: pytest.FixtureRequest) -> str:
    """Return how the archive is started."""
    return str(request.param)


@pytest.fixture(scope="module", params=["cold", "warm"])
def started(
    request: pytest.FixtureRequest,
    way: str,
    archive: Path,
    hostile: Path,
    host_pythons: list[HostPython],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Started]:
    """Start the probe in a directory and an environment of its own."""
    directory = tmp_path_factory.mktemp("a place")
    store = directory / "store"
    environ = {"PATH": os.environ["PATH"], "COEX_ROOT": str(store), "KEPT": "\udcff", "HOME": str(directory)}
    command = [*words_of(way, archive, host_pythons), archive]
    if request.param == "warm":
        subprocess.run([*command, "-c", ""], env=environ, check=True)
    environ |= {"PYTHONPATH": str(hostile), "PYTHONSTARTUP": "/nowhere", "PYTHONSAFEPATH": "1"}
    if way == "./file":
        (hostile / "os.py").write_text("raise SystemExit('hostile')\n")
        environ["PYTHONHOME"] = str(hostile)  # no Python starts with that, unless it does not look
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*command, "-c", PROBE, *ARGUMENTS],
        env=environ, cwd=directory, umask=0o027, pass_fds=[reading], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    out, _ = process.communicate(INPUT)
    os.close(reading)
    os.close(writing)
    (hostile / "os.py").unlink(missing_ok=True)
    yield Started(process, store, directory, reading, json.loads(out))
    shutil.rmtree(directory)


def test_same_process_and_status(started: Started) -> None:
    assert started.said["pid"] == started.process.pid
    assert started.process.returncode == 7


def test_arguments_of_any_bytes(started: Started) -> None:
    assert [bytes.fromhex(word) for word in started.said["argv"]] == ARGUMENTS


def test_standard_input(started: Started) -> None:
    assert started.said["stdin"] == hashlib.sha256(INPUT).hexdigest()


def test_directory_and_umask(started: Started) -> None:
    assert (started.said["cwd"], started.said["umask"]) == (str(started.directory), 0o027)


def test_descriptors(started: Started) -> None:
    assert started.said["descriptors"].keys() == {"0", "1", "2", str(started.descriptor)}


def test_signals_are_default(make_archive: MakeArchive, host_pythons: list[HostPython], store: Path) -> None:
    script = "#!/bin/sh\ngrep -e SigIgn -e SigBlk /proc/self/status\n"
    archive = make_archive("./status.sh", packages=("cprog",), status=script).path
    for way in ("./file", "oldest", "newest"):
        for _ in "cold", "warm":
            done = subprocess.run([*words_of(way, archive, host_pythons), archive], capture_output=True, check=True)
            assert {int(line.split()[1], 16) for line in done.stdout.splitlines()} == {0}, way
        shutil.rmtree(ready_roots(store)[0])


def test_environment(started: Started, archive: Path) -> None:
    (root,) = ready_roots(started.store)
    environ = started.said["environ"]
    assert {name for name in environ if name.startswith("PYTHON")} == {"PYTHONNOUSERSITE", "PYTHONSAFEPATH"}
    assert [name for name in environ if name.startswith("_coex")] == []
    assert environ["KEPT"] == "\udcff"
    assert (environ["COEX_FILE"], environ["COEX_PREFIX"]) == (str(archive), f"{root}/prefix")


def test_python_is_the_environments(started: Started, hostile: Path) -> None:
    (root,) = ready_roots(started.store)
    assert started.said["executable"].startswith(f"{root}/prefix/bin/python")
    assert started.said["prefix"] == f"{root}/prefix"
    assert [entry for entry in started.said["path"] if entry and not entry.startswith(f"{root}/")] == []
    assert started.said["spawned"] == [1]


def wait_for(found: Any, process: subprocess.Popen[bytes]) -> None:
    while not found():
        assert process.poll() is None, "it ended before it was stopped"
        time.sleep(0.001)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_signal_reaches_the_entry_point(
    archive: Path, way: str, number: signal.Signals, host_pythons: list[HostPython], warm_store: Path
) -> None:
    code = "from signal import *; signal(SIGINT, SIG_DFL); print('ready', flush=True); pause()"
    command = [*words_of(way, archive, host_pythons), archive, "-c", code]
    environ = {**os.environ, "COEX_ROOT": str(warm_store)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait() == -number


@pytest.fixture(scope="module")
def warm_store(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store in which the archive is ready."""
    store = tmp_path_factory.mktemp("warm") / "store"
    subprocess.run([archive, "-c", ""], env={**os.environ, "COEX_ROOT": str(store)}, check=True)
    return store


def test_signal_that_the_caller_ignores(archive: Path, way: str, host_pythons: list[HostPython], store: Path) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    command = [*words_of(way, archive, host_pythons), archive, "-c", code]
    for _ in "cold", "warm":
        done = subprocess.run(["nohup", *command], capture_output=True, stdin=subprocess.PIPE, check=True)
        assert done.stdout == b"True\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_signal_while_it_unpacks(
    archive: Path, way: str, number: signal.Signals, host_pythons: list[HostPython], store: Path
) -> None:
    command = [*words_of(way, archive, host_pythons), archive, "-c", "print('started')"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for(lambda: list(store.glob("*.work-*/prefix")), process)
        os.killpg(process.pid, number)  # as a terminal does
        out, said = process.communicate()
    assert (process.returncode, out, said) == (-number, b"", b"")
    assert list(store.iterdir()) == []


def test_killed_while_it_unpacks(archive: Path, way: str, host_pythons: list[HostPython], store: Path) -> None:
    command = [*words_of(way, archive, host_pythons), archive, "-c", "print('started')"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        wait_for(lambda: list(store.glob("*.work-*/prefix")), process)
        os.killpg(process.pid, signal.SIGKILL)
    assert list(store.glob("*.work-*"))
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"started\n"
    assert list(store.glob("*.work-*")) == []
