"""Archives carry bytecode for the Pythons of hosts: their first starts compile nothing that they import."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.archive import Archive as Reader
from coex_bootstrap.format.manifest import BYTECODE
from end_to_end.archives import Archive, Coex, MakeArchive, ready_roots
from rebuilding import rebuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from conftest import Conda
    from testbed.hosts import HostPython

OWN = f"{BYTECODE}/{sys.implementation.cache_tag}-"  # of the test bed's package python, too
IMPORTED = re.compile(r"^import (?:'(coex_bootstrap[\w.]*)'|(coex_bootstrap[\w.]*) #)", re.MULTILINE)
# Prints the modules whose code an archive has for this Python.
CODES = """
import json, sys
names = {"__name__": "coex"}
exec(compile(sys.stdin.read(), "main", "exec"), names)
print(json.dumps(sorted(names["open_modules"](sys.argv[1]).codes)))
"""


@pytest.fixture(scope="module")
def hosts(host_pythons: list[HostPython]) -> list[HostPython]:
    """Return the host Pythons whose bytecode an archive can carry."""
    return [host for host in host_pythons if not host.name.startswith("pypy")]


@pytest.fixture(scope="module")
def for_all(make_archive: MakeArchive, hosts: list[HostPython]) -> Archive:
    """Return an archive without a Python of its own, with bytecode for each host."""
    named = [word for host in hosts for word in ("--bytecode-for", str(host.executable))]
    show = "#!/bin/sh\necho started $MORE\n"
    return make_archive("./show.sh", *named, packages=("shebangs", "activate-demo"), show=show)


@pytest.fixture(scope="module")
def with_python(make_archive: MakeArchive) -> Archive:
    return make_archive("python", packages=("python",))


def bytecode(path: Path) -> dict[str, bytes]:
    with closing(Reader(os.fsencode(path))) as archive:
        return {name: data for name, data in archive.members.items() if name.startswith(BYTECODE)}


def codes(archive: Archive, host: HostPython) -> list[str]:
    with zipfile.ZipFile(archive.path) as tail:
        main = tail.read("__main__.py").decode()
    words = [host.executable, "-S", "-c", CODES, archive.path]
    shown = subprocess.run(words, input=main, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: list[str] = json.loads(shown)
    return found


def test_every_host_starts_from_its_own(for_all: Archive, hosts: list[HostPython], tmp_path: Path) -> None:
    tags = [name.rpartition("-")[0] for name in bytecode(for_all.path)]
    assert tags == sorted("{}/cpython-{}{}".format(BYTECODE, *host.version) for host in hosts)
    for host in hosts:
        assert "coex_bootstrap.start.new_root" in codes(for_all, host)
        store = tmp_path / host.name
        assert for_all.start(store=store, env={"COEX_PYTHON": str(host.executable)}) == "started\n"
        assert len(ready_roots(store)) == 1


def test_other_pythons_compile_the_source(for_all: Archive, host_pythons: list[HostPython], tmp_path: Path) -> None:
    others = [host for host in host_pythons if host.name.startswith("pypy")]
    if not others:
        pytest.skip("missing on this machine: pypy3")
    for host in others:
        assert codes(for_all, host) == []
        assert for_all.start(store=tmp_path, env={"COEX_PYTHON": str(host.executable)}) == "started\n"


def test_modules_of_a_first_start(for_all: Archive, hosts: list[HostPython], tmp_path: Path) -> None:
    """The archive has the bytecode of all that a first start imports, and of the progress on a terminal."""
    words = [hosts[-1].executable, "-v", for_all.path]
    done = subprocess.run(words, env={"COEX_ROOT": str(tmp_path)}, capture_output=True, text=True, check=True)
    imported = {first or second for first, second in IMPORTED.findall(done.stderr)}
    assert len(imported) > 40
    known = set(codes(for_all, hosts[-1]))
    # Some environments have neither a script that needs the first nor a file of variables
    assert imported - known == {"coex_bootstrap.unpack.shebang", "coex_bootstrap.start.variable_files"}
    # The importer, the progress, and a module for large relocated files
    unused = {"base.modules", "unpack.progress_line", "unpack.relocate_pieces"}
    assert known - imported == {f"coex_bootstrap.{name}" for name in unused}


def test_altered_bytecode(for_all: Archive, hosts: list[HostPython], tmp_path: Path) -> None:
    """No Python crashes: it compiles the source, which finds that the archive is damaged."""
    data = for_all.path.read_bytes()
    with zipfile.ZipFile(for_all.path) as tail:
        infos = [info for info in tail.infolist() if info.filename.startswith(BYTECODE)]
    for host, info in ((host, info) for host in hosts for info in infos):
        if not info.filename.startswith("{}/cpython-{}{}-".format(BYTECODE, *host.version)):
            continue
        start = info.header_offset + 30 + len(info.filename)
        for place in (start, start + 2, start + info.compress_size // 2, start + info.compress_size - 1):
            file = Archive(tmp_path / "altered.coex")
            file.path.write_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
            file.path.chmod(0o755)
            done = file.run(store=tmp_path / "store", env={"COEX_PYTHON": str(host.executable)})
            assert done.returncode == 125
            assert f"its member {info.filename} was altered" in done.stderr


def test_python_of_the_environment(with_python: Archive, tmp_path: Path) -> None:
    (name,) = bytecode(with_python.path)
    assert name.startswith(OWN)
    assert with_python.start("-c", "print(1)", store=tmp_path) == "1\n"


def test_same_bytes(coex: Coex, with_python: Archive, tmp_path: Path) -> None:
    """Also if the user names the Python that the environment has: a builder's own may be another release of it."""
    options = ("-q", "--entrypoint", "python", "-o", "app.coex", "--bytecode-for", sys.executable)
    coex(tmp_path, *options, packages=("python",), env={"PYTHONHASHSEED": "5", "PYTHONDONTWRITEBYTECODE": "1"})
    assert (tmp_path / "app.coex").read_bytes() == with_python.path.read_bytes()


def test_carried_python(coex: Coex, tmp_path: Path) -> None:
    """It is in the archive with its bytecode, also if the environment has no Python."""
    options = ("-q", "--entrypoint", "cprog", "-o", "app.coex")
    coex(tmp_path, *options, "--carry-python", packages=("cprog",))
    carrying = tmp_path / "app.coex"
    assert [name.startswith(OWN) for name in bytecode(carrying)] == [True]
    Archive(carrying).start(store=tmp_path / "store", env={"COEX_PYTHON": "carried"})


def test_repack(conda: Conda, coex: Coex, for_all: Archive, hosts: list[HostPython], tmp_path: Path) -> None:
    """Bytecode stays, and Pythons that are named join it; that of another bootstrap cannot stay."""
    kept = repacked(conda, for_all.path, tmp_path / "kept.coex", "--env", "MORE=1")
    assert bytecode(kept.path) == bytecode(for_all.path)
    bare = rebuild(for_all.path, tmp_path / "bare.coex")
    assert bytecode(bare) == {}
    named = [word for host in hosts for word in ("--bytecode-for", str(host.executable))]
    added = repacked(conda, bare, tmp_path / "added.coex", *named)
    assert added.path.read_bytes() == for_all.path.read_bytes()
    assert kept.start(store=tmp_path / "store") == "started 1\n"


def repacked(conda: Conda, source: Path, target: Path, *options: str) -> Archive:
    conda("coex", "repack", "-q", str(source), *options, "-o", str(target))
    return Archive(target)


def test_pack(conda: Conda, channel: tuple[str, ...], tmp_path: Path) -> None:
    prefix = tmp_path / "live"
    conda("create", "-q", "-y", *channel, "-p", str(prefix), "python")
    words = ("--entrypoint", "python", "-o", str(tmp_path / "app.coex"), "--compression-level", "1")
    conda("coex", "pack", "-q", "-y", "-p", str(prefix), *words)
    ((name, packed),) = bytecode(tmp_path / "app.coex").items()
    assert name.startswith(OWN)
    assert os.fsencode(tmp_path) not in zlib.decompress(packed)


@pytest.mark.parametrize("program", ["no-such-python", "true", "."])
def test_refused(coex: Coex, tmp_path: Path, program: str) -> None:
    options: Mapping[str, object] = {"packages": ("cprog",), "check": False}
    done = coex(tmp_path, "-q", "--entrypoint", "cprog", "--bytecode-for", program, **options)  # type: ignore[arg-type]
    assert done.returncode == 1
    assert f"{program}: cannot " in done.stderr
    assert "name a CPython of this machine, 2.7 or newer" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
