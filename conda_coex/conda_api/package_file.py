"""Read package files, `.conda` and `.tar.bz2`: whether one is a package, and what it holds."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from tarfile import TarFile, TarInfo

SUFFIXES = (".conda", ".tar.bz2")
REQUIRED = ("name", "version", "build", "build_number")  # of conda's records


def stem_of(name: str) -> str:
    """Return the name of the directory that conda extracts a package file to, or a plugin of it a wheel."""
    return name.removesuffix(".conda").removesuffix(".tar.bz2").removesuffix(".whl")


def fault_of(file: Path) -> str | None:
    """Return why a file is not a package that conda can read, or None; raises OSError when it cannot be opened."""
    file.open("rb").close()
    text = None
    try:
        for tar, member in _members(file):
            if member.name == "info/index.json":
                stream = tar.extractfile(member)
                text = stream.read() if stream else None
    except LookupError:
        return _names(file) or "a part of it is missing"
    except Exception as error:  # zipfile, tarfile, bz2 and zstd have each their own
        return " ".join(str(error).split()) or type(error).__name__
    if text is None:
        return "it has no info/index.json"
    try:
        index = json.loads(text)
    except ValueError as error:
        return f"its info/index.json is not JSON: {error}"
    missing = [key for key in REQUIRED if not isinstance(index, dict) or index.get(key) is None]
    return f"its info/index.json has no {missing[0]}" if missing else None


def sums_of(file: Path, paths: Iterable[str]) -> dict[str, str | None]:
    """Return the sha256 of files in a package file, None for one that it lacks or has as something else."""
    found: dict[str, str | None] = dict.fromkeys(paths)
    for tar, member in _members(file):
        if member.name in found and member.isfile():
            stream = tar.extractfile(member)
            found[member.name] = hashlib.sha256(stream.read()).hexdigest() if stream else None
    return found


def _members(file: Path) -> Iterator[tuple[TarFile, TarInfo]]:
    from conda_package_streaming.package_streaming import stream_conda_component

    for component in ("info", "pkg") if file.name.endswith(".conda") else ("pkg",):
        yield from stream_conda_component(str(file), component=component)


def _names(file: Path) -> str | None:
    """Return a remark on the name of what a `.conda` holds, when that is another than its own."""
    with zipfile.ZipFile(file) as container:
        inner = [name[len("info-") : -len(".tar.zst")] for name in container.namelist() if name.startswith("info-")]
    return f"it holds {inner[0]}, not {file.name.removesuffix('.conda')}" if inner else None
