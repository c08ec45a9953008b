"""Sources are compiled as conda compiles them; those of another platform only by a Python with the same bytecode."""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.payload import Payload
from conda_coex.root.bytecode import LENGTHS, MADE, Compiled, Compiler, Interpreters, compile_sources, compile_with
from conda_coex.root.content import Content
from conda_coex.root.cores import Cores
from conda_coex.root.layout import Group
from conda_coex.root.link_rules import PackagePlan, Python, plan_package
from conda_coex.root.package import Package, PackagePath
from conda_coex.root.source import OnDisk

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.hosts import HostPython

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = Path(sys.executable)
MAGIC = importlib.util.MAGIC_NUMBER
SECONDS = 1_000_000_000
SOURCE = b"def answer():\n    return 42\n"
SOURCES = {
    "lib/demo/__init__.py": b"",
    "lib/demo/answer.py": SOURCE,
    "lib/demo/breaks.py": b'"""Lines of Windows."""\r\nif 1:\r\n\tnames = ("answer", "answer")\r\n',
    "lib/demo/coded.py": b"# coding: latin-1\nname = u'caf\xe9'\n",
    "lib/demo/deep/er.py": b"class Deep(object):\n    def deep(self):\n        return lambda: (1, 2.5, b'x', {1, 2})\n",
    "lib/demo/new.py": b"name: str = f'{1}'\n",  # not in Python 2
    "lib/demo/old.py": b"print 'old'\n",  # not in Python 3
    "lib/demo/wrong/letters.py": b"name = u'caf\xe9'\n",
    "lib/demo/wrong/zero.py": b"name = '\0'\n",
    "lib/demo/wrong/words.py": b"def def\n",
    "lib/single.py": b"import demo.answer\n",
}
# Compares two directories of .pyc files: their names, their headers, and the code in them.
SAME = """
import marshal, os, sys
def read(top):
    head = 16 if sys.version_info >= (3, 7) else 12 if sys.version_info >= (3, 3) else 8
    for parent, _, names in os.walk(top):
        for name in names:
            if name.endswith(".pyc"):
                path = os.path.join(parent, name)
                with open(path, "rb") as stream:
                    data = stream.read()
                code = marshal.loads(data[head:])
                yield os.path.relpath(path, top), data[:head], code, code.co_filename
ours, theirs = (sorted(read(top), key=lambda row: row[0]) for top in sys.argv[1:])
assert ours == theirs, (ours, theirs)
print(len(ours))
"""


def make_package(directory: Path, name: str, noarch: str | None, **files: bytes) -> Package:
    rows = []
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
        os.utime(directory / path, (SECONDS, SECONDS))
        digest = hashlib.sha256(data).hexdigest()
        time = SECONDS * 10**9
        rows.append(PackagePath(path, "hardlink", None, None, digest, len(data), 0o644, time, {"_path": path}))
    record = {"name": name, "version": f"{VERSION}.0", "build": "0"}
    return Package(record, directory, noarch, (), tuple(rows), None, None)


def compile_for(
    magic: bytes | None, others: list[Path], directory: Path, cache: Path | None = None, **meanwhile: Callable[[], None]
) -> tuple[list[Compiled], list[str]]:
    """Compile one noarch source for a Python whose .pyc begin with `magic`, on a builder of another platform."""
    code = {f"lib/python{VERSION}/__pycache__/os.pyc": magic + b"\0" * 12} if magic else {}
    interpreter = make_package(directory / "python", "python", None, **code)
    python = Python(VERSION, f"lib/python{VERSION}/site-packages", interpreter)
    module = make_package(directory / "module", "module", "python", **{"site-packages/module.py": SOURCE})
    plans: list[PackagePlan] = [plan_package(each, python, 0) for each in (interpreter, module)]
    return Compiler(python, False, FrameCache(cache, 1), others).compile_plans(plans, **meanwhile)


def test_same_magic_number(tmp_path: Path) -> None:
    (made,), left = compile_for(MAGIC, [tmp_path / "missing", HERE], tmp_path)
    assert left == []
    (item,) = made.files
    data = item.read()
    assert item.path.startswith(f"prefix/lib/python{VERSION}/site-packages/__pycache__/module.")
    assert data is not None
    assert (data[:4], int.from_bytes(data[8:12], "little")) == (MAGIC, SECONDS)
    names: dict[str, object] = {}
    exec(marshal.loads(data[16:]), names)
    assert names["answer"]() == 42  # type: ignore[operator]


@pytest.mark.parametrize("magic", [b"\x00\x01\r\n", None], ids=["another magic number", "a Python without bytecode"])
def test_left_to_the_host(magic: bytes | None, tmp_path: Path) -> None:
    assert compile_for(magic, [HERE], tmp_path) == ([], [f"lib/python{VERSION}/site-packages/module.py"])


def test_no_interpreter(tmp_path: Path) -> None:
    assert compile_for(MAGIC, [], tmp_path) == ([], [f"lib/python{VERSION}/site-packages/module.py"])


def test_other_work_while_it_compiles(tmp_path: Path) -> None:
    """It is done once if a source has to be compiled, and not if the cache has all .pyc files, or none can be made."""
    calls = []
    (made,), _ = compile_for(MAGIC, [HERE], tmp_path, tmp_path / "frames", meanwhile=lambda: calls.append("first"))
    with tempfile.TemporaryFile() as stream:
        group = Group(made.group.owner, made.group.identity, all_files=made.files, files=made.files)
        Payload(stream, FrameCache(tmp_path / "frames", 1), lambda _size: None).add([group])
    (kept,), _ = compile_for(MAGIC, [HERE], tmp_path, tmp_path / "frames", meanwhile=lambda: calls.append("second"))
    compile_for(None, [HERE], tmp_path / "without", meanwhile=lambda: calls.append("third"))
    assert calls == ["first"]
    assert [(item.path, item.size, item.source) for item in kept.files] == [
        (item.path, item.size, None) for item in made.files
    ]
    assert kept.group.entry is not None
    kept.group.entry.close()


def test_native_python_is_started_only_to_compile(tmp_path: Path) -> None:
    """The .pyc files of an earlier build serve if the Python does not start now; without them the host compiles."""
    interpreter = make_package(tmp_path / "python", "python", None, **{f"bin/python{VERSION}": b""})
    program = interpreter.directory / f"bin/python{VERSION}"
    module = make_package(tmp_path / "module", "module", "python", **{"site-packages/module.py": SOURCE})
    more = make_package(tmp_path / "more", "more", "python", **{"site-packages/more.py": SOURCE})
    python = Python(VERSION, f"lib/python{VERSION}/site-packages", interpreter)
    cache = FrameCache(tmp_path / "frames", 1)

    def compile_all(*packages: Package) -> tuple[list[Compiled], list[str]]:
        return Compiler(python, True, cache).compile_plans([plan_package(each, python, 0) for each in packages])

    program.unlink()
    program.symlink_to(HERE)
    (made,), _ = compile_all(interpreter, module)
    with tempfile.TemporaryFile() as stream:
        group = Group(made.group.owner, made.group.identity, all_files=made.files, files=made.files)
        Payload(stream, cache, lambda _size: None).add([group])
    program.unlink()
    (kept,), left = compile_all(interpreter, module)
    assert left == []
    assert [item.path for item in kept.files] == [item.path for item in made.files]
    kept.close()
    directory = f"lib/python{VERSION}/site-packages"
    assert compile_all(interpreter, module, more) == ([], [f"{directory}/module.py", f"{directory}/more.py"])


def test_failure_of_the_other_work(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        compile_for(MAGIC, [HERE], tmp_path, meanwhile=fail)


def test_same_as_conda(host_pythons: list[HostPython], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python gives the .pyc files of conda, also under SOURCE_DATE_EPOCH, which makes Python write hashes."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name, data in SOURCES.items():
        (tmp_path / "conda" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conda" / name).write_bytes(data)
        os.utime(tmp_path / "conda" / name, (SECONDS, SECONDS))
    (tmp_path / "list").write_text("".join(f"{name}\n" for name in SOURCES), encoding="utf-8")
    shutil.copytree(tmp_path / "conda", tmp_path / "package")
    sources = [
        Content(f"prefix/{name}", 0o644, SECONDS * 10**9, OnDisk(tmp_path / "package" / name), len(data))
        for name, data in SOURCES.items()
    ]
    for host in host_pythons:
        as_conda = [str(host.executable), "-Wi", "-m", "compileall", "-q", "-l", "-i", str(tmp_path / "list")]
        subprocess.run(as_conda, cwd=tmp_path / "conda", check=False, stdout=subprocess.DEVNULL)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
        made = compile_sources(host.executable, sources)
        monkeypatch.delenv("SOURCE_DATE_EPOCH")
        for item in made:
            target = tmp_path / "ours" / item.path.removeprefix("prefix/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(item.read() or b"")
            assert item.mtime_ns == SECONDS * 10**9
        words = [str(host.executable), "-c", SAME, str(tmp_path / "ours"), str(tmp_path / "conda")]
        found = subprocess.run(words, check=False, capture_output=True, text=True)
        assert (found.stderr, found.stdout) == ("", f"{len(made)}\n")
        assert len(made) > 5
        for pyc in [*(tmp_path / "ours").rglob("*.pyc"), *(tmp_path / "conda").rglob("*.pyc")]:
            pyc.unlink()


class Dying(Interpreters):
    """Interpreters that end while they write the second .pyc."""

    def compile(self, directory: str) -> None:
        """Write one that is whole, and the beginning of another."""
        name = b"lib/__pycache__/single.cpython-311.pyc"
        whole = LENGTHS.pack(len(name), 4) + name + b"code"
        (Path(directory) / MADE).write_bytes(whole + whole[:-1])


def test_interpreter_that_dies(tmp_path: Path) -> None:
    """The .pyc files that were whole by then are taken."""
    sources = [Content("prefix/lib/single.py", 0o644, 1, OnDisk(tmp_path / "single.py"), 0)]
    (made,) = compile_with(Dying(HERE, Cores(1)), sources)
    assert (made.path, made.read()) == ("prefix/lib/__pycache__/single.cpython-311.pyc", b"code")
