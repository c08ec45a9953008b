"""Write the archive: prelude, payload, tail, to a temporary file beside the output, then one rename."""

from __future__ import annotations

import os
from importlib.resources import files
from typing import IO, TYPE_CHECKING

from coex_bootstrap.format.archive import OLD_START, Archive, is_start
from coex_bootstrap.format.manifest import (
    ID_LENGTH,
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
from .new_file import NewFile, check_place
from .new_sbom import make_sbom

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path

    from .carried_python import CarriedPython
    from .new_tail import NewTail

MODE = 0o777  # of an archive, less the umask


def new_output(path: Path) -> contextlib.AbstractContextManager[NewFile]:
    """Return the context of a new archive for the place of `path`; nothing is left of it unless it is committed.

    Raises OutputError if it cannot be written, or if a file that is not an archive is at `path`.
    """
    check_output(path)
    return new_file.new_output(path)


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
    text = files(PACKAGE).joinpath(PRELUDE).read_bytes()
    return len(fill_prelude(text, b"0" * ID_LENGTH, platform))


def finish(
    stream: IO[bytes], end: int, manifest: Manifest, tail: NewTail, python: CarriedPython | None = None
) -> Manifest:
    """Seal an archive whose payload stands in `stream`, after room for the prelude and up to `end`.

    Return the manifest with digest. `tail` has the bootstrap, its bytecode for certain Pythons, the index and libzstd;
    `python` is for hosts that have none.
    """
    if python is not None:
        tail.add(PYTHON, python.data)
        manifest = manifest.replace(python=python.fields())
    tail.add(SBOM, make_sbom(manifest))
    manifest = manifest.replace(digest=digest(manifest, tail.members))
    tail.add(MANIFEST, manifest.dumps())
    text = tail.members[f"{PACKAGE}/{PRELUDE}"]
    mark = python_mark(manifest, tail.members)
    prelude = fill_prelude(text, manifest.root_name, manifest.platform, mark)
    data = tail.zip_bytes(manifest.date)
    stream.seek(end)
    stream.write(seal(prelude, data) + data)
    stream.seek(0)
    stream.write(prelude)
    return manifest


def open_written(stream: IO[bytes], output: Path) -> Archive:
    """Return a finished archive, which will be at `output`, as a host reads it; raises ArchiveDamaged."""
    stream.flush()
    return Archive(os.fsencode(output), os.fdopen(os.dup(stream.fileno()), "rb"))
