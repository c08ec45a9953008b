"""The start of a root: what each shell execs when it sources it, and how Python hands over."""

import os
import signal
import subprocess
import sys

import coex_bootstrap
import pytest
from coex_bootstrap import compat
from coex_bootstrap.activate import write_activation
from coex_bootstrap.launch import command_words, write_start
from coex_bootstrap.shell import quote

from bootstrap.building import make_manifest, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence

SHOW = b'#!/bin/sh\nprintf "%s|" "$0" "$#" "$@" "$COEX_FILE" "$CONDA_PREFIX" "$-" "$$"\n'
ARGUMENTS = [b"", b"a b", b"-n", b"$x", b"\xff\xfe", b"new\nline", b"'", b"*"]
CALL = """
import sys
from coex_bootstrap import compat
from coex_bootstrap.launch import start
root, path = [compat.path_bytes(word) for word in sys.argv[1:3]]
start(root, path, [compat.path_bytes(word) for word in sys.argv[3:]], compat.environ_bytes())
"""


@pytest.fixture(params=[b"root", b"ro'o t$x %(shell)s"], ids=["plain", "awkward"])
def root(request, place):
    # type: (Any, bytes) -> bytes
    root = b"/".join([place, request.param])
    write(root + b"/prefix/bin/show", SHOW, 0o755)
    return root


def finish(root, command, shell=None):
    # type: (bytes, List[List[str]], Optional[bytes]) -> bytes
    manifest = make_manifest(entry_points=[{"name": "x", "command": command}])
    write_start(manifest, root, write_activation(root), shell)
    return root + b"/start"


def source(shell, start, environ, arguments):
    # type: (List[str], bytes, Dict[bytes, bytes], List[bytes]) -> bytes
    """Source `start` as the prelude does."""
    code = b"_coex_file=/the/archive; _coex_start=" + quote(start) + b'; . "$_coex_start"; echo fell through'
    command = [word.encode("ascii") for word in shell] + [b"-c", code, b"sh"]
    return subprocess.check_output(command + arguments, env=environ)


def call(root, path, environ, arguments=()):
    # type: (bytes, bytes, Dict[bytes, bytes], Sequence[bytes]) -> List[bytes]
    environ[b"PYTHONPATH"] = compat.path_bytes(os.path.dirname(os.path.dirname(os.path.abspath(coex_bootstrap.__file__))))
    command = [compat.path_bytes(sys.executable), b"-B", b"-c", CALL.encode("ascii"), root, path] + list(arguments)
    return subprocess.check_output(command, env=environ, cwd=compat.native(root)).split(b"|")


def test_sourced(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    start = finish(root, [["prefix", "bin/show"], ["text", "fixed $x 'y'"], ["app", "file name"]])
    found = source(shell, start, environ, ARGUMENTS).split(b"|")
    words = [b"fixed $x 'y'", root + b"/app/file name"] + ARGUMENTS
    expected = [root + b"/prefix/bin/show", str(len(words)).encode("ascii")] + words + [b"/the/archive", root + b"/prefix"]
    assert found[: len(expected)] == expected


def test_start_of_a_root_that_is_gone(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    start = finish(root, [["prefix", "bin/show"]])
    os.rename(start, start + b".moved")
    assert source(shell, start + b".moved", environ, []) == b"fell through\n"


def test_other_shell(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    if not os.path.exists("/bin/bash"):
        pytest.skip("this machine has no bash")
    write(root + b"/prefix/etc/conda/activate.d/a.sh", b"words=(a b); export CONDA_PREFIX=${words[1]}\n")
    start = finish(root, [["prefix", "bin/show"]], b"/bin/bash")
    environ.update({b"BASH_ENV": write(root + b"/evil", b"echo evil\n"), b"ENV": root + b"/evil"})
    found = source(shell, start, environ, ARGUMENTS)
    if shell != ["bash"]:  # which reads BASH_ENV itself, before any line of ours
        assert b"evil" not in found
    assert found.split(b"|")[2:-3] == ARGUMENTS + [b"/the/archive", b"b"]


def test_python_hands_over(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    finish(root, [["prefix", "bin/show"]])
    found = call(root, b"/the/archive", environ, ARGUMENTS)
    assert found[2:-3] == ARGUMENTS + [b"/the/archive", root + b"/prefix"]


@pytest.mark.parametrize("path", [b"x.coex", b"./x.coex", b"a b/../x.coex"])
def test_relative_path_of_the_archive(root, environ, path):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    finish(root, [["prefix", "bin/show"]])
    expected = os.path.realpath(root) + b"/" + (path[2:] if path.startswith(b"./") else path)
    assert call(root, path, environ)[2] == expected


def test_signals_are_as_a_program_expects(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write(root + b"/prefix/bin/show", b"#!/bin/sh\ngrep SigIgn /proc/self/status\n", 0o755)
    finish(root, [["prefix", "bin/show"]])
    if not os.path.exists("/proc/self/status"):
        pytest.skip("this system does not show the signals that a process ignores")
    ignored = int(call(root, b"/x", environ)[0].split()[1], 16)
    assert ignored & 1 << (signal.SIGPIPE - 1) == 0
    assert ignored & 1 << (signal.SIGXFSZ - 1) == 0


def test_same_process(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    write(root + b"/prefix/bin/show", b'#!/bin/sh\necho $$ > "$COEX_PREFIX/pid"\nexit 7\n', 0o755)
    finish(root, [["prefix", "bin/show"]])
    environ[b"PYTHONPATH"] = compat.path_bytes(os.path.dirname(os.path.dirname(os.path.abspath(coex_bootstrap.__file__))))
    process = subprocess.Popen([sys.executable, "-B", "-c", CALL, root, b"/x"], env=environ)
    assert process.wait() == 7
    assert int(read(root + b"/prefix/pid")) == process.pid


def test_command_words_of_any_text():
    # type: () -> None
    command = [["prefix", u"bin/\xe9"], ["app", u"\xe9"], ["text", "x"]]
    manifest = make_manifest(entry_points=[{"name": "x", "command": command}])
    assert command_words(manifest, b"/r") == [b"/r/prefix/bin/\xc3\xa9", b"/r/app/\xc3\xa9", b"x"]


def test_root_that_was_lost_a_moment_ago(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """Python found it ready; now something of it is gone: said in one line, with a status."""
    finish(root, [["prefix", "bin/show"]])
    os.unlink(root + b"/activate.sh")
    for name in (b"/nothing", b"/start"):
        if os.path.exists(root + name):
            os.unlink(root + name)
        environ[b"PYTHONPATH"] = compat.path_bytes(os.path.dirname(os.path.dirname(os.path.abspath(coex_bootstrap.__file__))))
        command = [compat.path_bytes(sys.executable), b"-B", b"-c", CALL.encode("ascii"), root, b"/the/archive"]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, said = process.communicate()
        assert (process.returncode, out) == (125, b"")
        assert said == b"coex: /the/archive: its unpacked files were removed while it started; start it again\n"
