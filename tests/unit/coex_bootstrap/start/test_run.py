"""The whole start, in a Python of its own: an archive made by plain code unpacks and runs, or says in one line why not."""

import os
import signal
import subprocess
import sys
import time

import pytest
from coex_bootstrap.__main__ import drop_foreign_paths, main
from coex_bootstrap.base import compat
from coex_bootstrap.store.store import TAG

from unit.coex_bootstrap.building import file_row, make_index, read, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

SHOW = b'#!/bin/sh\nprintf "%s|" "$COEX_FILE" "$#" "$@"\nexit 7\n'
PYTHON = compat.path_bytes(sys.executable)


def show_index(script=SHOW, mode=0o755):
    # type: (bytes, int) -> Any
    return make_index([file_row(b"prefix/bin/demo", 0, 0, len(script), mode=mode)])


@pytest.fixture
def archive(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return an archive that shows its arguments; it carries no libzstd, so the host's decodes."""
    environ[b"COEX_ROOT"] = place + b"/store"
    write_archive(place + b"/demo.coex", show_index(), [SHOW])
    return place + b"/demo.coex"


def run(command, environ, status=7):
    # type: (List[bytes], Dict[bytes, bytes], int) -> Tuple[bytes, bytes]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, error = process.communicate()
    assert process.returncode == status, error
    return out, error


def test_cold_and_warm(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    words = [b"a b", b"", b"\xff"]
    for command in ([PYTHON, archive], [b"sh", archive], [PYTHON, archive]):
        assert run(command + words, environ) == (archive + b"|3|a b||\xff|", b"")
    (name,) = left(environ)
    assert set(os.listdir(environ[b"COEX_ROOT"] + b"/" + name)) >= {b"activate.sh", b"app", b"prefix", b"start"}


def test_start_that_is_a_pipe(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """No shell and no Python waits for its writer: the root is made again."""
    run([PYTHON, archive], environ)
    (name,) = left(environ)
    path = environ[b"COEX_ROOT"] + b"/" + name + b"/start"
    for command in ([b"sh", archive], [PYTHON, archive]):
        os.unlink(path)
        os.mkfifo(path, 0o644)
        assert run(command + [b"x"], environ) == (archive + b"|1|x|", b"")
        assert os.path.isfile(path)


def refused(command, environ, status=125):
    # type: (List[bytes], Dict[bytes, bytes], int) -> str
    """Return the one line that a start says that fails."""
    out, error = run(command, environ, status)
    assert out == b""
    assert error.startswith(b"coex: ")
    assert error.endswith(b"\n")
    assert error.count(b"\n") == 1
    return error.decode("utf-8")


def left(environ):
    # type: (Dict[bytes, bytes]) -> List[bytes]
    """Return the names in the store, without its mark."""
    return [name for name in os.listdir(environ[b"COEX_ROOT"]) if name != TAG]


def test_another_platform(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write_archive(archive, show_index(), [SHOW], platform="linux-z80")
    assert "this archive is for linux-z80" in refused([PYTHON, archive], environ)


def test_unknown_format(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write_archive(archive, show_index(), [SHOW], format=2)
    assert archive.decode("utf-8") + ": coex format 2 is not known" in refused([PYTHON, archive], environ)


def test_damaged_frame(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    data = read(archive)
    write(archive, data.replace(b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe"))
    assert "a frame cannot be decoded" in refused([PYTHON, archive], environ)
    assert left(environ) == []


def test_place_that_is_too_long(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write_archive(archive, show_index(), [SHOW], prefix_limit=20)
    assert "the packages allow 20" in refused([PYTHON, archive], environ)


def test_post_link_script_that_fails(archive, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    script = b"echo why\nexit 4\n"
    index = make_index([file_row(b"prefix/bin/.p-post-link.sh", 0, 0, len(script), mode=0o755)])
    package = {"name": "p", "version": "1", "build_number": 0}
    write_archive(archive, index, [script], post_link=[package])
    _, error = run([PYTHON, archive], environ, 125)
    assert b"the post-link script of p ended with status 4; " in error
    assert error.endswith(b"; its output was:\nwhy\n")
    assert left(environ) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_while_unpacking(archive, environ, name):
    # type: (bytes, Dict[bytes, bytes], str) -> None
    script = b'touch "$PREFIX/begun"; exec sleep 60\n'
    index = make_index([file_row(b"prefix/bin/.p-post-link.sh", 0, 0, len(script), mode=0o755)])
    write_archive(archive, index, [script], post_link=[{"name": "p", "version": "1", "build_number": 0}])
    number = getattr(signal, name)  # a shell's background job ignores SIGINT
    process = subprocess.Popen(
        [PYTHON, archive], env=environ, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)
    )
    while process.poll() is None and not begun(environ[b"COEX_ROOT"]):
        time.sleep(0.01)
    process.send_signal(number)
    error = process.communicate()[1]
    assert (process.returncode, error) == (-number, b"")
    assert left(environ) == []


def begun(store):
    # type: (bytes) -> bool
    return any(b"begun" in files for _, _, files in os.walk(store))


@pytest.mark.parametrize("version", [(2, 6, 9), (3, 2, 5)], ids=str)
def test_version_gate(monkeypatch, capsys, version):
    # type: (Any, Any, Tuple[int, int, int]) -> None
    monkeypatch.setattr(sys, "version_info", version)
    assert main("x.coex", []) == 125
    assert "coex: x.coex: Python 2.7, or 3.3 and newer, is needed; this is " in capsys.readouterr().err


def test_foreign_paths_are_dropped(monkeypatch):
    # type: (Any) -> None
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/foreign", "", "relative/below"]))
    below = os.path.abspath("relative/below")
    monkeypatch.setattr(sys, "path", ["/archive", "/foreign", "relative/below", below, "/usr/lib/python"])
    drop_foreign_paths()
    assert sys.path == ["/archive", "/usr/lib/python"]
