"""A live prefix is packed as it is, and unpacks as it was: drift, files of nobody, links, modes, paths."""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conda.core.portability import replace_prefix
from conda.models.enums import FileMode
from end_to_end.archives import Archive, only_root
from end_to_end.live import PACKAGES, pack

if TYPE_CHECKING:
    from conftest import Conda
    from end_to_end.live import Live

APART = ("fifo", "socket", "wide.txt", "first", "second", ".condarc", "pip.conf")  # looked at one by one, or left out
REWRITTEN = ("direct_url.json", "RECORD", ".pth", ".egg-link", "_finder.py", "_exact.py", "hatch")


@pytest.fixture(scope="module")
def root(packed: Archive, live: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the prefix as it was unpacked, on a machine that has it nowhere else."""
    store = tmp_path_factory.mktemp("store")
    with live.away():
        printed = packed.start(store=store)
    root = only_root(store) / "prefix"
    assert printed == f"{root}\n"
    return root


def note(said: str, of: str) -> list[str]:
    """Return the paths that a note lists."""
    (line,) = [line for line in said.splitlines() if f"{of}: " in line]
    return line.partition(f"{of}: ")[2].split(", ")


def test_reports_differences(packed: Archive) -> None:
    modified = note(packed.said, "kept as they are now")
    assert modified == ["lib/python3.11/site-packages/hello_noarch/__init__.py"]  # none that another package has won
    missing = note(packed.said, "missing from packages, and so from the archive")
    assert sorted(missing) == ["bin/hello-noarch", "bin/python3", "lib/python3.11/antigravity.py"]
    assert "mine/fifo is a fifo and is left out" in packed.said
    assert "mine/socket is a socket and is left out" in packed.said


def test_unpacks_as_it_was(root: Path, live: Live) -> None:
    """conda's own replacement is the oracle for the prefix in a file, in each encoding."""
    old, new = str(live.prefix), str(root)
    compared, different = 0, []
    for top, _, names in os.walk(live.prefix):
        for name in names:
            path = Path(top, name)
            relative = path.relative_to(live.prefix)
            apart = {"conda-meta", ".git"} & {*relative.parts} or name in APART
            if apart or path.suffix == ".pyc" or name.endswith(REWRITTEN):
                continue
            there = root / relative
            if path.is_symlink():
                assert there.is_symlink(), relative
                continue
            assert stat.S_IMODE(there.stat().st_mode) == stat.S_IMODE(path.stat().st_mode), relative
            data = path.read_bytes()
            expected = replace_prefix(FileMode.binary if b"\0" in data else FileMode.text, data, old, new)
            if name == "shebang-long":  # conda has left one that no kernel runs: env with words of options
                expected = expected.replace(b"#!/usr/bin/env sh -", b"#!/usr/bin/env -S sh -")
            if there.read_bytes() != expected:
                different.append(str(relative))
            compared += 1
    assert different == []
    assert compared > 500
    assert (root / "mine/wide.txt").read_bytes().decode("utf-16-le") == f"root = {root}/x\n"
    assert (root / "mine/first").read_text() == (root / "mine/second").read_text() == f"{root}:{live.prefix}xtra\n"
    assert (root / "mine/absolute").readlink() == (root / "mine/round").readlink() == Path("first")
    assert (root / "mine/loop").readlink() == Path("loop")
    assert stat.S_IMODE((root / "mine/read-only").stat().st_mode) == 0o555
    assert (root / "mine/empty").is_dir()
    assert not [name for name in (".condarc", "pip.conf", "mine/.git") if (root / name).exists()]
    assert os.fsdecode(b"no-utf-8-\xff") in {path.name for path in (root / "mine").iterdir()}


@pytest.mark.parametrize("name", ["mine/module", "mine/named", "bin/tool", "share/coex/editable/flat/flat/__init__"])
def test_compiled_files_are_made_again(root: Path, name: str) -> None:
    source, directory = root / f"{name}.py", (root / name).parent / "__pycache__"
    compiled = directory / f"{source.stem}.cpython-311.pyc"
    data, state = compiled.read_bytes(), source.stat()
    assert struct.unpack("<II", data[8:16]) == (int(state.st_mtime), state.st_size)
    if name != "mine/named":
        assert b"/live" not in data  # the place of the builder


def test_conda_knows_it(root: Path, conda: Conda) -> None:
    listed = {row["name"] for row in json.loads(conda("list", "-p", root, "--json").stdout)}
    assert listed >= set(PACKAGES)
    (meta,) = (root / "conda-meta").glob("hello-noarch-*.json")
    record = json.loads(meta.read_text())
    rows = {row["_path"]: row for row in record["paths_data"]["paths"]}
    row = rows["site-packages/hello_noarch/__init__.py"]
    assert row["sha256_in_prefix"] != row["sha256"]
    assert "bin/hello-noarch" not in record["files"]
    (meta,) = (root / "conda-meta").glob("clobber-a-*.json")
    assert "share/clobber/both.txt" in json.loads(meta.read_text())["files"]


def test_same_prefix_same_bytes(packed: Archive, conda: Conda, live: Live, tmp_path: Path) -> None:
    pack(conda, live.prefix, tmp_path / "again.coex", "--editable", "bring")
    assert (tmp_path / "again.coex").read_bytes() == packed.path.read_bytes()


def test_small_and_restored(packed: Archive, conda: Conda, live: Live, tmp_path: Path) -> None:
    options = ("--small", "--exclude", "mine/read-only", "--exclude", "docs", "--include", "include", "--include",
               "node_modules", "--editable", "bring", "--missing", "restore")  # fmt: skip
    said = pack(conda, live.prefix, tmp_path / "small.coex", *options, entry_point="hello-noarch").stderr
    assert "left out: compiled Python files" in said
    assert "left out: headers" not in said
    restored = note(said, "missing from packages, and taken from conda's package cache")
    assert restored == ["bin/hello-noarch", "bin/python3", "lib/python3.11/antigravity.py"]
    assert "and so from the archive" not in said
    assert (tmp_path / "small.coex").stat().st_size < packed.path.stat().st_size
    with live.away():
        assert "hello" in Archive(tmp_path / "small.coex").start(store=tmp_path / "store")
    root = only_root(tmp_path / "store") / "prefix"
    assert not (root / "mine/read-only").exists()
    assert (root / "bin/python3").readlink() == Path("python3.11")
    poem = root / "share/coex/editable/poem"
    assert (poem / "node_modules/x/index.js").exists()
    assert not (poem / "docs").exists()
    assert not list(poem.rglob("*.pyc"))


def test_missing_refused(conda: Conda, live: Live, tmp_path: Path) -> None:
    options = ("--editable", "bring", "--missing", "refuse")
    done = pack(conda, live.prefix, tmp_path / "x.coex", *options, check=False)
    assert done.returncode == 1
    assert "antigravity.py" in done.stderr
    assert "--missing restore" in done.stderr
    assert not list(tmp_path.iterdir())


def test_repacked(packed: Archive, conda: Conda, tmp_path: Path) -> None:
    """Another app around a packed prefix, and back: the same bytes, and every frame of the prefix as it was."""
    (tmp_path / "more.txt").write_text("more")
    new = tmp_path / "new.coex"
    conda("coex", "repack", packed.path, "--keep-app", "more.txt", "--env", "NEW=1", "-o", new, cwd=tmp_path)
    conda("coex", "verify", "--archive", new)
    assert new.read_bytes() != packed.path.read_bytes()
    old_app = json.loads(conda("coex", "inspect", "--json", packed.path).stdout)["app"]
    assert old_app == []
    conda("coex", "repack", new, "--no-app", "--unset", "NEW")
    assert new.read_bytes() == packed.path.read_bytes()


def test_function_of_an_editable_install(packed: Archive, conda: Conda, tmp_path: Path, store: Path) -> None:
    """It is found where a finder or a .pth file leads."""
    conda("coex", "repack", packed.path, "--entrypoint", "flat:main", "-o", tmp_path / "new.coex")
    assert Archive(tmp_path / "new.coex").start(store=store) == "tool of data\n"
    for module in ("flat", "laid"):
        words = ("--dry-run", "--json", "--entrypoint", f"{module}:nothing")
        done = conda("coex", "repack", packed.path, *words, check=False)
        assert "has no nothing" in done.stdout
