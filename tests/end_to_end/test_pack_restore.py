"""Files that a live prefix lacks are taken from conda's package cache; its path has a blank, and a letter like é.

There are many files of nobody in it.
"""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda

PACKAGES = ("cprog", "legacy-pkg", "symlink-dir-a", "symlink-dir-b")
TAKEN = ["bin/cprog", "share/legacy/link", "share/libcgreet/greeting.txt"]
LOST = "lib/libcgreet.so"  # a link, of a package that the cache does not have


def test_restored_from_the_cache(conda: Conda, uncached_channel: tuple[str, ...], tmp_path: Path) -> None:
    prefix, output, again = tmp_path / "my énv", tmp_path / "x.coex", tmp_path / "again"
    env = {"CONDA_PKGS_DIRS": str(tmp_path / "cache")}  # other tests want some of these in no cache
    conda("create", "-q", "-y", "--copy", *uncached_channel, "-p", prefix, *PACKAGES, env=env)
    (record,) = prefix.glob("conda-meta/libcgreet-*.json")
    fields = json.loads(record.read_text())
    gone = {"channel": "file:///none/gone/linux-64", "url": "file:///none/gone/linux-64/libcgreet-1.0-0.conda"}
    record.write_text(json.dumps({**fields, **gone, "sha256": "0" * 64, "md5": "0" * 32}))
    mode, data = stat.S_IMODE((prefix / "bin/cprog").stat().st_mode), (prefix / "bin/cprog").read_bytes()
    for name in (*TAKEN, LOST):
        (prefix / name).unlink()
    (prefix / "where.txt").write_text(f"{prefix.as_uri()}/x and {prefix}/x\n")
    (prefix / "kernel.json").write_text(json.dumps({"argv": [f"{prefix}/bin/python"], "x": 1}))
    (prefix / "many").mkdir()
    for number in range(10_000):
        (prefix / f"many/{number}").write_text(f"{prefix}/{number}\n" if number % 2 else str(number))
    words = ("--entrypoint", "cprog", "--fast", "-o", output, "--missing", "restore")
    said = conda("coex", "pack", "-y", "-p", prefix, *words, env=env).stderr
    assert f"taken from conda's package cache: {', '.join(TAKEN)}\n" in said
    assert f"missing from packages, and so from the archive: {LOST}\n" in said
    assert "modified" not in said
    conda("coex", "unpack", output, "-p", again)
    old, new = str(prefix).encode(), str(again).encode()
    assert stat.S_IMODE((again / "bin/cprog").stat().st_mode) == mode
    assert (again / "bin/cprog").read_bytes().replace(b"\0", b"") == data.replace(old, new).replace(b"\0", b"")
    assert str((again / "share/legacy/link").readlink()) == "plain.txt"
    assert (again / "share/libcgreet/greeting.txt").read_text()
    assert (again / "where.txt").read_text() == f"file://{again}/x and {again}/x\n"
    assert json.loads((again / "kernel.json").read_text())["argv"] == [f"{again}/bin/python"]
    assert (again / "many/9998").read_text() + (again / "many/9999").read_text() == f"9998{again}/9999\n"
    assert len(list((again / "many").iterdir())) == 10_000
    for path in (path for path in prefix.rglob("*") if path.is_file() and "conda-meta" not in path.parts):
        assert (again / path.relative_to(prefix)).exists(), path
