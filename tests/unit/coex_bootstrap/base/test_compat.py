"""The differences between Python 2 and 3."""

import hashlib
import os
import subprocess
import sys
import time

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import CoexError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

ALL_BYTES = bytes(bytearray(range(1, 256)))
SHOW = "import sys; sys.dont_write_bytecode = True; from coex_bootstrap.base import compat; "


def output(code, environ):
    # type: (str, Dict[bytes, bytes]) -> bytes
    """Run code in a Python of its own, in an environment of its own, and return its output."""
    clean = dict(environ)
    clean[b"PYTHONPATH"] = compat.path_bytes(os.path.dirname(os.path.dirname(os.path.dirname(compat.__file__))))
    return subprocess.check_output([sys.executable, "-c", SHOW + code], env=clean)


def test_hash_without_the_algorithms_of_openssl(tmp_path):
    # type: (object) -> None
    configuration = os.path.join(str(tmp_path), "openssl.cnf")
    with open(configuration, "w") as stream:
        stream.write("openssl_conf = a\n[a]\nproviders = b\n[b]\nnull = c\n[c]\nactivate = 1\n")
    code = "print(compat.sha256(b'x').hexdigest()); print(compat.new_sha256().hexdigest())"
    said = output(code, {b"OPENSSL_CONF": compat.path_bytes(configuration)})
    assert said.decode("ascii").split() == [hashlib.sha256(b"x").hexdigest(), hashlib.sha256().hexdigest()]


def test_path_bytes():
    # type: () -> None
    assert compat.path_bytes(ALL_BYTES) == ALL_BYTES
    assert compat.path_bytes("name") == b"name"
    assert compat.path_bytes(compat.native(b"/p/\xff")) == b"/p/\xff"
    assert isinstance(compat.native(b"/p"), str)


def test_utf8():
    # type: () -> None
    assert compat.utf8(u"\xe9") == b"\xc3\xa9"
    assert compat.utf8(b"\xff") == b"\xff"
    assert compat.utf8("x") == b"x"


def test_readable():
    # type: () -> None
    assert isinstance(compat.readable(b"x"), str)
    assert compat.readable(b"/a b") == "/a b"
    assert "\xff" not in compat.readable(b"/\xff\xe9")


@pytest.mark.parametrize("locale", [b"C", b"POSIX", b"C.UTF-8"])
def test_environ_bytes_is_the_original_environment(environ, locale):
    # type: (Dict[bytes, bytes], bytes) -> None
    environ.update({b"LC_ALL": locale, b"WEIRD": ALL_BYTES, b"EMPTY": b""})
    code = "import os; sorted(compat.environ_bytes().items()); os.write(1, compat.environ_bytes()[b'WEIRD'])"
    assert output(code, environ) == ALL_BYTES


def test_pypy_keeps_its_garbage_collection(environ):
    # type: (Dict[bytes, bytes]) -> None
    code = "import gc, os; compat.leave_garbage(); os.write(1, str(gc.isenabled()).encode('ascii'))"
    assert output(code, environ) == str("__pypy__" in sys.builtin_module_names).encode("ascii")


GROWING = """
import resource
%s
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in range(200000, 1000000, 8000):
    b"x" * size
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
GIVES_BACK = "CS_GNU_LIBC_VERSION" in os.confstr_names and "__pypy__" not in sys.builtin_module_names and not compat.PY2


@pytest.mark.skipif(not GIVES_BACK, reason="another memory than that of glibc, or 2.7, which lets it be")
def test_memory_of_large_objects_is_kept(environ):
    # type: (Dict[bytes, bytes]) -> None
    """A page that was given back to the system costs a fault when it is used again."""
    lines = ("", "compat.keep_memory(1000000)")
    given_back, kept = (int(output("exec(%r)" % (GROWING % line), environ)) for line in lines)
    assert kept * 10 < given_back


@pytest.mark.parametrize(("line", "expected"), [("pass", b"open"), ("compat.close_on_exec(9)", b"closed")])
def test_programs_do_not_get_a_descriptor(environ, line, expected):
    # type: (Dict[bytes, bytes], str, bytes) -> None
    look = "(: >&9) 2>/dev/null && echo open || echo closed"
    code = "import os; os.dup2(1, 9); %s; os.execvp('sh', ['sh', '-c', %r])" % (line, look)
    assert output(code, environ).strip() == expected


def test_environ_bytes_has_no_variable_of_the_interpreter(environ):
    # type: (Dict[bytes, bytes]) -> None
    del environ[b"LC_ALL"]
    code = "print(compat.environ_bytes().get(b'LC_CTYPE') is None)"
    assert output(code, environ).strip() == b"True"
    environ[b"LC_CTYPE"] = b"C"
    assert output("print(compat.environ_bytes()[b'LC_CTYPE'] == b'C')", environ).strip() == b"True"


@pytest.mark.parametrize("by_descriptor", [True, False])
def test_set_times(place, by_descriptor):
    # type: (bytes, bool) -> None
    path = place + b"/file"
    with open(path, "wb") as stream:
        number = stream.fileno() if by_descriptor else None
        compat.set_times(path, number, 1000000000, 0)
        assert os.stat(path).st_mtime == 1000000000
        compat.set_times(path, number, -5, 0)
        assert os.stat(path).st_mtime == -5
        compat.set_times(path, number, 1000000000, 123456789)
        assert abs(os.stat(path).st_mtime - 1000000000.123456) < 2e-6
        assert abs(os.stat(path).st_atime - time.time()) < 3600  # or a cleaner takes it for an unused file
    if not compat.PY2:
        assert os.stat(path).st_mtime_ns == 1000000000123456789


def test_error_is_one_line():
    # type: () -> None
    """A file name may hold anything: a newline or an escape in it does not reach the terminal."""
    shown = str(CoexError("is damaged", b"/a\nb\x1b[2J\x7f\xc2\x9b \xc3\xa9"))
    assert shown == "/a\\x0ab\\x1b[2J\\x7f\\x9b " + compat.readable(b"\xc3\xa9") + ": is damaged"


def test_environment_with_an_empty_name():
    # type: () -> None
    """It can be handed over, and no Python hands it on."""
    code = "from coex_bootstrap.base import compat; e = compat.environ_bytes(); assert e[b'A'] == b'1'; assert b'' not in e"
    hand_over = """
import ctypes, sys
words = [word.encode("ascii") for word in sys.argv[1:]]
argv = (ctypes.c_char_p * (len(words) + 1))(*words)
envp = (ctypes.c_char_p * 4)(b"=x", b"A=1", b"PYTHONPATH=" + words.pop())
ctypes.CDLL(None).execve(words[0], argv, envp)
"""
    place = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(compat.__file__))))
    command = [sys.executable, "-c", hand_over, sys.executable, "-B", "-c", code, place]
    assert subprocess.call(command) == 0
