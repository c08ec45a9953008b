"""Files of no conda package give the same payload with kept frames as without, and each stands in the root."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_coex.archive.cache_entry import open_entry
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.payload import Payload
from conda_coex.root.content import Content, Link, relocation_of
from conda_coex.root.layout import Layout
from conda_coex.root.link_rules import PackagePlan, Python, plan_package
from conda_coex.root.package import Package, PackagePath
from conda_coex.root.source import OnDisk
from conda_coex.verbs.lay_out_installed import NotOfConda, place_installed

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
SITE = f"lib/python{VERSION}/site-packages"
TIME = 1_000_000_000 * 10**9
FILES = {
    f"{SITE}/demo/__init__.py": b"ANSWER = 42\n",
    f"{SITE}/demo/data": bytes(999),
    f"{SITE}/demo/empty": b"",
    f"{SITE}/demo/moved.py": b"PLACE = '/place'\n",
    f"{SITE}/demo/words.py": b"def def\n",
    f"{SITE}/demo-1.0.dist-info/RECORD": b"demo/__init__.py\ndemo/data\ndemo/empty\ndemo/moved.py\ndemo/words.py\n",
    f"{SITE}/loose.py": b"LOOSE = 1\n",
    "share/notes.txt": b"notes\n",
}  # fmt: skip
MOVED = relocation_of("/place", "text", ((0, ((9, 0),)),))
OWNERS = {"demo-1.0 (pip)", "demo-1.0 (pip) compiled", "pip packages", "pip packages compiled"}
OWN = f"lib/python{VERSION}/os.py"  # of Python


def content(directory: Path, path: str, data: bytes) -> Content:
    file = directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, ns=(TIME, TIME))
    relocation = MOVED if path.endswith("moved.py") else None
    digest = hashlib.sha256(data).hexdigest()
    return Content(f"prefix/{path}", 0o644, TIME, OnDisk(str(file)), len(data), digest, relocation)


class Work:
    """An environment with a Python, and files that pip installed there."""

    def __init__(self, directory: Path) -> None:
        row = PackagePath(OWN, "hardlink", None, None, "0" * 64, 1, 0o644, 0, {"_path": OWN})
        record = {"name": "python", "version": f"{VERSION}.0", "build": "0"}
        package = Package(record, directory, None, (), (row,), None, None)
        self.plans: list[PackagePlan] = [plan_package(package, Python(VERSION, SITE, package), 0)]
        self.items: list[Content | Link] = [content(directory / "pip", path, data) for path, data in FILES.items()]
        self.items.append(Link(f"prefix/{SITE}/demo/link", "data"))

    @property
    def sources(self) -> list[Content]:
        return [item for item in self.items if isinstance(item, Content) and item.path.endswith(".py")]

    def build(
        self, cache: FrameCache, removed: Sequence[str] = (), program: Path = Path(sys.executable)
    ) -> tuple[bytes, set[bytes], list[str]]:
        """Return the payload, the paths of its rows, and the sources that are left to the host."""
        given = NotOfConda(self.items, self.sources, "pip packages", program=program, removed=removed)
        layout = Layout()
        left = place_installed(layout, self.plans, given, cache, native=True)
        with tempfile.TemporaryFile() as stream:
            payload = Payload(stream, cache, lambda _size: None)
            payload.add(layout.groups())
            assert payload.reader.altered(payload.frames) is None
            stream.seek(0)
            assert [link.path for link in layout.links()] == [f"prefix/{SITE}/demo/link"]
            return stream.read(), {row.path for row in payload.rows}, left


def owners(directory: Path) -> set[str]:
    found = set()
    for path in directory.iterdir():
        entry = open_entry(path)
        assert entry is not None
        found.add(entry.owner)
        entry.close()
    return found


def test_same_bytes(tmp_path: Path) -> None:
    work, cache = Work(tmp_path), FrameCache(tmp_path / "frames", 3)
    payload, paths, left = work.build(FrameCache(None, 3))
    assert work.build(cache) == (payload, paths, left)
    kept = {path: path.stat().st_ino for path in (tmp_path / "frames").iterdir()}
    assert work.build(cache) == (payload, paths, left)
    assert {path: path.stat().st_ino for path in (tmp_path / "frames").iterdir()} == kept
    assert owners(tmp_path / "frames") == OWNERS
    assert left == [f"{SITE}/demo/moved.py"]
    names = {os.fsencode(f"prefix/{path}") for path in FILES}
    assert names < paths
    assert len(paths - names) == 2
    assert all(path.endswith(b".pyc") for path in paths - names)


@pytest.mark.parametrize("how", ["removed", "replaced", "added"])
def test_changed_python(how: str, tmp_path: Path) -> None:
    """Bytecode is not kept that another Python than that of its package made."""
    work, cache = Work(tmp_path), FrameCache(tmp_path / "frames", 3)
    if how != "removed":
        path = OWN if how == "replaced" else OWN.replace("os.py", "shadow.py")
        work.items.append(content(tmp_path / "pip", path, b"pass\n"))
    work.items = [item for item in work.items if item.path != f"prefix/{SITE}/loose.py"]
    work.build(cache, [f"prefix/{OWN}"] if how == "removed" else ())
    assert owners(tmp_path / "frames") == {"demo-1.0 (pip)", "pip packages"}


def test_python_that_does_not_start(tmp_path: Path) -> None:
    """The host compiles; every source stands in the root."""
    work = Work(tmp_path)
    _, paths, left = work.build(FrameCache(tmp_path / "frames", 3), program=tmp_path / "missing")
    assert sorted(left) == sorted(path for path in FILES if path.endswith(".py"))
    assert paths == {os.fsencode(f"prefix/{path}") for path in FILES}
