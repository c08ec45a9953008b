"""One archive on every host: each Python with each shell, by any path and name, with and without a libzstd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rebuilding import rebuild
from testbed import hosts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import MakeArchive
    from testbed.hosts import HostPython

    Word = str | Path | bytes

SHOW = '#!/bin/sh\ncprog "$@" && printf "file=%s\\n" "$COEX_FILE"\n'
WAYS = ("./file", *hosts.SHELLS, "python")
STARTED_BY = re.compile(r"^coex: total .* on Python (\d+\.\d+)\.\d+, .*$", re.MULTILINE)


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Path:
    """Return an archive that tells where it runs, with which arguments, and from which file."""
    return make_archive("./show.sh", packages=("cprog",), show=SHOW).path


@pytest.fixture(params=hosts.PYTHONS)
def host(request: pytest.FixtureRequest, host_pythons: list[HostPython]) -> HostPython:
    """Return each host Python; one that this machine does not have is skipped, and said so."""
    found = {host.name: host for host in host_pythons}
    if request.param not in found:
        pytest.skip(f"missing on this machine: Python {request.param}")
    return found[request.param]


@pytest.fixture
def python(host_pythons: list[HostPython]) -> HostPython:
    """Return the oldest host Python, for tests that need only one."""
    return host_pythons[0]


@pytest.fixture
def empty_path(tmp_path: Path) -> Path:
    """Return a directory that is the whole PATH: no program of the machine is on it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    return directory


def command(way: str, path: Word, host: HostPython, shells: dict[str, list[str]]) -> list[Word]:
    """Return the words that start an archive in a way."""
    if way == "python":
        return [host.executable, path]
    if way == "./file":
        return [path]
    if way not in shells:
        pytest.skip(f"missing on this machine: {way}")
    return [str(shutil.which(shells[way][0])), *shells[way][1:], path]


def start(
    words: Sequence[Any], store: Path, path: object, status: int = 0, env: dict[str, str] | None = None, **options: Any
) -> tuple[str, str]:
    """Start an archive with a PATH of one directory; return its stdout and stderr."""
    environ = {"PATH": str(path), "HOME": str(store), "COEX_ROOT": str(store), "COEX_TRACE": "1", **(env or {})}
    done = subprocess.run(words, env=environ, capture_output=True, check=False, **options)
    assert done.returncode == status, done.stderr
    return os.fsdecode(done.stdout), os.fsdecode(done.stderr)


@pytest.mark.parametrize("way", WAYS)
def test_each_python_with_each_shell(
    archive: Path, host: HostPython, way: str, shells: dict[str, list[str]], store: Path, empty_path: Path
) -> None:
    name = "pypy3" if host.name == "pypy3" else "python2" if host.version < (3,) else f"python{host.name}"
    (empty_path / name).symlink_to(host.executable)
    words = [*command(way, archive, host, shells), "a b", ""]
    cold, trace = start(words, store, empty_path)
    (root,) = (path.parent for path in store.glob("*/start"))
    lines = cold.splitlines()
    assert lines[0] == f"prefix={root}/prefix"
    assert lines[3:] == ["argument 1=a b", "argument 2=", "greeting=good day", f"file={archive}"]
    assert STARTED_BY.findall(trace) == [f"{host.version[0]}.{host.version[1]}"]
    warm, trace = start(words, store, empty_path)
    assert warm == cold
    assert bool(STARTED_BY.findall(trace)) is (way == "python")  # no other way needs a Python again


@pytest.mark.parametrize("name", ["python3", "python", "python2", "python3.8", "pypy3"])
def test_python_of_each_name(
    archive: Path, name: str, host_pythons: list[HostPython], store: Path, empty_path: Path
) -> None:
    (empty_path / name).symlink_to(host_pythons[0].executable)
    _, trace = start([archive], store, empty_path)
    assert STARTED_BY.findall(trace) == ["{}.{}".format(*host_pythons[0].version)]


def test_pythons_that_do_not_run_are_passed_over(
    archive: Path, host_pythons: list[HostPython], store: Path, empty_path: Path
) -> None:
    failing = {"python3": "#!/bin/sh\nexit 1\n", "python": "#!/bin/sh\necho /bin/false; exit 1\n", "python2": ""}
    for name, text in failing.items():
        (empty_path / name).write_text(text)
        (empty_path / name).chmod(0o755)
    (empty_path / "python3.12").symlink_to("/nowhere")
    (empty_path / "python3.11").mkdir()
    (empty_path / "python2.7").symlink_to(host_pythons[0].executable)
    start([archive], store, empty_path)


@pytest.fixture
def incomplete(host_pythons: list[HostPython], tmp_path: Path) -> Path:
    """Return a Python as distributions package the least part of it: its standard library has no json and no shutil."""
    host = max((host for host in host_pythons if host.name != "pypy3"), key=lambda host: host.version)
    code = "import os, sys; sys.stdout.write(os.path.dirname(os.__file__))"
    library = Path(subprocess.check_output([host.executable, "-c", code], text=True))
    copy = tmp_path / "least" / library.parent.name / library.name
    copy.mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name not in {"json", "shutil.py", "__pycache__"}:
            (copy / entry.name).symlink_to(entry)
    executable = tmp_path / "least/bin/python3"
    executable.parent.mkdir()
    shutil.copy2(host.executable.resolve(), executable)
    done = subprocess.run([executable, "-c", "import json"], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: " in done.stderr
    return executable


def test_incomplete_python(
    archive: Path, incomplete: Path, host_pythons: list[HostPython], store: Path, empty_path: Path
) -> None:
    """Another Python is taken if there is one; if this one is named explicitly, one line names the missing module."""
    (empty_path / "python3").symlink_to(incomplete)
    (empty_path / "python2.7").symlink_to(host_pythons[0].executable)
    start([archive], store, empty_path)
    start([incomplete, archive], store, empty_path)
    out, said = start([incomplete, archive], store, empty_path, 125, {"COEX_TOOLS": "1"})
    reason = f"{incomplete} has not all of its standard library: No module named 'json'"
    remedy = "install the whole of python3, or name another Python in COEX_PYTHON"
    assert (out, said) == ("", f"coex: {archive}: {reason}; {remedy}\n")


def test_coex_python_comes_first(archive: Path, host_pythons: list[HostPython], store: Path, empty_path: Path) -> None:
    (empty_path / "python3").symlink_to(host_pythons[0].executable)
    _, trace = start([archive], store, empty_path, env={"COEX_PYTHON": str(host_pythons[1].executable)})
    assert STARTED_BY.findall(trace) == ["{}.{}".format(*host_pythons[1].version)]


def test_system_python_is_not_probed(archive: Path, shells: dict[str, list[str]], tmp_path: Path) -> None:
    """It is started at once if its library is there, unless libraries of the caller may keep it from running."""
    python = Path("/usr/bin/python3")
    library = Path("/usr/lib", python.resolve().name)
    if not (library / "json" / "__init__.py").exists() or not list(library.glob("lib-dynload/_ctypes.*.so")):
        pytest.skip("this system has no whole Python of its own")
    for way, words in shells.items():
        for number, variables in enumerate(({}, {"LD_LIBRARY_PATH": "/nowhere"}, {"COEX_PYTHON": str(python)})):
            environ = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(tmp_path / f"{way}-{number}"), **variables}
            command = [str(shutil.which(words[0])), *words[1:], "-x", archive]
            done = subprocess.run(command, env=environ, capture_output=True, check=True, text=True)
            assert done.stderr.count("import posix, sys, zipimport") == (2 if number == 1 else 1), done.stderr


def test_whole_python_is_not_probed(archive: Path, host: HostPython, tmp_path: Path) -> None:
    """A Python with its library beside it is started once, unless libraries of the caller may keep it from running."""
    if host.name.startswith("pypy"):
        pytest.skip("the library of PyPy has another form")
    python = str(host.executable.resolve())  # its library is not beside a link
    for variables, mentions in (({}, 1), ({"LD_LIBRARY_PATH": "/nowhere"}, 2)):
        store = tmp_path / f"store-{mentions}"
        environ = {"PATH": "/usr/bin:/bin", "COEX_ROOT": str(store), "COEX_PYTHON": python, **variables}
        done = subprocess.run(["sh", "-x", archive], env=environ, capture_output=True, check=True, text=True)
        assert done.stderr.count("import posix, sys, zipimport") == mentions, done.stderr


@pytest.mark.parametrize("way", WAYS[:-1])
def test_no_python_at_all(
    archive: Path, way: str, python: HostPython, shells: dict[str, list[str]], store: Path, empty_path: Path
) -> None:
    data = archive.read_bytes()
    for place in (b" /usr/", b" /opt/"):  # this machine's own Python stands where the prelude looks
        data = data.replace(place, place.swapcase())
    blind = empty_path / "blind.coex"
    blind.write_bytes(data)
    blind.chmod(0o755)
    out, said = start(command(way, blind, python, shells), store, empty_path, status=127)
    expected = "no Python with its standard library was found to unpack it; install python3, or name one in COEX_PYTHON"
    expected += "; an archive made with --carry-python needs none"
    assert (out, said) == ("", f"coex: {blind}: {expected}\n")


NAMES = [
    b"with blank", b"it's", b'"$HOME `id`', b"-dash", b"--", b"new\nline", "wörk".encode(), b"\xff\xfe",
    b"back\\slash*", b"%s:%d",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_file_of_any_name(
    archive: Path, name: bytes, python: HostPython, shells: dict[str, list[str]], store: Path, tmp_path: Path
) -> None:
    place = tmp_path / os.fsdecode(b"at " + name)
    place.mkdir()
    file = place / os.fsdecode(name)
    os.link(archive, file)
    for way in ("./file", "dash", "python", "cleared", "python"):
        if way == "cleared":
            subprocess.run(["rm", "-r", *store.iterdir()], check=True)
            continue
        out, _ = start(command(way, b"./" + name, python, shells), store, os.environ["PATH"], cwd=place)
        assert out.endswith(f"file={file}\n"), way


@pytest.mark.parametrize("name", NAMES)
def test_store_of_any_name(archive: Path, name: bytes, python: HostPython, tmp_path: Path) -> None:
    store = tmp_path / os.fsdecode(b"at " + name)
    refused = {b"\n": "which PATH cannot hold", b":": "which PATH cannot hold", b"\xff": "place whose path is UTF-8"}
    lines = [line for character, line in refused.items() if character in name]
    for words in ([archive], [python.executable, archive]):
        out, said = start(words, store, os.environ["PATH"], status=125 if lines else 0)
        assert lines[0] in said if lines else f"prefix={store}/" in out


@pytest.mark.parametrize("name", NAMES)
def test_file_on_path(archive: Path, name: bytes, store: Path, tmp_path: Path) -> None:
    place = tmp_path / "on path"
    place.mkdir()
    found = os.fsencode(place) + b"/" + name
    os.link(archive, found)
    for words in ([name], ["sh", "-c", '"$0"', name], ["bash", "--", name]):
        out, _ = start(words, store, f"{place}:{os.environ['PATH']}")
        assert out.endswith(f"file={os.fsdecode(found)}\n")


def test_through_a_link(
    archive: Path, python: HostPython, shells: dict[str, list[str]], store: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(archive)
    for way in WAYS:
        out, _ = start(command(way, link, python, shells), store, os.environ["PATH"])
        assert out.endswith(f"file={link}\n")


def test_from_its_own_directory(
    archive: Path, python: HostPython, shells: dict[str, list[str]], store: Path
) -> None:
    for way in WAYS[1:]:
        for path in (archive.name, f"../{archive.parent.name}/{archive.name}"):
            words = command(way, path, python, shells)
            out, _ = start(words, store, os.environ["PATH"], cwd=archive.parent)
            assert out.endswith(f"file={archive.parent}/{path}\n")


@pytest.fixture
def no_libzstd(tmp_path: Path, empty_path: Path) -> dict[str, str]:
    """Return the environment of a host whose libzstd cannot be loaded, and which has no program zstd."""
    directory = tmp_path / "broken"
    directory.mkdir()
    (directory / "libzstd.so.1").write_bytes(b"\x7fELF of another world")
    return {"LD_LIBRARY_PATH": str(directory)}


def test_carried_libzstd_where_the_host_has_none(
    archive: Path, host: HostPython, store: Path, empty_path: Path, no_libzstd: dict[str, str]
) -> None:
    out, _ = start([host.executable, archive], store, empty_path, env=no_libzstd)
    assert "greeting=good day" in out


def test_carried_libzstd_that_cannot_be_loaded(
    archive: Path, host: HostPython, store: Path, empty_path: Path, no_libzstd: dict[str, str]
) -> None:
    broken = rebuild(archive, empty_path / "broken.coex", libzstd=b"\x7fELF no more")
    out, _ = start([host.executable, broken], store, empty_path)
    assert "greeting=good day" in out
    subprocess.run(["rm", "-r", *store.iterdir()], check=True)
    if host.version >= (3, 14):
        pytest.skip("this Python decodes zstd itself")
    out, said = start([host.executable, broken], store, empty_path, status=125, env={**no_libzstd, "COEX_TRACE": ""})
    assert out == ""
    assert said.startswith("coex: no way to decode zstd: ")
    assert said.count("\n") == 1
    assert "the libzstd in the archive (" in said
    assert list(store.iterdir()) == []


# A Python that cannot load libraries: it runs its code without these modules.
WITHOUT_CTYPES = """#!/bin/sh
code=$5
shift 5
exec %s -E -s -S -c "import sys
for name in '_ctypes', '_zstd', 'ctypes', 'compression': sys.modules[name] = None
sys.executable = '$0'
$code" "$@"
"""


def test_a_python_without_ctypes_is_passed_over(
    archive: Path, host: HostPython, store: Path, empty_path: Path
) -> None:
    """If there is no other Python, it is started, and names the missing module."""
    if host.name.startswith("pypy"):
        pytest.skip("PyPy has ctypes of its own")
    fake = empty_path / "python-in-parts"
    fake.write_text(WITHOUT_CTYPES % host.executable)
    fake.chmod(0o755)
    sh = ["/bin/sh", archive]
    out, _ = start(sh, store, empty_path, env={"COEX_PYTHON": str(fake)})
    assert "greeting=good day" in out
    subprocess.run(["rm", "-r", *store.iterdir()], check=True)
    text = archive.read_bytes().replace(b"/usr/bin/python3 ", b"/usr/bin/pythonX ")
    alone = empty_path / "alone.coex"
    alone.write_bytes(text.replace(b"/usr/local/bin/python3 ", b"/usr/local/bin/pythonX "))
    done = subprocess.run(
        ["/bin/sh", alone, "x"], env={"PATH": str(empty_path), "COEX_PYTHON": str(fake), "COEX_ROOT": str(store)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 125
    assert "not a complete coex archive" in done.stderr  # it was asked: its first lines were altered


def test_hosts_that_are_covered(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\n" + hosts.coverage())
