"""Write the archive: prelude, payload, tail, to a temporary file beside the output, then one rename."""

from __future__ import annotations

import io
import os
import time
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING

from coex_bootstrap.format.archive import OLD_START, Archive, is_start
from coex_bootstrap.format.index_write import dump_index
from coex_bootstrap.format.manifest import (
    ID_LENGTH,
    INDEX,
    LIBZSTD,
    MAIN,
    MANIFEST,
    PACKAGE,
    PRELUDE,
    PYTHON,
    SBOM,
    Manifest,
    digest,
    fill_prelude,
    python_mark,
    seal,
)

from . import new_file
from .new_file import DESCRIPTORS, check_place
from .new_sbom import make_sbom

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator, Mapping
    from importlib.abc import Traversable

    from coex_bootstrap.format.index_write import IndexDraft

    from .carried_python import CarriedPython

DEFLATED = (INDEX, LIBZSTD, MANIFEST, SBOM)  # the code is stored: it starts faster, and can be read
ZIP_EPOCH = 315532800  # 1980-01-01, the first date that a zip can hold


def bootstrap_members() -> dict[str, bytes]:
    """Return the bootstrap, byte for byte, by its names in the tail, with the root's `__main__.py`."""
    members = dict(_sources(files(PACKAGE), PACKAGE))
    members[MAIN] = members[f"{PACKAGE}/{MAIN}"]
    return members


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".sh")):
            yield f"{name}/{entry.name}", entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{name}/{entry.name}")


def output_file(path: Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Return the context of a stream to a new archive, which takes the place of `path` if nothing is raised.

    Raises OutputError if it cannot be written, or if a file that is not an archive is at `path`.
    """
    check_output(path)
    return new_file.output_file(path, 0o777)


def check_output(path: Path) -> None:
    """Raise OutputError, before any work, if no archive could be written at `path`."""
    check_place(path, _is_archive, "a coex archive", "-o")


def _is_archive(path: Path) -> bool:
    """Return whether a file begins as an archive, or is empty."""
    with path.open("rb") as stream:
        start = stream.read(len(OLD_START))
    return is_start(start) or not start


def prelude_size(platform: str) -> int:
    """Return the size of the prelude, which does not depend on the digest in it."""
    text = bootstrap_members()[f"{PACKAGE}/{PRELUDE}"]
    return len(fill_prelude(text, b"0" * ID_LENGTH, platform))


def finish(
    stream: IO[bytes],
    manifest: Manifest,
    index: IndexDraft,
    libzstd: bytes,
    python: CarriedPython | None = None,
    bytecode: Mapping[str, bytes] | None = None,
) -> Manifest:
    """Seal an archive whose payload stands in `stream` after room for the prelude; return the manifest with digest.

    `python` is for hosts that have none, and the members `bytecode` for hosts with certain Pythons.
    """
    members = {**bootstrap_members(), **(bytecode or {}), INDEX: dump_index(index)}
    if python is not None:
        members[PYTHON] = python.data
        manifest = manifest.replace(python=python.fields())
    members |= {LIBZSTD: libzstd, SBOM: make_sbom(manifest)}
    manifest = manifest.replace(digest=digest(manifest, members))
    members[MANIFEST] = manifest.dumps()
    text = members[f"{PACKAGE}/{PRELUDE}"]
    mark = python_mark(manifest, members)
    prelude = fill_prelude(text, manifest.root_name, manifest.platform, mark)
    tail = zip_bytes(members, manifest.date)
    stream.seek(0, os.SEEK_END)
    stream.write(seal(prelude, tail) + tail)
    stream.seek(0)
    stream.write(prelude)
    return manifest


def open_written(stream: IO[bytes]) -> Archive:
    """Return a finished archive as a host reads it, through its descriptor; raises ArchiveDamaged."""
    stream.flush()
    descriptor = f"{DESCRIPTORS if Path(DESCRIPTORS).is_dir() else '/dev/fd'}/{stream.fileno()}"
    return Archive(os.fsencode(descriptor))


def zip_bytes(members: dict[str, bytes], date: int) -> bytes:
    """Return a zip with its own offsets, without comment: every Python from 2.7 on starts it behind any other bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as tail:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, time.gmtime(max(date, ZIP_EPOCH))[:6])
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED if name in DEFLATED else zipfile.ZIP_STORED
            tail.writestr(info, members[name], compresslevel=6)
    return buffer.getvalue()
