"""Read package files, `.conda` and `.tar.bz2`: check, extract and compare them."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from tarfile import TarFile, TarInfo

REQUIRED = ("name", "version", "build", "build_number")  # of conda's records


def stem_of(name: str) -> str:
    """Return the name of the directory to which conda extracts a package file, or a plugin of conda a wheel."""
    return name.removesuffix(".conda").removesuffix(".tar.bz2").removesuffix(".whl")


def fault_of(file: Path) -> str | None:
    """Return why conda cannot read a file as a package, None if it can; raises OSError if it cannot be opened."""
    file.open("rb").close()
    text = None
    try:
        for tar, member in _members(file):
            if member.name == "info/index.json":
                stream = tar.extractfile(member)
                text = stream.read() if stream else None
    except LookupError:
        return _missing_part(file)
    except Exception as error:  # zipfile, tarfile, bz2 and zstd raise their own
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
    """Return the sha256 of paths in a package file; None for a path that is missing or not a regular file."""
    sums: dict[str, str | None] = dict.fromkeys(paths)
    for tar, member in _members(file):
        if member.name in sums and member.isfile():
            stream = tar.extractfile(member)
            sums[member.name] = hashlib.sha256(stream.read()).hexdigest() if stream else None
    return sums


def file_sum(file: Path, kind: str) -> str:
    """Return a checksum of a file, `md5` or `sha256`, in hexadecimal."""
    from conda.gateways.disk.read import compute_sum

    return str(compute_sum(str(file), kind))


def extract_to(file: Path, directory: Path) -> bool:
    """Extract a package file; return whether all of it could be extracted."""
    from conda_package_streaming.exceptions import SafetyError
    from conda_package_streaming.extract import extract

    try:
        extract(str(file), str(directory))
    except (OSError, EOFError, SafetyError, tarfile.TarError, zipfile.BadZipFile):
        return False
    return True


def _members(file: Path) -> Iterator[tuple[TarFile, TarInfo]]:
    from conda_package_streaming.package_streaming import stream_conda_component

    for component in ("info", "pkg") if file.name.endswith(".conda") else ("pkg",):
        yield from stream_conda_component(str(file), component=component)


def _missing_part(file: Path) -> str:
    """Return which part a `.conda` file lacks: those of its name, or all if it holds another package's (CEP 24)."""
    stem = stem_of(file.name)
    with zipfile.ZipFile(file) as container:
        members = container.namelist()
    for member in members:
        if member.startswith("info-") and member != f"info-{stem}.tar.zst":
            return f"it holds {member.removeprefix('info-').removesuffix('.tar.zst')}, not {stem}"
    missing = [name for name in (f"info-{stem}.tar.zst", f"pkg-{stem}.tar.zst") if name not in members]
    return f"its member {missing[0]} is missing" if missing else "a part of it is missing"
