"""The Python that an archive carries: the prelude unpacks it where nobody else can change it, runs it, or says why not."""

import io
import os
import subprocess
import tarfile
import zlib

import pytest
from coex_bootstrap.format.manifest import PYTHON, python_id

from unit.coex_bootstrap.building import make_index, read, write, write_archive
from unit.coex_bootstrap.programs import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

# A Python that prints its path if the prelude asks, and otherwise its arguments.
FAKE = b"""\
#!/bin/sh
case " $*" in *"import posix"*) printf %s "$0"; exit ;; esac
printf '%s|' "$0" "$@"
"""
NEEDED = ("dd", "gzip", "head", "id", "ls", "mkdir", "rm", "tail", "tar", "chmod", "uname", "readlink", "sha256sum", "sh", "cat")
SIZE = 300000  # bytes: more than a pipe holds


def packed(text=FAKE, size=SIZE):
    # type: (bytes, int) -> bytes
    """Return a gzipped tar with a program `bin/python` and a file that is not compressible."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, mode in ((u"bin/python", text, 0o755), (u"lib/large", os.urandom(size), 0o644)):
            info = tarfile.TarInfo(str(name))
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    compressor = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return compressor.compress(buffer.getvalue()) + compressor.flush()


@pytest.fixture
def start(place, environ, shell):
    # type: (bytes, Dict[bytes, bytes], List[str]) -> Start
    return Start(place, environ, shell)


class Start(object):
    """Starts an archive that carries a Python, with a PATH of chosen programs, and with a home and a TMPDIR of its own."""

    def __init__(self, place, environ, shell):
        # type: (bytes, Dict[bytes, bytes], List[str]) -> None
        self.place, self.environ, self.archive = place, environ, place + b"/demo.coex"
        self.shell = [program(shell[0])] + shell[1:]
        for name in (b"home", b"tmp", b"bin"):
            os.mkdir(place + b"/" + name)
        for name in NEEDED:
            os.symlink(program(name), place + b"/bin/" + name.encode("ascii"))
        environ.update({b"PATH": place + b"/bin", b"HOME": place + b"/home", b"TMPDIR": place + b"/tmp"})
        environ[b"COEX_PYTHON"] = b"carried"
        self.write(packed())

    def write(self, python, payload=b""):
        # type: (bytes, bytes) -> None
        """Write the archive, with so much in front of its Python."""
        self.id = python_id(python).encode("ascii")
        write_archive(self.archive, make_index(), [payload], {PYTHON: python})

    def __call__(self, *words):
        # type: (*bytes) -> Tuple[int, bytes, bytes]
        command = self.shell + [self.archive] + list(words)
        process = subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, error = process.communicate()
        return process.returncode, out, error

    def ran(self, *words):
        # type: (*bytes) -> bytes
        """Start it, and return the path of the Python that ran."""
        status, out, error = self(*words)
        assert (status, error) == (0, b"")
        found = out.split(b"|")
        assert found[-len(words) - 2 : -1] == [self.archive] + list(words)
        return found[0]

    def refused(self, status=127):
        # type: (int) -> str
        """Start it, and return the reason that it gives in one line."""
        got, out, error = self()
        assert (got, out, error.count(b"\n")) == (status, b"", 1)
        assert error.startswith(b"coex: " + self.archive + b": ")
        return error.decode("utf-8")

    def replace(self, name, text=None):
        # type: (bytes, Optional[bytes]) -> None
        """Put another program in the place of one of the system, or none."""
        if self.shell[1:2] == ["sh"]:
            pytest.skip("busybox has its own programs")
        os.unlink(self.place + b"/bin/" + name)
        if text is not None:
            write(self.place + b"/bin/" + name, text, 0o755)

    def left(self):
        # type: () -> List[bytes]
        return [name for name in os.listdir(self.place + b"/tmp")]


@pytest.mark.parametrize("size", [0, 1, 65535, 200000])
def test_unpacked(start, size):
    # type: (Start, int) -> None
    """Wherever in the file it is: the bootstrap is started, and told of the directory."""
    start.write(packed(), os.urandom(size))
    status, out, _ = start(b"a b", b"", b"*")
    (name,) = start.left()
    assert name.startswith(start.id + b".python-")
    made = start.place + b"/tmp/" + name
    assert status == 0
    assert out.startswith(made + b"/bin/python|-E|-s|-S|-X|utf8|-X|coex=" + made + b"|-c|")
    assert out.endswith(b"|" + start.archive + b"|a b||*|")
    assert len(read(made + b"/lib/large")) == SIZE
    assert os.stat(made).st_mode & 0o7777 == 0o700


def test_with_a_python_on_the_host(start):
    # type: (Start) -> None
    """It serves when there is no other, or when it is asked for."""
    write(start.place + b"/bin/python3", FAKE, 0o755)
    assert start.ran().startswith(start.place + b"/tmp/")
    del start.environ[b"COEX_PYTHON"]
    assert start.ran() == start.place + b"/bin/python3"


@pytest.mark.parametrize("variable", [b"TAR_OPTIONS=--strip-components=1", b"GZIP=--list", b"TIME_STYLE=none"])
def test_variables_of_its_programs(start, variable):
    # type: (Start, bytes) -> None
    """GNU's tar, gzip and ls read options of the caller from these."""
    name, _, value = variable.partition(b"=")
    start.environ[name] = value
    assert start.ran().startswith(start.place + b"/tmp/")


@pytest.mark.parametrize("body", [b"builtin echo nothing", b'command "$FUNCNAME" "$@"; command ls'])
def test_functions_of_the_caller(start, body):
    # type: (Start, bytes) -> None
    """bash takes exported functions from the environment, such as a `cd` that shows files."""
    write(start.place + b"/tmp/file", b"")
    for name in NEEDED + ("cd", "echo", "pwd", "printf", "python3", "python"):
        start.environ[b"BASH_FUNC_" + name.encode("ascii") + b"%%"] = b"() { " + body + b"\n}"
    assert start.ran().startswith(start.place + b"/tmp/")


def test_from_a_pipe(start):
    # type: (Start) -> None
    """As `curl URL | sh` does: a fresh copy of the shell would not help."""
    process = subprocess.Popen(start.shell, env=start.environ, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    error = process.communicate(read(start.archive))[1]
    assert process.returncode == 127
    assert error.rstrip().endswith(b"start the archive by its path, not through a pipe"), error


def test_text_that_a_shell_is_given(start):
    # type: (Start) -> None
    """No file is there at all: one line says it, and the shell nothing more."""
    text = read(start.archive)
    text = text[: text.index(b"\nexit 127\n}\n") + len(b"\nexit 127\n}\n")]
    process = subprocess.Popen(start.shell + [b"-c", text, b"nothing"], env=start.environ, stderr=subprocess.PIPE)
    error = process.communicate()[1]
    assert (process.returncode, error.count(b"\n")) == (127, 1), error
    assert error.rstrip().endswith(b"start the archive by its path, not through a pipe"), error


def test_zsh_under_its_own_name(start):
    # type: (Start) -> None
    """It does not split words then."""
    if not start.shell[0].endswith(b"zsh"):
        pytest.skip("not zsh")
    start.shell = start.shell[:1]
    _, out, _ = start()
    (name,) = start.left()
    assert b"|-X|coex=" + start.place + b"/tmp/" + name + b"|" in out


def test_loader_that_warns(start):
    # type: (Start) -> None
    """As the one of glibc does if LD_PRELOAD names a library that does not exist, or is damaged: something failed."""
    start.write(packed(FAKE.replace(b"printf %s", b"echo warning: failed to load >&2; printf %s")))
    assert start.ran().startswith(start.place + b"/tmp/")


@pytest.mark.parametrize("name", ["dd", "gzip", "head", "tail", "tar"])
def test_without_a_program(start, name):
    # type: (Start, str) -> None
    start.replace(name.encode("ascii"))
    assert "missing on this host: %s; install them, or install python3" % name in start.refused()
    assert start.left() == []


@pytest.mark.parametrize("tar_ends", [False, True])
def test_damaged(start, tar_ends):
    # type: (Start, bool) -> None
    """gzip compares a checksum: the damaged Python does not run. At damaged names, tar ends before gzip comes to that."""
    if tar_ends:
        start.replace(b"tar", b"#!/bin/sh\necho bad header >&2; exit 1\n")
    python = packed()
    start.write(python)
    data = bytearray(read(start.archive))
    data[data.index(python) + len(python) // 2] ^= 0x55
    write(start.archive, bytes(data))
    said = start.refused()
    assert said.count("gzip failed") == 1  # other places would not help
    assert "the archive is not complete (gzip: " in said
    assert said.endswith("; get a fresh copy of the file\n")
    assert start.left() == []


@pytest.mark.parametrize("ignored", [False, True])
def test_full_place(start, ignored):
    # type: (Start, bool) -> None
    """gzip fails too then, because nobody reads it: by a signal, or with an error if the caller ignores that."""
    start.replace(b"tar", b"#!/bin/sh\necho no space >&2; exit 1\n")
    if ignored:
        start.shell = [b"sh", b"-c", b"trap '' PIPE; exec \"$@\"", b"sh"] + start.shell
    said = start.refused()
    assert "the archive is not complete" not in said
    assert said.count("no space") > 1
    assert start.left() == []


@pytest.mark.parametrize("cut", [1, 22, 100, SIZE // 2, SIZE])
def test_truncated(start, cut):
    # type: (Start, int) -> None
    data = read(start.archive)
    write(start.archive, data[:-cut])
    assert "the archive is not complete; get a fresh copy" in start.refused()
    assert start.left() == []


def test_python_that_does_not_run(start):
    # type: (Start) -> None
    start.write(packed(b"#!/bin/sh\necho no such library >&2; exit 1\n"))
    said = start.refused()
    assert said.count("it does not run: no such library") == 1  # other places would not help
    assert "TMPDIR" not in said
    assert start.left() == []


@pytest.mark.parametrize("how", ["others may write to it, or replace it", "no directory can be made in it", None])
def test_place_that_cannot_serve(start, how):
    # type: (Start, Optional[str]) -> None
    temporary = start.place + b"/tmp"
    if how is None:
        os.rmdir(temporary)
    elif how.startswith("others"):
        os.chmod(temporary, 0o777)
    else:
        start.replace(b"mkdir", b"#!/bin/sh\nexit 1\n")
        assert "%s: %s" % (temporary.decode("ascii"), how) in start.refused()
        return
    python = start.ran()
    assert not python.startswith(temporary)
    subprocess.check_call([b"rm", b"-rf", os.path.dirname(os.path.dirname(python))])


TAKEN = b"""\
#!/bin/sh
case $3 in *-0-0) %s ;; esac
exec %s "$@"
"""


@pytest.mark.parametrize("what", [b"/bin/ln -s HOME $3", b"MKDIR $3", b": >$3"], ids=["link", "directory", "file"])
def test_name_that_is_taken(start, what):
    # type: (Start, bytes) -> None
    """Another user of a sticky directory may make it before: a link is not followed, a directory is not used."""
    mkdir = os.path.realpath(start.place + b"/bin/mkdir")
    start.replace(b"mkdir", TAKEN % (what.replace(b"HOME", start.place + b"/home").replace(b"MKDIR", mkdir), mkdir))
    assert start.ran().endswith(b"-0-1/bin/python")
    assert os.listdir(start.place + b"/home") == []


@pytest.fixture
def kept(start):
    # type: (Start) -> bytes
    """Return a Python that an earlier start has kept in the store."""
    path = start.place + b"/home/.cache/coex/python-" + start.id
    write(path + b"/bin/python", FAKE, 0o755)
    write(path + b"/used", b"")
    os.utime(path + b"/used", (1000000000, 1000000000))
    return path


def test_kept(start, kept):
    # type: (Start, bytes) -> None
    assert start.ran(b"x") == kept + b"/bin/python"
    assert b"|-X|coex=" not in start()[1]
    assert os.stat(kept + b"/used").st_mtime > 1000000000
    assert start.left() == []


@pytest.mark.parametrize("how", ["no mark", "does not run", "link", "a pipe"])
def test_kept_one_that_is_not_whole(start, kept, how):
    # type: (Start, bytes, str) -> None
    if how == "no mark":
        os.unlink(kept + b"/used")
    elif how == "link":
        os.rename(kept, start.place + b"/other")
        os.symlink(start.place + b"/other", kept)
    elif how == "a pipe":
        os.unlink(kept + b"/used")
        os.mkfifo(kept + b"/used")
    else:
        os.unlink(kept + b"/bin/python")
    assert start.ran().startswith(start.place + b"/home/.cache/coex/" + start.id + b".python-")


def test_interrupted(start):
    # type: (Start) -> None
    """The shell removes its directory, and ends by the signal."""
    start.replace(b"tar", b"#!/bin/sh\nkill -TERM $(cat " + start.place + b"/pid)\nexec cat >/dev/null\n")
    command = [b"sh", b"-c", b'echo $$ >"$0/pid"; exec "$@"', start.place] + start.shell + [start.archive]
    process = subprocess.Popen(command, env=start.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, error = process.communicate()
    assert (out, error) == (b"", b"")
    assert process.returncode in (-15, 128 + 15)  # mksh exits
    assert start.left() == []
