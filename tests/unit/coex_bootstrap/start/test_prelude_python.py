"""The Python that an archive for Linux starts at once, and those that are asked first, because they may not run."""

import os
import shutil
import subprocess
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.format.manifest import ID_LENGTH, fill_prelude

from unit.coex_bootstrap.building import CARRIED, read, write
from unit.coex_bootstrap.programs import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the loader of Linux is asked")

# A Python that says so if it starts the archive, and fails if the prelude asks it anything.
STARTED = """\
#include <stdio.h>
#include <string.h>
int needed(void);
int main(int count, char **words) {
  if (count < 6 || strstr(words[5], "import posix")) return 1;
  needed();
  printf("%s", words[0]);
  return 0;
}
"""
LIBRARY = (b"json/__init__", b"os", b"abc", b"codecs", b"io", b"encodings/__init__", b"encodings/aliases", b"encodings/utf_8")
OTHER = b"#!/bin/sh\ncase $5 in *'import posix'*) printf %s \"$0\" ;; *) printf other ;; esac\n"
SHIM = b"#!/bin/sh\nexec %s \"$@\"\n"


def compile_c(path, source, *options):
    # type: (bytes, str, *bytes) -> None
    source_path = write(path + b".c", source.encode("ascii"))
    try:
        subprocess.check_call(["cc", "-w", "-o", path, source_path] + list(options))
    except OSError:
        pytest.skip("this machine has no cc")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    # type: (Any) -> bytes
    """Return a prefix with a Python that needs a library beside it, and whose ctypes needs another one."""
    up = compat.path_bytes(str(tmp_path_factory.mktemp("whole")))
    library = up + b"/lib/python3.11"
    for name in LIBRARY:
        write(library + b"/" + name + b".py", b"#")
    os.makedirs(library + b"/lib-dynload")
    os.mkdir(up + b"/bin")
    for name in (b"python", b"ffi"):
        compile_c(up + b"/lib/lib" + name + b"-of-up.so", "int needed(void) { return 1; }", b"-shared", b"-fPIC")
    compile_c(up + b"/bin/python3.11", STARTED, b"-L" + up + b"/lib", b"-lpython-of-up", b"-Wl,-rpath,$ORIGIN/../lib")
    compile_c(
        ctypes_of(up), "int needed(void); int used(void) { return needed(); }",
        b"-shared", b"-fPIC", b"-L" + up + b"/lib", b"-lffi-of-up", b"-Wl,-rpath,$ORIGIN/../..",
    )
    os.symlink(b"python3.11", up + b"/bin/python3")
    return up


@pytest.fixture
def up(place, whole):
    # type: (bytes, bytes) -> bytes
    """Return a copy of that prefix, to be damaged."""
    shutil.copytree(whole, place + b"/up", symlinks=True)
    return place + b"/up"


def ctypes_of(up):
    # type: (bytes) -> bytes
    return up + b"/lib/python3.11/lib-dynload/_ctypes.cpython-311-x86_64-linux-gnu.so"


@pytest.fixture
def start(place, environ, shell):
    # type: (bytes, Dict[bytes, bytes], List[str]) -> Callable[..., bytes]
    """Return a function that starts an archive with this Python, then with another one; it returns the choice."""
    write(place + b"/other/python2.7", OTHER, 0o755)
    text = fill_prelude(CARRIED["coex_bootstrap/prelude.sh"], b"0" * ID_LENGTH, "linux-64")

    def start(python, path=place + b"/other", system=b"/usr"):
        # type: (bytes, bytes, bytes) -> bytes
        assert b'"$_coex_up" != /usr ' in text
        write(place + b"/demo.coex", text.replace(b'"$_coex_up" != /usr ', b'"$_coex_up" != ' + system + b" "))
        environ[b"COEX_PYTHON"], environ[b"PATH"] = python, path
        words = [program(shell[0])] + shell[1:] + [place + b"/demo.coex"]
        process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, error = process.communicate()
        assert (process.returncode, error.strip() or b"Segmentation fault") == (0, b"Segmentation fault")  # of a probe
        return out

    return start


@pytest.fixture
def without_probe(shell):
    # type: (List[str]) -> None
    if shell[0] == "zsh":
        pytest.skip("zsh asks every Python")


@pytest.mark.usefixtures("without_probe")
def test_whole_python_is_not_asked(start, up):
    # type: (Callable[..., bytes], bytes) -> None
    assert start(up + b"/bin/python3") == up + b"/bin/python3"
    assert start(up + b"/bin/python3.11") == up + b"/bin/python3.11"


def test_python_on_path(start, up, environ, place, shell):
    # type: (Callable[..., bytes], bytes, Dict[bytes, bytes], bytes, List[str]) -> None
    if shell[0] != "zsh":
        assert start(b"", up + b"/bin:" + place + b"/other") == up + b"/bin/python3"
    os.symlink(up + b"/bin/python3.11", place + b"/other/python3")  # no library is beside this name
    assert start(b"") == b"other"


def remove(path):
    # type: (bytes) -> Callable[[bytes], None]
    return lambda up: os.unlink(up + path)


def rewrite(path, change):
    # type: (bytes, Callable[[bytes], bytes]) -> Callable[[bytes], None]
    return lambda up: write(up + path, change(read(up + path)), 0o755) and None


def replace_by_shim(up):
    # type: (bytes) -> None
    os.rename(up + b"/bin/python3.11", up + b"/bin/real")
    write(up + b"/bin/python3.11", SHIM % (up + b"/bin/real"), 0o755)


def move_away(up):
    # type: (bytes) -> None
    """The program is elsewhere, where Python looks for its library."""
    os.rename(up + b"/bin/python3.11", up + b"/python3.11")
    os.symlink(b"../python3.11", up + b"/bin/python3.11")


def replace_by_another(up):
    # type: (bytes) -> None
    os.unlink(up + b"/bin/python3")
    write(up + b"/bin/python3", read(up + b"/bin/python3.11"), 0o755)


def of_another_processor(program):
    # type: (bytes) -> bytes
    """Return a program in whose header (elf(5), e_machine) is a processor that nobody has."""
    return program[:18] + b"\xfe\xfe" + program[20:]


DAMAGES = {
    "no libpython": remove(b"/lib/libpython-of-up.so"),
    "no libffi": remove(b"/lib/libffi-of-up.so"),
    "empty encodings": lambda up: write(up + b"/lib/python3.11/encodings/__init__.py", b"") and None,
    "no ctypes": lambda up: os.unlink(ctypes_of(up)),
    "ctypes of another processor": lambda up: write(ctypes_of(up), of_another_processor(read(ctypes_of(up)))) and None,
    "another processor": rewrite(b"/bin/python3.11", of_another_processor),
    "half of it": rewrite(b"/bin/python3.11", lambda program: program[: len(program) // 2]),
    "empty": rewrite(b"/bin/python3.11", lambda program: b""),
    "not executable": lambda up: os.chmod(up + b"/bin/python3.11", 0o644),
    "a shim": replace_by_shim,
    "another file than python3.11": replace_by_another,
    "a link to another directory": move_away,
}
DAMAGES.update(("no " + name.decode("ascii"), remove(b"/lib/python3.11/" + name + b".py")) for name in LIBRARY)


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_python_that_may_not_run_is_asked(start, up, damage):
    # type: (Callable[..., bytes], bytes, str) -> None
    DAMAGES[damage](up)
    assert start(up + b"/bin/python3") == b"other"


@pytest.mark.usefixtures("without_probe")
def test_python_of_the_system_is_not_traced(start, up):
    # type: (Callable[..., bytes], bytes) -> None
    write(ctypes_of(up), b"nothing that a loader could list")
    assert start(up + b"/bin/python3", system=up) == up + b"/bin/python3"


def test_python_of_the_system_that_is_for_others(start, up):
    # type: (Callable[..., bytes], bytes) -> None
    """An administrator may take it away from users; an exec that fails would end the shell."""
    os.chmod(up + b"/bin/python3.11", 0o644)
    assert start(up + b"/bin/python3", system=up) == b"other"


@pytest.mark.parametrize("text", [b"echo welcome", b"echo /nowhere/python3", b"echo; echo /"])
def test_python_that_answers_nonsense(start, place, text):
    # type: (Callable[..., bytes], bytes, bytes) -> None
    """As a wrapper that greets: the next one is asked."""
    write(place + b"/other/python3", b"#!/bin/sh\n" + text + b"\n", 0o755)
    assert start(b"") == b"other"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("name", LIBRARY)
def test_library_that_cannot_be_read(start, up, name):
    # type: (Callable[..., bytes], bytes, bytes) -> None
    """As after an installation under a strict umask."""
    os.chmod(up + b"/lib/python3.11/" + name + b".py", 0)
    assert start(up + b"/bin/python3") == b"other"


@pytest.mark.parametrize("name", [b"LD_LIBRARY_PATH", b"LD_PRELOAD"])
@pytest.mark.parametrize("end", [b"", b":"])
def test_libraries_of_the_caller(start, up, environ, place, name, end):
    # type: (Callable[..., bytes], bytes, Dict[bytes, bytes], bytes, bytes, bytes) -> None
    """A list may end with a colon."""
    environ[name] = up + (b"/lib" if name == b"LD_LIBRARY_PATH" else b"/lib/libffi-of-up.so") + end
    assert start(up + b"/bin/python3") == b"other"


@pytest.mark.parametrize("option", [b"failglob", b"checkwinsize:failglob"])
def test_options_of_bash(start, up, environ, option):
    # type: (Callable[..., bytes], bytes, Dict[bytes, bytes], bytes) -> None
    environ[b"BASHOPTS"] = option
    assert start(up + b"/bin/python3") == b"other"


def test_name_like_an_option(start, up, environ, place, monkeypatch):
    # type: (Callable[..., bytes], bytes, Dict[bytes, bytes], bytes, Any) -> None
    os.rename(up, place + b"/-c")
    monkeypatch.chdir(compat.text(place))
    assert start(b"-c/bin/python3") == b"other"


def test_wrapper_of_nix(start, up, place):
    # type: (Callable[..., bytes], bytes, bytes) -> None
    """It is a program as any other, and sets PYTHONNOUSERSITE for the Python that it starts, and so for the entry point."""
    os.makedirs(place + b"/nix/store")
    os.rename(up, place + b"/nix/store/python-env")
    assert start(place + b"/nix/store/python-env/bin/python3") == b"other"


@pytest.mark.parametrize("name", [b"with blank", b"it's", b'"$HOME `id`', b"*[a]?", b"\xc3\xa4"])
def test_prefix_of_any_name(start, up, place, name):
    # type: (Callable[..., bytes], bytes, bytes, bytes) -> None
    """Whether it is asked or not, nothing else happens; the loader takes no path with a blank."""
    os.rename(up, place + b"/" + name)
    os.symlink(name, up)
    python = place + b"/" + name + b"/bin/python3"
    assert start(python) in (python, b"other")
