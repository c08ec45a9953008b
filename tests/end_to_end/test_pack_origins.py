"""Environments by other names, and with records as other installers, and other days, have left them."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.archives import Archive, only_root
from end_to_end.live import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Conda

PACKAGES = ("python", "hello-noarch", "cprog", "zstd", "shebangs")
MAC = b"\0\5\26\7\0\2\0\0Mac OS X"  # a file beside each file, as macOS leaves them on other file systems


@pytest.fixture(scope="module")
def linked(conda: Conda, channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that was made by the name of a link to its directory."""
    top = tmp_path_factory.mktemp("origins")
    (top / "real").mkdir()
    (top / "link").symlink_to("real")
    conda("create", "-q", "-y", "--copy", "--offline", *channel, "-p", top / "link/env", *PACKAGES)
    return top / "real/env"


def change(prefix: Path, name: str, how: Callable[[dict[str, Any]], None]) -> None:
    """Change the record of a package."""
    (path,) = prefix.glob(f"conda-meta/{name}-*.json")
    fields = json.loads(path.read_text())
    how(fields)
    path.write_text(json.dumps(fields))


def start(conda: Conda, prefix: Path, place: Path, entry_point: str = "hello-noarch") -> tuple[str, Path]:
    """Return the messages for an environment that is packed, and its root on a host without that environment."""
    said = pack(conda, prefix, place / "x.coex", entry_point=entry_point).stderr
    away = prefix.rename(prefix.with_name("away"))
    try:
        assert Archive(place / "x.coex").start(store=place / "store").startswith("hello")
    finally:
        away.rename(prefix)
    return said, only_root(place / "store") / "prefix"


def test_made_by_the_name_of_a_link(conda: Conda, linked: Path, tmp_path: Path) -> None:
    said, root = start(conda, linked, tmp_path)
    assert "names the environment's path" not in said
    assert "modified" not in said
    assert str(linked.parent.parent) not in (root / "bin/hello-noarch").read_text()


def test_moved_since_it_was_made(conda: Conda, linked: Path, tmp_path: Path) -> None:
    """Files that conda wrote name the old path, which leads nowhere."""
    former = linked.parent.parent / "link/env"
    moved = linked.rename(linked.with_name("moved"))
    try:
        (moved / "mine.txt").write_text(f"{former}/x {former}\n")
        said, root = start(conda, moved, tmp_path)
    finally:
        (moved / "mine.txt").unlink()
        moved.rename(linked)
    assert f"former paths of the environment that its files still name are replaced, too: {former}\n" in said
    assert (root / "mine.txt").read_text() == f"{root}/x {root}\n"


def test_a_command_of_another_environment(conda: Conda, linked: Path, tmp_path: Path) -> None:
    """A copy of an environment has the commands of the first one, which is there: that is said."""
    other = tmp_path / "other"
    (other / "conda-meta").mkdir(parents=True)
    command = linked / "bin/not-mine"
    command.write_text(f"#!{other}/bin/python3\n")
    command.chmod(0o755)
    (linked / "bin/system").write_text("#!/usr/bin/env python3\n")
    try:
        said, _ = start(conda, linked, tmp_path)
    finally:
        command.unlink()
        (linked / "bin/system").unlink()
    assert f"programs of another environment, {other}, and do not work without it: bin/not-mine\n" in said


def test_records_as_others_leave_them(conda: Conda, linked: Path, tmp_path: Path) -> None:
    """conda lists the unpacked packages, even if their records lack fields that it does not need."""
    kept = {path: path.read_bytes() for path in (linked / "conda-meta").iterdir()}

    def without_origin(fields: dict[str, Any]) -> None:
        del fields["channel"]
        fields["url"] = None

    def of_old(fields: dict[str, Any]) -> None:
        for key in ("channel", "subdir", "timestamp", "md5", "sha256", "paths_data"):
            fields.pop(key, None)

    def half(fields: dict[str, Any]) -> None:
        rows = fields["paths_data"]["paths"]
        fields["paths_data"]["paths"] = [row for row in rows if row["path_type"] == "unix_python_entry_point"]

    change(linked, "zstd", without_origin)
    change(linked, "cprog", of_old)
    change(linked, "hello-noarch", half)
    files = json.loads(next(linked.glob("conda-meta/hello-noarch-*.json")).read_text())["files"]
    meta = linked / "conda-meta"
    (meta / "._zstd-1.5.7-0.json").write_bytes(MAC)
    (meta / "notes.json").write_text("[]")
    (meta / "pixi").write_text("{}")
    (meta / "pinned").write_text("python 3.11.*\n")
    (meta / "history").unlink()
    try:
        said, root = start(conda, linked, tmp_path)
    finally:
        for path in meta.iterdir():
            path.unlink()
        for path, data in kept.items():
            path.write_bytes(data)
    assert "modified" not in said
    listed = {row["name"]: row["channel"] for row in json.loads(conda("list", "-p", root, "--json").stdout)}
    assert listed.keys() >= {*PACKAGES}
    assert (listed["zstd"], listed["cprog"]) == ("<unknown>", listed["python"])
    record = json.loads(next(root.glob("conda-meta/hello-noarch-*.json")).read_text())
    assert {*record["files"]} >= {*files}
    assert {path.name for path in (root / "conda-meta").iterdir() if path.suffix != ".json"} == {"history", "pinned"}
    assert not (root / "conda-meta/notes.json").exists()
    owned = conda("coex", "files", tmp_path / "x.coex", "--package", "hello-noarch*").stdout
    assert (root / "bin/cprog").read_bytes().find(str(root).encode()) > 0
    assert owned.count("site-packages/hello_noarch") > 1


def test_compiled_by_use(conda: Conda, linked: Path, tmp_path: Path) -> None:
    """Python writes over a .pyc of its own package when it first imports a source with the prefix in it."""
    name = "_sysconfigdata__linux_x86_64-linux-gnu"
    compiled = linked / f"lib/python3.11/__pycache__/{name}.cpython-311.pyc"
    load = f"import importlib; importlib.import_module({name!r})"
    subprocess.run([linked / "bin/python", "-c", load], env={}, check=True)
    assert str(linked).encode() in compiled.read_bytes()
    said, root = start(conda, linked, tmp_path)
    assert "modified" not in said
    assert "names the environment's path" not in said
    data = (root / compiled.relative_to(linked)).read_bytes()
    assert str(root).encode() in data
    assert str(linked.parent).encode() not in data
    state = (root / f"lib/python3.11/{name}.py").stat()
    assert struct.unpack("<II", data[8:16]) == (int(state.st_mtime), state.st_size)


def test_no_python(conda: Conda, linked: Path, tmp_path: Path) -> None:
    """A file of yours was compiled, and the program that compiled it is gone: the host would compile it."""
    mine = linked / "lib/python3.11/site-packages/mine.py"
    mine.write_text("A = 1\n")
    python = linked / "bin/python3.11"
    subprocess.run([python, "-m", "compileall", "-q", mine], check=True)
    python.rename(linked / "away")
    try:
        said = pack(conda, linked, tmp_path / "x.coex", entry_point="cprog").stderr
    finally:
        (linked / "away").rename(python)
    assert "missing from packages, and so from the archive: bin/python3.11\n" in said
    assert Archive(tmp_path / "x.coex").start(store=tmp_path / "store").startswith("prefix=")
    root = only_root(tmp_path / "store") / "prefix"
    assert (root / mine.relative_to(linked)).read_text() == "A = 1\n"
    mine.unlink()
    shutil.rmtree(mine.parent / "__pycache__")


def test_no_environment(conda: Conda, tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta/._a-1-0.json").write_bytes(MAC)
    done = pack(conda, tmp_path, tmp_path / "x.coex", check=False)
    assert done.returncode == 1
    assert "Not a conda environment" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["conda-meta"]


def test_packages_of_the_user(conda: Conda, linked: Path, conda_home: Path, tmp_path: Path) -> None:
    """The environment's Python sees packages of `pip install --user`, the archive's does not."""
    for version in ("3.11", "3.9"):
        (conda_home / f".local/lib/python{version}/site-packages/mine{version[-1]}-1.0.dist-info").mkdir(parents=True)
    try:
        said, _ = start(conda, linked, tmp_path)
    finally:
        shutil.rmtree(conda_home / ".local")
    assert "pip installed for you alone (`pip install --user`), and so not in the archive: mine1; install" in said


def test_links_into_caches(conda: Conda, channel: tuple[str, ...], tmp_path: Path) -> None:
    """A link to a file of a cache, conda's or another, becomes a file in the archive."""
    prefix, cache = tmp_path / "env", tmp_path / "cache"
    always = {"CONDA_ALWAYS_SOFTLINK": "1"}
    conda("create", "-q", "-y", "--offline", *channel, "-p", prefix, "python", "hello-noarch", "zstd", env=always)
    site = prefix / "lib/python3.11/site-packages"
    assert (site / "hello_noarch/__init__.py").is_symlink()
    texts = {"six.py": "A = 'six'", "deep/__init__.py": "B = 'deep'", "s-1.dist-info/RECORD": "six.py,,\n"}
    for name, text in texts.items():
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(text)
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).symlink_to(cache / name)
    (site / "deep/data").symlink_to(cache)
    said, root = start(conda, prefix, tmp_path)
    assert "links to files outside of the environment, which become these files: " in said
    assert "to files that are not in the archive: lib/python3.11/site-packages/deep/data" in said
    assert "modified" not in said
    assert "missing" not in said
    links = [path for path in root.rglob("*") if path.is_symlink() and not path.resolve().is_relative_to(root)]
    assert links == [root / "lib/python3.11/site-packages/deep/data"]
    program = "import six, deep, hello_noarch; print(six.A, deep.B, hello_noarch.__file__)"
    env = {"COEX_ENTRYPOINT": "python"}
    printed = Archive(tmp_path / "x.coex").start("-c", program, store=tmp_path / "store", env=env)
    assert printed.split() == ["six", "deep", str(root / "lib/python3.11/site-packages/hello_noarch/__init__.py")]
    (record,) = root.glob("conda-meta/hello-noarch-*.json")
    rows = json.loads(record.read_text())["paths_data"]["paths"]
    assert not [row for row in rows if row["path_type"] == "softlink"]
