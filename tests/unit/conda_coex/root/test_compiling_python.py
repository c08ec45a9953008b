"""Sources are compiled as conda compiles them, by each Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError
from conda_coex.root import compiling_python
from conda_coex.root.compiling_python import LENGTHS, MADE, Interpreters, runs
from conda_coex.root.cores import Cores

if TYPE_CHECKING:
    from testbed.hosts import HostPython

HERE = Path(sys.executable)
SECONDS = 1_000_000_000
SOURCES = {
    "lib/demo/__init__.py": b"",
    "lib/demo/answer.py": b"def answer():\n    return 42\n",
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


def test_same_as_conda(host_pythons: list[HostPython], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python gives the .pyc files of conda, also under SOURCE_DATE_EPOCH, which makes Python write hashes."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name, data in SOURCES.items():
        (tmp_path / "conda" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conda" / name).write_bytes(data)
        os.utime(tmp_path / "conda" / name, (SECONDS, SECONDS))
    (tmp_path / "list").write_text("".join(f"{name}\n" for name in SOURCES), encoding="utf-8")
    shutil.copytree(tmp_path / "conda", tmp_path / "package")
    sources = [(os.fsencode(tmp_path / "package" / name), name.encode()) for name in SOURCES]
    for host in host_pythons:
        as_conda = [str(host.executable), "-Wi", "-m", "compileall", "-q", "-l", "-i", str(tmp_path / "list")]
        subprocess.run(as_conda, cwd=tmp_path / "conda", check=False, stdout=subprocess.DEVNULL)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
        with Interpreters(host.executable, Cores(1)) as interpreters:
            made = interpreters.compile(sources)
        monkeypatch.delenv("SOURCE_DATE_EPOCH")
        for name, data in made:
            target = tmp_path / "ours" / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        words = [str(host.executable), "-c", SAME, str(tmp_path / "ours"), str(tmp_path / "conda")]
        found = subprocess.run(words, check=False, capture_output=True, text=True)
        assert (found.stderr, found.stdout) == ("", f"{len(made)}\n")
        assert len(made) > 5
        for pyc in [*(tmp_path / "ours").rglob("*.pyc"), *(tmp_path / "conda").rglob("*.pyc")]:
            pyc.unlink()


class Dying(Interpreters):
    """Interpreters that end while they write the second .pyc."""

    def _compile_in(self, directory: str) -> tuple[int, bool]:
        name = b"lib/__pycache__/single.cpython-311.pyc"
        whole = LENGTHS.pack(len(name), 4) + name + b"code"
        (Path(directory) / MADE).write_bytes(whole + whole[:-1])
        return 1, False


def test_interpreter_that_dies(tmp_path: Path) -> None:
    """The .pyc files that were whole by then are taken, and the sources that it did not get to are named."""
    interpreters, sources = Dying(HERE, Cores(1)), [os.fsencode(tmp_path / name) for name in ("single.py", "next.py")]
    made = interpreters.compile((file, b"lib/single.py") for file in sources)
    assert interpreters.unfinished == {sources[1]}
    assert made == [(b"lib/__pycache__/single.cpython-311.pyc", b"code")]


def test_interpreter_that_does_not_start(tmp_path: Path) -> None:
    """A program that ends at once compiles nothing, and the next package has a new one."""
    (tmp_path / "one.py").write_bytes(b"")
    with Interpreters(Path("/bin/true"), Cores(1)) as interpreters:
        assert [interpreters.compile([(os.fsencode(tmp_path / "one.py"), b"one.py")]) for _ in range(2)] == [[], []]
    assert (runs(HERE), runs(tmp_path / "missing"), runs(Path("/bin/false"))) == (True, False, False)


def test_interpreter_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr(compiling_python, "PATIENCE", 0.1)
    assert not runs(program)


def test_source_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for one source: each that is done begins it again. The interpreter and its child are killed."""
    for name in ("one.py", "two.py", "hangs.py"):
        (tmp_path / name).write_bytes(b"")
    sources = [(os.fsencode(tmp_path / name), name.encode()) for name in ("one.py", "two.py", "hangs.py")]
    slow = compiling_python.COMPILE.replace(
        "def compile_all():", "import time\nmake = compiled\ndef compiled(path, name):\n"
        "    time.sleep(1000 if b'hangs' in path else 0.6)\n    return make(path, name)\ndef compile_all():",
    )  # fmt: skip
    monkeypatch.setattr(compiling_python, "COMPILE", slow)
    monkeypatch.setattr(compiling_python, "SILENCE", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with Interpreters(HERE, Cores(1)) as interpreters:
        assert [name for name, _ in interpreters.compile(sources[:2])] == made_of("one", "two")
        with pytest.raises(InputError, match=r"hangs.py: is not compiled within 1 seconds by .*; run"):
            interpreters.compile(sources)
        assert len(interpreters.compile(sources[:1])) == 1
    assert list((tmp_path / "scratch").iterdir()) == []


def made_of(*stems: str) -> list[bytes]:
    return [f"__pycache__/{stem}.{sys.implementation.cache_tag}.pyc".encode() for stem in stems]


def test_build_that_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its interpreters end in the middle of their work, and no new one starts."""
    (tmp_path / "one.py").write_bytes(b"")
    source = (os.fsencode(tmp_path / "one.py"), b"one.py")
    begin = f"import time; open({str(tmp_path / 'begun')!r}, 'w'); time.sleep(1000)"
    monkeypatch.setattr(compiling_python, "COMPILE", begin)
    with ThreadPoolExecutor(1) as pool, Interpreters(HERE, Cores(1)) as interpreters:
        compiling = pool.submit(interpreters.compile, [source])
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        interpreters.end()
        assert compiling.result() == []
        with pytest.raises(CancelledError):
            interpreters.compile([source])
