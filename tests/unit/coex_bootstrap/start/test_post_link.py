"""Post-link scripts: their environment, messages and failures; and the sources that the host compiles."""

import os
import signal
import subprocess
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import ScriptFailed
from coex_bootstrap.base.shell import quote
from coex_bootstrap.start.activate import write_activation
from coex_bootstrap.start.post_link import compile_sources, run_post_link

from unit.coex_bootstrap.building import make_manifest, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

DEMO = {"name": "demo", "version": "1.0", "build_number": 3}


@pytest.fixture
def root(place):
    # type: (bytes) -> bytes
    os.makedirs(place + b"/root/prefix/bin")
    return place + b"/root"


def run(root, environ, script, name="demo"):
    # type: (bytes, Dict[bytes, bytes], bytes, str) -> None
    write(root + b"/prefix/bin/.demo-post-link.sh", script)
    manifest = make_manifest(post_link=[dict(DEMO, name=name)])
    run_post_link(manifest, root, environ, write_activation)


def test_environment(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    names = "$PREFIX|$ROOT_PREFIX|$PKG_NAME|$PKG_VERSION|$PKG_BUILDNUM|$PWD|$CONDA_PREFIX|$OURS|${PATH%%:*}"
    environ[b"OURS"] = b"caller's"
    run(root, environ, b'printf %s "' + names.encode("ascii") + b'" > "$PREFIX/seen"\n')
    prefix = root + b"/prefix"
    expected = [prefix, prefix, b"demo", b"1.0", b"3", prefix + b"/bin", prefix, b"caller's", prefix + b"/bin"]
    assert read(prefix + b"/seen").split(b"|") == expected


def test_runs_in_bash(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    if not os.path.exists("/bin/bash"):
        pytest.skip("this machine has no bash")
    run(root, environ, b'words=(a b); [[ ${words[1]} == b ]] && touch "$PREFIX/seen"\n')
    assert os.path.exists(root + b"/prefix/seen")


@pytest.mark.parametrize("options", [b"errexit", b"nounset", b"noclobber", b"noexec", b"posix"])
def test_options_of_the_caller_are_not_for_it(root, environ, options):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """Neither is the file that the caller's own bash reads first."""
    write(root + b"/caller", b'touch "' + root + b'/read"\nexit 7\n')
    write(root + b"/prefix/seen", b"")
    environ.update({b"BASH_ENV": root + b"/caller", b"ENV": root + b"/caller", b"SHELLOPTS": options, b"BASHOPTS": b"nullglob"})
    run(root, environ, b'false; : $NOT_SET; echo here >"$PREFIX/seen"\n')
    assert read(root + b"/prefix/seen") == b"here\n"
    assert not os.path.exists(root + b"/read")


def test_order_and_files_of_an_earlier_one(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    first = b'mkdir -p "$PREFIX/etc/conda/activate.d"; echo export FIRST=1 > "$PREFIX/etc/conda/activate.d/x.sh"\n'
    write(root + b"/prefix/bin/.first-post-link.sh", first)
    write(root + b"/prefix/bin/.second-post-link.sh", b'printf %s "$FIRST" > "$PREFIX/seen"\n')
    packages = [dict(DEMO, name="first"), dict(DEMO, name="second")]
    run_post_link(make_manifest(post_link=packages), root, environ, write_activation)
    assert read(root + b"/prefix/seen") == b"1"


def test_messages_go_to_stderr_and_output_nowhere(root, environ, capfd):
    # type: (bytes, Dict[bytes, bytes], Any) -> None
    run(root, environ, b'echo noise; echo noise >&2; echo "use it well" >> "$PREFIX/.messages.txt"\n')
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "use it well\n")
    assert not os.path.exists(root + b"/prefix/.messages.txt")


@pytest.mark.parametrize("make", [b"ln -s /dev/zero", b"mkfifo"])
def test_messages_that_have_no_end(root, environ, capfd, make):
    # type: (bytes, Dict[bytes, bytes], pytest.CaptureFixture[str], bytes) -> None
    """A package, or its script, may put another kind of file there."""
    run(root, environ, make + b' "$PREFIX/.messages.txt"\n')
    assert capfd.readouterr() == ("", "")
    assert not os.path.lexists(root + b"/prefix/.messages.txt")


def test_no_script(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    run(root, environ, b"exit 1\n", name="other")


@pytest.mark.parametrize("script", [b"exit 3", b"(exit 3)"])
def test_failure(root, environ, script):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    with pytest.raises(ScriptFailed) as caught:
        run(root, environ, b'echo to stdout\necho "to stderr \xff" >&2; echo said > "$PREFIX/.messages.txt"\n' + script)
    text = str(caught.value)
    assert "/prefix/bin/.demo-post-link.sh: the post-link script of demo ended with status 3; " in text
    assert "start it again if the network" in text
    assert "; its output was:\n" in text
    assert [word for word in ("said", "to stdout", "to stderr") if word not in text] == []


def test_failure_without_a_word(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    with pytest.raises(ScriptFailed) as caught:
        run(root, environ, b"exit 7")
    text = str(caught.value)
    assert "the post-link script of demo ended with status 7; " in text
    assert text.endswith("; it printed nothing")
    assert "\n" not in text


def test_no_arguments(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    run(root, environ, b'printf %s "$#$*|${_coex_file-}" > "$PREFIX/seen"\n')
    assert read(root + b"/prefix/seen") == b"0|"


def test_an_activation_that_ends_false(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """conda goes on to the script."""
    write(root + b"/prefix/etc/conda/activate.d/x.sh", b"[ -d /dev/null ] && export X=1\n")
    run(root, environ, b': > "$PREFIX/seen"\n')
    assert os.path.exists(root + b"/prefix/seen")


@pytest.mark.parametrize("end", [b"exit 0", b"exit 3", b"trap - EXIT; exit 0", b"exec true", b"set -n"])
def test_an_activation_that_ends_the_shell(root, environ, end):
    # type: (bytes, Dict[bytes, bytes], bytes) -> None
    """A script that did not run is a failure, with any status."""
    os.makedirs(root + b"/prefix/etc/conda/activate.d")
    write(root + b"/prefix/etc/conda/activate.d/end.sh", end + b"\n")
    with pytest.raises(ScriptFailed) as raised:
        run(root, environ, b'touch "$PREFIX/seen"\n')
    assert "the post-link script of demo did not run: a script in etc/conda/activate.d ends the shell" in str(raised.value)
    assert not os.path.exists(root + b"/prefix/seen")


def test_a_broken_pipe_is_not_reported(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """Python ignores the signal, and 2.7 has its children ignore it too."""
    run(root, environ, b'(while :; do echo y; done) 2>"$PREFIX/said" | head -n 1 >"$PREFIX/seen"\n')
    assert (read(root + b"/prefix/seen"), read(root + b"/prefix/said")) == (b"y\n", b"")


def test_no_standard_input(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    run(root, environ, b'cat > "$PREFIX/seen"\n')
    assert read(root + b"/prefix/seen") == b""


def test_compile_sources(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    python = b"#!/bin/sh\nexec " + quote(compat.path_bytes(sys.executable)) + b' "$@"\n'
    write(root + b"/prefix/bin/python", python, 0o755)
    names = [u"lib/good.py", u"lib/bad.py", u"lib/\xe9 x.py"]
    for name, text in zip(names, (b"x = 1\n", b"x = = 1\n", b"y = 2\n")):
        write(root + b"/prefix/" + compat.utf8(name), text)
    environ.update({b"PYTHONDONTWRITEBYTECODE": b"1", b"PYTHONPYCACHEPREFIX": b"/nowhere", b"LC_ALL": b"C.UTF-8"})
    compile_sources(make_manifest(compile={"python": "bin/python", "sources": names}), root, environ)
    found = [name for _, _, files in os.walk(root + b"/prefix/lib") for name in files if name.endswith(b".pyc")]
    assert sorted(name.partition(b".")[0] for name in found) == [b"good", compat.utf8(u"\xe9 x")]
    assert os.listdir(root) == [b"prefix"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_list_of_sources_is_not_for_others_to_write(root, environ, umask):
    # type: (bytes, Dict[bytes, bytes], int) -> None
    python = b'#!/bin/sh\nfor last; do :; done\nls -l "$last" >"$PREFIX_SEEN"\n'
    write(root + b"/prefix/bin/python", python, 0o755)
    environ[b"PREFIX_SEEN"] = root + b"/prefix/seen"
    os.symlink(b"prefix/elsewhere", root + b"/compile.txt.new")
    old = os.umask(umask)
    try:
        compile_sources(make_manifest(compile={"python": "bin/python", "sources": [u"lib/a.py"]}), root, environ)
    finally:
        os.umask(old)
    assert read(root + b"/prefix/seen").startswith(b"-rw-r--r--")
    assert not os.path.lexists(root + b"/prefix/elsewhere")


def test_nothing_to_compile(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    compile_sources(make_manifest(), root, environ)
    assert os.listdir(root) == [b"prefix"]


def test_a_script_ends_with_its_parent(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """And so do the processes that it began: they hold the pipe whose end is read here."""
    reading, writing = os.pipe()
    if hasattr(os, "set_inheritable"):
        os.set_inheritable(writing, True)
    child = os.fork()
    if not child:
        script = b"sleep 600 & echo begun >&%d; sleep 600\n" % writing
        write(root + b"/prefix/bin/.demo-post-link.sh", script)
        begin_in_the_open(root, environ)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert stream.readline() == b"begun\n"
        os.kill(child, signal.SIGKILL)
        assert stream.read() == b""
    os.waitpid(child, 0)


def begin_in_the_open(root, environ):
    # type: (bytes, Dict[bytes, bytes]) -> None
    """Run the script in this process with all descriptors left open, and end."""
    popen = subprocess.Popen
    subprocess.Popen = lambda *words, **named: popen(*words, **dict(named, close_fds=False))  # type: ignore[assignment,misc]
    run_post_link(make_manifest(post_link=[DEMO]), root, environ, write_activation)
    os._exit(0)
