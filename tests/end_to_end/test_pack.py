"""A live prefix is packed as it is, and unpacks as it was: drift, files of nobody, links, modes, paths."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import Archive, only_root

if TYPE_CHECKING:
    import subprocess

    from conftest import Conda

PACKAGES = ("python", "hello-noarch", "cprog", "data-generic", "shebangs")

APART = ("fifo", "socket", "wide.txt", "first", "second", ".condarc")  # looked at one by one, or left out


@pytest.fixture(scope="module")
def prefix(conda: Conda, channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with a history: changed, with files removed, and with others beside conda's."""
    prefix = tmp_path_factory.mktemp("live") / "env"
    conda("create", "-q", "-y", "--copy", "--offline", *channel, "-p", prefix, *PACKAGES)
    (changed,) = prefix.glob("lib/python*/site-packages/hello_noarch/__init__.py")
    changed.write_text(changed.read_text() + f"# changed\nHERE = {str(prefix)!r}\n")
    (gone,) = prefix.glob("lib/python*/antigravity.py")
    gone.unlink()
    mine = prefix / "mine"
    (mine / "read-only").mkdir(parents=True)
    (mine / "read-only/x").write_text("x")
    (mine / "read-only").chmod(0o555)
    (mine / "empty").mkdir()
    (mine / "wide.txt").write_bytes(f"root = {prefix}/x\n".encode("utf-16-le"))
    (mine / "first").write_text(f"{prefix}:{prefix}xtra\n")
    (mine / "second").hardlink_to(mine / "first")
    (mine / "absolute").symlink_to(mine / "first")
    (mine / "loop").symlink_to("loop")
    os.mkfifo(mine / "fifo")
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(mine)
        opened.bind("socket")
        os.chdir(here)
    (mine / os.fsdecode(b"no-utf-8-\xff")).write_text("x")
    (prefix / ".condarc").write_text("channels: [https://host/t/a-token/channel]\n")
    script = prefix / "bin/mine"
    script.write_text(f"#!{prefix}/bin/python\nimport sys; print(sys.prefix)\n")
    script.chmod(0o755)
    return prefix


def pack(
    conda: Conda, prefix: Path, output: Path, *options: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    words = ("--entrypoint", "mine", "--compression-level", "1", "-o", output)
    return conda("coex", "pack", "-y", "--from-prefix", prefix, *words, *options, check=check)


@pytest.fixture(scope="module")
def archive(conda: Conda, prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    output = tmp_path_factory.mktemp("pack") / "live.coex"
    return Archive(output, pack(conda, prefix, output).stderr)


def test_says_what_differs(archive: Archive) -> None:
    modified = next(line for line in archive.said.splitlines() if "modified since" in line)
    assert modified.endswith("hello_noarch/__init__.py")
    assert ":" in modified
    assert "," not in modified.rpartition(": ")[2]
    missing = next(line for line in archive.said.splitlines() if "missing from packages" in line)
    assert missing.endswith("antigravity.py")
    assert "mine/fifo is a fifo and is left out" in archive.said
    assert "mine/socket is a socket and is left out" in archive.said


def test_unpacks_as_it_was(archive: Archive, prefix: Path, tmp_path: Path) -> None:
    printed = archive.start(store=tmp_path)
    root = only_root(tmp_path) / "prefix"
    assert printed == f"{root}\n"
    old, new = os.fsencode(prefix), os.fsencode(root)
    compared = 0
    for top, _, names in os.walk(prefix):
        for name in names:
            path = Path(top, name)
            relative = path.relative_to(prefix)
            if relative.parts[0] == "conda-meta" or name in APART or path.suffix == ".pyc":
                continue
            there = root / relative
            if path.is_symlink():
                assert there.is_symlink(), relative
                continue
            assert stat.S_IMODE(there.stat().st_mode) == stat.S_IMODE(path.stat().st_mode), relative
            data = path.read_bytes()
            if old not in data:
                assert there.read_bytes() == data or b"\0" in data or name.startswith("shebang"), relative
            elif b"\0" not in data and not name.startswith("shebang"):
                assert there.read_bytes() == data.replace(old, new), relative
            compared += 1
    assert compared > 500
    assert (root / "mine/wide.txt").read_bytes().decode("utf-16-le") == f"root = {root}/x\n"
    assert (root / "mine/first").read_text() == (root / "mine/second").read_text() == f"{root}:{prefix}xtra\n"
    assert (root / "mine/absolute").readlink() == Path("first")
    assert (root / "mine/loop").readlink() == Path("loop")
    assert stat.S_IMODE((root / "mine/read-only").stat().st_mode) == 0o555
    assert (root / "mine/empty").is_dir()
    assert not (root / ".condarc").exists()
    assert os.fsdecode(b"no-utf-8-\xff") in {path.name for path in (root / "mine").iterdir()}


def test_conda_knows_it(archive: Archive, conda: Conda, tmp_path: Path) -> None:
    archive.start(store=tmp_path)
    root = only_root(tmp_path) / "prefix"
    listed = {row["name"] for row in json.loads(conda("list", "-p", root, "--json").stdout)}
    assert listed >= set(PACKAGES)
    (meta,) = (root / "conda-meta").glob("hello-noarch-*.json")
    record = json.loads(meta.read_text())
    rows = {row["_path"]: row for row in record["paths_data"]["paths"]}
    row = rows["site-packages/hello_noarch/__init__.py"]
    assert row["sha256_in_prefix"] != row["sha256"]
    assert "bin/hello-noarch" in record["files"]


def test_same_prefix_same_bytes(archive: Archive, conda: Conda, prefix: Path, tmp_path: Path) -> None:
    pack(conda, prefix, tmp_path / "again.coex")
    assert (tmp_path / "again.coex").read_bytes() == archive.path.read_bytes()


def test_small(archive: Archive, conda: Conda, prefix: Path, tmp_path: Path) -> None:
    options = ("--small", "--exclude", "mine/read-only", "--include", "include")
    said = pack(conda, prefix, tmp_path / "small.coex", *options).stderr
    assert "left out: compiled Python files" in said
    assert "left out: headers" not in said
    assert (tmp_path / "small.coex").stat().st_size < archive.path.stat().st_size
    small = Archive(tmp_path / "small.coex")
    small.start(store=tmp_path / "store")
    assert not (only_root(tmp_path / "store") / "prefix/mine/read-only/x").exists()


def test_missing_refused(conda: Conda, prefix: Path, tmp_path: Path) -> None:
    done = pack(conda, prefix, tmp_path / "x.coex", "--missing", "refuse", check=False)
    assert done.returncode == 1
    assert "antigravity.py" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_points_outside_is_refused(conda: Conda, prefix: Path, tmp_path: Path) -> None:
    (site_packages,) = prefix.glob("lib/python*/site-packages")
    (tmp_path / "project").mkdir()
    pointer = site_packages / "mine.pth"
    pointer.write_text(f"{tmp_path}/project\n")
    try:
        done = pack(conda, prefix, tmp_path / "x.coex", check=False)
        assert done.returncode == 1
        assert f"mine.pth -> {tmp_path}/project" in done.stderr
        assert pack(conda, prefix, tmp_path / "x.coex", "--exclude", "mine.pth").returncode == 0
    finally:
        pointer.unlink()
