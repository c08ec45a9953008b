"""Noarch packages have .pyc files if a Python with their bytecode is here, and earlier builds may have made them."""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.payload import Payload
from conda_coex.root import compiling_python
from conda_coex.root.bytecode import Compiled, Compiler, Sources, parts_of
from conda_coex.root.content import Content
from conda_coex.root.layout import Group
from conda_coex.root.link_rules import PackagePlan, Python, plan_package
from conda_coex.root.package import Package, PackagePath
from conda_coex.root.source import OnDisk

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = Path(sys.executable)
MAGIC = importlib.util.MAGIC_NUMBER
SECONDS = 1_000_000_000
SOURCE = b"def answer():\n    return 42\n"


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


def test_another_interpreter_than_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "slow"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr(compiling_python, "PATIENCE", 2)
    (made,), _ = compile_for(MAGIC, [program, HERE], tmp_path)
    assert len(made.files) == 1


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


def test_interpreter_that_was_killed(tmp_path: Path) -> None:
    """Its .pyc files are not kept: the next build makes all of them."""
    cache = FrameCache(tmp_path / "frames", 1)
    package = make_package(tmp_path / "python", "python", None)
    python = Python(VERSION, f"lib/python{VERSION}/site-packages", package)
    sources = loose_sources(tmp_path)
    killed = "import os\nwrite = os.write\n"
    killed += "os.write = lambda to, data: os._exit(9) if data == b'.' else write(to, data)\n"
    for start, is_kept in ((killed, False), ("", True)):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\nfor last; do :; done\nexec {HERE} -c {shlex.quote(start)}\"$last\"\n")
        program.chmod(0o755)
        compiler = Compiler(python, True, cache, program=program)
        compiler.interpreter = "one"
        (made,), _ = compiler.compile([Sources("demo", "content", [sources])])
        assert (made.group.identity is not None) == is_kept
        assert len(made.files) == (2 if is_kept else 1)


def loose_sources(directory: Path) -> list[Content]:
    """Return sources that are of no package, each of another time; one is not Python."""
    texts = {"lib/one.py": SOURCE, "lib/words.py": b"def def\n", "lib/demo/two.py": SOURCE}
    sources = []
    for number, (name, text) in enumerate(texts.items()):
        path, time = directory / Path(name).name, (SECONDS + number) * 10**9
        path.write_bytes(text)
        os.utime(path, ns=(time, time))
        sources.append(Content(f"prefix/{name}", 0o644, time, OnDisk(path), len(text)))
    return sources


@pytest.mark.parametrize("joined", [False, True])
def test_sources_of_no_package(joined: bool, tmp_path: Path) -> None:
    """Each .pyc has the time of its source, in the metadata and in itself; a text that is not Python has none.

    The cache has the same, beside the sources or without them, but not for another interpreter, or if a time changed.
    """
    sources, cache = loose_sources(tmp_path), FrameCache(tmp_path / "frames", 1)
    python = Python(VERSION, f"lib/python{VERSION}/site-packages", make_package(tmp_path / "python", "python", None))

    def compile_all(items: list[Content], interpreter: str = "one") -> Compiled:
        compiler = Compiler(python, True, cache, program=HERE)
        compiler.interpreter = interpreter
        (made,), left = compiler.compile([Sources("demo", "content", parts_of(items), joined=joined)])
        assert left == []
        return made

    made = compile_all(sources)
    there = {item.path: f"prefix/{importlib.util.cache_from_source(item.path[7:])}" for item in sources[::2]}
    times = {there[item.path]: item.mtime_ns for item in sources[::2]}
    if joined:
        times |= {item.path: item.mtime_ns for item in sources}
    assert {item.path: item.mtime_ns for item in made.files} == times
    for item in made.files:
        data = item.read() or b""
        if item.path.endswith(".pyc"):
            assert (data[:4], int.from_bytes(data[8:12], "little")) == (MAGIC, item.mtime_ns // 10**9)
    with tempfile.TemporaryFile() as stream:
        group = Group(made.group.owner, made.group.identity, all_files=made.files, files=made.files)
        Payload(stream, cache, lambda _size: None).add([group])
    kept = compile_all(sources)
    assert kept.group.entry is not None
    kept.close()
    facts = [sorted((item.path, item.mode, item.mtime_ns, item.size) for item in each.files) for each in (made, kept)]
    assert facts[0] == facts[1]
    assert [item.path for item in kept.files if item.source is not None] == [x.path for x in sources if joined]
    assert compile_all(sources, "another").group.entry is None
    assert compile_all([sources[0], *(replace(item, mtime_ns=0) for item in sources[1:])]).group.entry is None
