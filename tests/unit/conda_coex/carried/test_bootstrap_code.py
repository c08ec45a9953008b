"""The bootstrap is compiled for a Python by that Python alone: every builder gets the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.manifest import BYTECODE

from conda_coex.archive.new_tail import bootstrap_members
from conda_coex.carried import bootstrap_code
from conda_coex.carried.bootstrap_code import compile_bootstrap, first_modules
from conda_coex.errors import InputError

if TYPE_CHECKING:
    from testbed.hosts import HostPython

# Loads the modules of a member by the code that looks for it on a host, and compares them with the sources.
LOAD = """
import json, sys
names = {"__name__": "coex"}
with open(sys.argv[1], "rb") as stream:
    exec(compile(stream.read(), "main", "exec"), names)
with open(sys.argv[2], "rb") as stream:
    codes = names["load_codes"](names["bytecode_member"](), stream.read())
sources = json.load(open(sys.argv[3]))
for name, code in codes.items():
    source = compile(sources[name][1], sources[name][0], "exec", 0, True)
    if code != source or code.co_filename != source.co_filename:
        raise SystemExit(name)
print(json.dumps(sorted(codes)))
"""


def test_each_python_loads_its_own(host_pythons: list[HostPython], tmp_path: Path) -> None:
    members, found = bootstrap_members(), {}
    modules = first_modules(members)
    (tmp_path / "main.py").write_bytes(members["__main__.py"])
    (tmp_path / "sources.json").write_text(json.dumps({name: (file, members[file].decode()) for name, file in modules}))
    for host in host_pythons:
        if host.name.startswith("pypy"):
            continue
        name, packed = compile_bootstrap(host.executable)
        (tmp_path / "code").write_bytes(packed)
        words = [host.executable, "-OO", "-S", "-c", LOAD, "main.py", "code", "sources.json"]
        environ = {"PYTHONNODEBUGRANGES": "1"}
        loaded = subprocess.run(words, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout
        assert json.loads(loaded) == [name for name, _ in modules]
        assert len(packed) < 110_000
        found[name] = host
    tags = {"cpython-{}{}".format(*host.version) for host in found.values()}
    assert {name.removeprefix(f"{BYTECODE}/").rpartition("-")[0] for name in found} == tags


def test_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor the directory nor the name of the program are in them."""
    first = compile_bootstrap(sys.executable)
    link = tmp_path / "another python"
    link.symlink_to(Path(sys.executable).resolve())
    variables = {"PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "", "LC_ALL": "C", "HOME": str(tmp_path), "path": "name"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert compile_bootstrap(link) == first
    assert str(tmp_path).encode() not in zlib.decompress(first[1])


def test_modules_of_a_first_start() -> None:
    """Their names are those of files; verbs and rare modules are not among them."""
    members = bootstrap_members()
    modules = dict(first_modules(members))
    assert modules["coex_bootstrap"] == "coex_bootstrap/__init__.py"
    assert modules["coex_bootstrap.start.run"] == "coex_bootstrap/start/run.py"
    assert {"coex_bootstrap.unpack", "coex_bootstrap.unpack.relocate", "coex_bootstrap.base.errors"} <= modules.keys()
    assert not [name for name in modules if ".tools" in name or name.endswith(("__main__", "mach_o", "index_write"))]


@pytest.mark.parametrize("program", ["no-such-python", "/", "true", "cat", "false", "pypy3", "old"])
def test_refused(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if program == "old":
        (tmp_path / "old").write_text("#!/bin/sh\necho 'SyntaxError: invalid syntax' >&2; exit 1\n")
        (tmp_path / "old").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    elif program == "pypy3" and not shutil.which(program):
        pytest.skip("missing on this machine: pypy3")
    with pytest.raises(InputError, match=r"name a CPython of this machine, 2.7 or newer") as raised:
        compile_bootstrap(program)
    assert raised.value.path == program.encode()


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_program_that_prints_and_leaves_processes(tmp_path: Path) -> None:
    """A launcher of Python may print messages, and start a server that keeps its streams: neither is waited for."""
    command = f"""echo before; sleep 1000 & echo $! > {tmp_path}/pid; '{sys.executable}' "$@"; echo after"""
    try:
        assert compile_bootstrap(program(tmp_path / "launcher", command)) == compile_bootstrap(sys.executable)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


@pytest.mark.parametrize("title", ["..", "py", "-1", "/../../index", "313-\\377", "313-3571.py"])
def test_a_program_that_is_not_a_python(tmp_path: Path, title: str) -> None:
    command = f"""for last; do :; done; printf 'coex_bytecode/cpython-{title}\n{{0' > "$last" """
    with pytest.raises(InputError, match=r"cannot compile for the Pythons of hosts"):
        compile_bootstrap(program(tmp_path / "false python", command))


def test_a_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap_code, "PATIENCE", 0.1)
    with pytest.raises(InputError, match=r"did not end within 0.1 seconds"):
        compile_bootstrap(program(tmp_path / "slow", "exec sleep 1000"))
