"""The start of a root: the program that each shell execs when it sources it, and the change from Python."""

import os
import signal
import subprocess
import sys

import coex_bootstrap
import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.shell import quote
from coex_bootstrap.start.activate import write_activation
from coex_bootstrap.start.entry_choice import command_words
from coex_bootstrap.start.launch import write_start
from coex_bootstrap.store.directory import write_file

from unit.coex_bootstrap.building import make_manifest, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence

SHOW = b'#!/bin/sh\nprintf "%s|" "$0" "$#" "$@" "$COEX_FILE" "$CONDA_PREFIX" "$-" "$$"\n'
ARGUMENTS = [b"", b"a b", b"-n", b"$x", b"\xff\xfe", b"new\nline", b"'", b"*"]
CALL = """
import sys
from coex_bootstrap.base import compat
from coex_bootstrap.start.launch import start
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


def test_places_in_words(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    """The root's and the caller's directory, in words that ask for it alone, for any characters in these paths."""
    marks = "--x=${COEX_APP}/a'b:${COEX_PREFIX}:${PWD}/y:$PWD:${HOME}"
    start = finish(root, [["prefix", "bin/show"], ["expanded", marks], ["text", marks]])
    here = os.path.dirname(root)
    code = b'cd "$1" && shift && _coex_file=/x && . ' + quote(start)
    command = [word.encode("ascii") for word in shell] + [b"-c", code, b"sh", here]
    found = subprocess.check_output(command, env=environ).split(b"|")
    app, prefix = root + b"/app/a'b:", root + b"/prefix:"
    assert found[2:4] == [b"--x=" + app + prefix + here + b"/y:$PWD:${HOME}", marks.encode("ascii")]


PATHS = b'#!/bin/sh\nprintf "%s|" "${PYTHONPATH-unset}" "$@"\n'


@pytest.mark.parametrize("baked", [None, "/mine"])
def test_modules_of_the_app(shell, root, environ, baked):
    # type: (List[str], bytes, Dict[bytes, bytes], Optional[str]) -> None
    """Only an entry point that names them has their directories on PYTHONPATH, before those of the archive."""
    write(root + b"/prefix/bin/show", PATHS, 0o755)
    entries = [
        {"name": "x", "named": True, "command": [["prefix", "bin/show"]], "imports": ["app", "app/src"]},
        {"name": "y", "named": True, "command": [["prefix", "bin/show"], ["text", "y"]]},
    ]
    env = [{"name": "PYTHONPATH", "value": baked, "default": False}] if baked else []
    activation = write_activation(root, write_file, env)
    write_start(make_manifest(entry_points=entries), root, activation, None)
    environ.update({b"PYTHONPATH": b"/callers", b"_coex_imports": b"/evil"})
    own = root + b"/app:" + root + b"/app/src"
    after = baked.encode("ascii") if baked else b"unset"
    with_own = own + b":/mine" if baked else own
    for asked, file, expected in (
        (None, b"/x", [with_own]), (None, b"/y", [after, b"y"]), (b"x", b"/y", [with_own]), (b"y", b"/x", [after, b"y"]),
        (b"show z", b"/x", [after, b"z"]),
    ):
        environ.pop(b"COEX_ENTRYPOINT", None)
        environ.update({b"COEX_ENTRYPOINT": asked} if asked else {})
        command = [word.encode("ascii") for word in shell] + [b"-c", b"_coex_file=$0; . " + quote(root + b"/start"), file]
        assert subprocess.check_output(command, env=environ).split(b"|")[:-1] == expected


def test_module_as_python_runs_it(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """It is `__main__`, with its path as the program's name, and no module of the caller's directory is imported."""
    code = b"import sys, os, json, pkg.other\nprint((sys.argv[1:], __name__, os.path.basename(sys.argv[0]), __package__))\n"
    code += b"print((sys.path[0] == os.environ['COEX_APP'] + '/my src', sorted(n for n in globals() if n[0] != '_')))\n"
    for name, text in ((b"__init__", b""), (b"other", b""), (b"__main__", code)):
        write(root + b"/app/my src/pkg/" + name + b".py", text)
    for name in (b"json", b"os", b"runpy", b"pkg"):
        write(root + b"/here/" + name + b".py", b"raise SystemExit('of the caller')")
    words = command_words([["app", "x"], ["text", "-u"], ["module", "my src:pkg"], ["text", "a"]], root)
    environ[b"COEX_APP"] = root + b"/app"
    python = [compat.path_bytes(sys.executable), b"-B"] + words[1:]
    said = subprocess.check_output(python, env=environ, cwd=compat.native(root + b"/here")).decode("utf-8")
    assert said.splitlines() == [str((["a"], "__main__", "__main__.py", "pkg")), str((True, ["json", "os", "pkg", "sys"]))]


def test_shells_of_the_host():
    # type: () -> None
    assert command_words([["host", "sh"]], b"/r") + command_words([["host", "bash"]], b"/r") == [b"/bin/sh", b"bash"]


TWO = [
    {"name": "first", "named": True, "command": [["prefix", "bin/show"], ["text", "1"]]},
    {"name": "the 2nd", "named": True, "command": [["prefix", "bin/show"], ["text", "2"], ["text", ""]]},
    {"name": "show", "named": False, "command": [["prefix", "bin/show"], ["text", "3"]]},
]


def choose(shell, root, environ, name, asked=None, arguments=()):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, Optional[bytes], Sequence[bytes]) -> Any
    """Source the start of an archive with three entry points that is called by a name; return status, output, errors."""
    write_start(make_manifest(entry_points=TWO), root, write_activation(root), None)
    if asked is not None:
        environ[b"COEX_ENTRYPOINT"] = asked
    code = b"_coex_file=$1; shift; . " + quote(root + b"/start") + b"; echo fell through"
    command = [compat.path_bytes(word) for word in shell] + [b"-c", code, b"sh", name]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command + list(arguments), env=environ, **streams)  # type: ignore[call-overload]
    out, said = process.communicate()
    return process.returncode, out.split(b"|")[2:-5], said


@pytest.mark.parametrize(
    "name, words",
    [
        (b"/x/the 2nd", [b"2", b""]), (b"/x/the 2nd.coex", [b"2", b""]), (b"/x/show", [b"3"]), (b"/x/first", [b"1"]),
        (b"/x/the", [b"1"]), (b"/the 2nd/x.coex", [b"1"]), (b"/x/*", [b"1"]), (b"/x/", [b"1"]),
    ],
)
def test_entry_point_by_the_name_of_the_file(shell, root, environ, name, words):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, List[bytes]) -> None
    assert choose(shell, root, environ, name, None, ARGUMENTS) == (0, words + ARGUMENTS, b"")


LINES = [
    (b"the 2nd", [b"2", b""]), (b"first", [b"1"]),
    (b"show", []),  # its name is that of the command, which is intended
    (b" show  a\tb\nc ", [b"a", b"b", b"c"]),
    (b"show 'a b' \"c d\"e f\\ g ''", [b"a b", b"c de", b"f g", b""]),
    (b"show \"a\\\"b\\\\c\\d\\$e'f\" 'g\"\\h' i'j'\"k\"", [b"a\"b\\c\\d$e'f", b"g\"\\h", b"ijk"]),
    (b"sh'o'w $HOME $(exit) `exit` * ~ ; & > #", [b"$HOME", b"$(exit)", b"`exit`", b"*", b"~", b";", b"&", b">", b"#"]),
    (b"show \xff\xfe \xc3\xa9 \\\xc3\xa9", [b"\xff\xfe", b"\xc3\xa9", b"\xc3\xa9"]),
    (b"show -n -e a\\\\b %s", [b"-n", b"-e", b"a\\b", b"%s"]),
    (b"show " + b"'a' b " * 12, [b"a", b"b"] * 12),
]


@pytest.mark.parametrize("line, words", LINES, ids=[str(number) for number in range(len(LINES))])
def test_entry_point_that_is_asked_for(shell, root, environ, line, words):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes, List[bytes]) -> None
    assert choose(shell, root, environ, b"/x/the 2nd", line, ARGUMENTS) == (0, words + ARGUMENTS, b"")


@pytest.mark.parametrize("line", [
    b"nothing", b"nothing show", b"first show", b" ", b"bin/show", b"../bin/show", b".", b"''", b"-x", b"/bin/sh",
])
def test_entry_point_that_is_none(shell, root, environ, line):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    status, out, said = choose(shell, root, environ, b"/x/a", line, ARGUMENTS)
    assert (status, out, said.count(b"\n")) == (125, [], 1)
    word = line.strip().strip(b"'")  # an entry point that is given arguments is none, so the message has all words
    wanted = b"coex: /x/a: COEX_ENTRYPOINT: '" + word + b"' is neither an entry point (first, the 2nd, show) nor a command"
    assert said.startswith(wanted)


@pytest.mark.parametrize("line", [b"show 'a", b'show "a', b'show "a\\"', b"show a\\", b"'", b"show 'a' \"b"])
def test_entry_point_in_half_a_quotation(shell, root, environ, line):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    said = b"coex: /x/a: " + line + b": COEX_ENTRYPOINT ends within a quotation\n"
    assert choose(shell, root, environ, b"/x/a", line) == (125, [], said)


def test_entry_point_is_not_handed_to_children(shell, root, environ):
    # type: (List[str], bytes, Dict[bytes, bytes]) -> None
    write(root + b"/prefix/bin/show", b'#!/bin/sh\nprintf "||%s|||||" "${COEX_ENTRYPOINT-unset}"\n', 0o755)
    for asked in (b"first", b"show", b""):
        assert choose(shell, root, environ, b"/x/a", asked)[:2] == (0, [b"unset"])


@pytest.mark.parametrize("lost", [b"prefix/bin/show", b"app/other"])
def test_file_of_any_entry_point_that_is_gone(shell, root, environ, lost):
    # type: (List[str], bytes, Dict[bytes, bytes], bytes) -> None
    """Python makes the root again, for a file of any entry point."""
    write(root + b"/app/other", SHOW, 0o755)
    points = TWO + [{"name": "other", "named": True, "command": [["app", "other"]]}]
    write_start(make_manifest(entry_points=points), root, write_activation(root), None)
    write(root + b"/" + lost, b"")
    assert source(shell, root + b"/start", environ, []) == b"fell through\n"


def test_function(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """It is found in the app, not in the caller's directory, and its status is that of the process."""
    text = b"import sys\nclass A(object):\n  @staticmethod\n  def f():\n    print(sys.argv)\n    return 7\n"
    write(root + b"/app/pkg/__init__.py", b"")
    write(root + b"/app/pkg/mod.py", text)
    for name in (b"pkg", b"os", b"sys"):
        write(root + b"/cwd/" + name + b".py", b"raise SystemExit('of the caller')\n")
    write(root + b"/prefix/bin/python", b'#!/bin/sh\nexec "$REAL" "$@"\n', 0o755)
    environ[b"REAL"] = compat.path_bytes(sys.executable)
    start = finish(root, [["prefix", "bin/python"], ["function", "pkg.mod:A.f"]])
    code = b"_coex_file='/x/a b'; . " + quote(start)
    process = subprocess.Popen(
        [b"sh", b"-c", code, b"sh", b"c d"], env=environ, cwd=compat.native(root + b"/cwd"), stdout=subprocess.PIPE
    )
    assert (process.communicate()[0], process.returncode) == (b"['/x/a b', 'c d']\n", 7)


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
    assert command_words(command, b"/r") == [b"/r/prefix/bin/\xc3\xa9", b"/r/app/\xc3\xa9", b"x"]


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
