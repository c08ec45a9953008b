"""Record the files of a prefix, and compare two recordings: one of an archive's, one of conda's."""

from __future__ import annotations

import ast
import hashlib
import json
import marshal
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PYC_HEADER = 16  # magic, flags, source's time, source's size

# Fields that conda writes about itself: the place of its cache on the builder. Other installers cannot write these.
CACHE_FIELDS = ("extracted_package_dir", "package_tarball_full_path", "link")


@dataclass(frozen=True)
class Entry:
    """One path of a tree; `time` is None for files that were written since the recording's `since`."""

    kind: str  # file, link or directory
    mode: int
    content: bytes  # a digest, or the whole where `compare` has to look inside
    time: int | None


def record(prefix: Path, since: int) -> dict[str, Entry]:
    """Return every path below a prefix; `since` is a time before which nothing here was written."""
    return {os.path.relpath(path, prefix): _entry(path, since) for path in _walk(prefix)}


def _walk(directory: Path) -> Iterator[str]:
    for entry in os.scandir(directory):
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))


def _entry(path: str, since: int) -> Entry:
    state = os.lstat(path)
    mode = stat.S_IMODE(state.st_mode)
    if stat.S_ISLNK(state.st_mode):
        return Entry("link", mode, os.fsencode(os.readlink(path)), None)
    if stat.S_ISDIR(state.st_mode):
        return Entry("directory", mode, b"", None)
    content = Path(path).read_bytes()
    if path.endswith(".pyc"):
        content = _fitted(content, Path(path))
    elif "/conda-meta/" not in path:
        content = hashlib.sha256(content).digest()
    return Entry("file", mode, content, state.st_mtime_ns if state.st_mtime_ns < since else None)


def _fitted(content: bytes, path: Path) -> bytes:
    """Return a .pyc in whose header the time of its source gave way to whether it is: a rewritten source is new."""
    source = path.parent.parent / (path.name.partition(".")[0] + ".py")
    if not source.is_file():
        return content
    time = int(source.stat().st_mtime).to_bytes(4, "little")
    return content[:8] + (b"fits" if content[8:12] == time else b"old!") + content[12:]


def compare(ours: Mapping[str, Entry], condas: Mapping[str, Entry]) -> list[str]:
    """Return how our tree differs from conda's, one line a difference."""
    found = [f"only ours: {path}" for path in sorted(ours.keys() - condas.keys())]
    found += [f"only conda's: {path}" for path in sorted(condas.keys() - ours.keys())]
    for path in sorted(ours.keys() & condas.keys()):
        found += [f"{path}: {difference}" for difference in _differences(path, ours[path], condas[path])]
    return found


def _differences(path: str, ours: Entry, condas: Entry) -> Iterator[str]:
    if ours.kind != condas.kind:
        yield f"{ours.kind}, conda's: {condas.kind}"
        return
    if ours.mode != condas.mode:
        yield f"mode {ours.mode:o}, conda's: {condas.mode:o}"
    if path == "conda-meta/history":
        yield from _values(_history(ours.content), _history(_elsewhere(condas.content)))
    elif path.startswith("conda-meta/"):
        yield from _values(_meta(ours.content), _meta(_elsewhere(condas.content)))
    elif path.endswith(".pyc") and condas.time is None:
        yield from _values(_compiled(ours.content), _compiled(condas.content))
    else:
        if ours.content != condas.content:
            yield f"content {ours.content!r:.80}, conda's: {condas.content!r:.80}"
        # A copy by conda keeps its time, to the nanosecond; a rewritten file is new, and so is ours.
        if ours.time != condas.time:
            yield f"time {ours.time}, conda's: {condas.time}"


def _elsewhere(content: bytes) -> bytes:
    """Return a file of conda's with the one intended difference: directories of the builder are not channels."""
    return re.sub(rb"file:/[^\s\":]*?(?=/(?:noarch|linux-[a-z0-9]+)\b|::)", b"file:///local-channel", content)


def _values(ours: Mapping[str, Any], condas: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(ours.keys() | condas.keys()):
        if ours.get(name) != condas.get(name):
            yield f"{name} {ours.get(name)!r:.300}, conda's: {condas.get(name)!r:.300}"


def _meta(content: bytes) -> dict[str, Any]:
    """Return the environment's own fields of a record: not its time, which is the archive's, and not its layout."""
    fields: dict[str, Any] = json.loads(content)
    return {name: value for name, value in fields.items() if name not in CACHE_FIELDS}


def _history(content: bytes) -> dict[str, Any]:
    """Return packages and specs: time, command and order of the specs are those of one run."""
    lines = content.decode().splitlines()
    specs = [line.partition(":")[2] for line in lines if line.startswith("# update specs:")]
    asked = [sorted(ast.literal_eval(text.strip())) for text in specs]
    return {"packages": [line for line in lines if line.startswith(("+", "-"))], "specs": asked}


def _compiled(content: bytes) -> dict[str, Any]:
    """Return header and code of a .pyc: the bytes depend on the objects that else were in the compiler's memory."""
    code = marshal.loads(content[PYC_HEADER:])
    return {"header": content[:PYC_HEADER], "code": code, "names": list(_file_names(code))}


def _file_names(code: CodeType) -> Iterator[str]:
    yield code.co_filename
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _file_names(constant)
