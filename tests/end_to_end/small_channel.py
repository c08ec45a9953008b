"""Channels that one test alone needs: of one package that it makes, or of some of the test bed's."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from end_to_end.archives import link_or_copy

if TYPE_CHECKING:
    from pathlib import Path


def make_package(channel: Path, name: str, files: dict[str, str], depends: tuple[str, ...] = ()) -> Path:
    """Make a channel that has one generic package of text files."""
    index = {
        "name": name, "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "noarch": "generic",
        "depends": list(depends),
    }  # fmt: skip
    members = {**files, "info/index.json": json.dumps(index), "info/files": "".join(f"{path}\n" for path in files)}
    package = channel / f"noarch/{name}-1.0-0.tar.bz2"
    package.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package, "w:bz2") as archive:
        for path, text in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    data = package.read_bytes()
    sums = {kind: hashlib.new(kind, data).hexdigest() for kind in ("md5", "sha256")}
    _write(channel, "noarch", {"packages": {package.name: {**index, **sums, "size": len(data)}}})
    return package


def copy_without(channel: Path, source: Path, *names: str) -> None:
    """Make a channel that has the packages of another one, except for these."""
    for repodata in source.glob("*/repodata.json"):
        found: dict[str, Any] = json.loads(repodata.read_text())
        kept = {
            key: {fn: row for fn, row in found.get(key, {}).items() if row["name"] not in names}
            for key in ("packages", "packages.conda")
        }
        _write(channel, repodata.parent.name, kept)
        for rows in kept.values():
            for fn in rows:
                link_or_copy(repodata.parent / fn, channel / repodata.parent.name / fn)


def _write(channel: Path, subdir: str, rows: dict[str, dict[str, Any]]) -> None:
    (channel / subdir).mkdir(parents=True, exist_ok=True)
    (channel / subdir / "repodata.json").write_text(json.dumps({"info": {"subdir": subdir}, **rows}))
