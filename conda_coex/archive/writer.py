"""Write the archive: prelude, payload, tail, to a temporary file beside the output, then one rename."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import time
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING

from coex_bootstrap.format import manifest as form
from coex_bootstrap.format.archive import OLD_START, Archive, is_start

from ..errors import OutputError
from .sbom import make_sbom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.abc import Traversable

    from coex_bootstrap.format.index import Index

DEFLATED = (form.INDEX, form.LIBZSTD, form.MANIFEST, form.SBOM)  # the code is stored: it starts faster, and can be read
DESCRIPTORS = "/proc/self/fd"
ZIP_EPOCH = 315532800  # 1980-01-01, the first date that a zip can hold


def bootstrap_members() -> dict[str, bytes]:
    """Return the bootstrap, byte for byte, by its names in the tail, with the root's `__main__.py`."""
    members = dict(_sources(files(form.PACKAGE), form.PACKAGE))
    members[form.MAIN] = members[f"{form.PACKAGE}/{form.MAIN}"]
    return members


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".sh")):
            yield f"{name}/{entry.name}", entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{name}/{entry.name}")


@contextlib.contextmanager
def output_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary file beside `path` that takes its place when all went well, and goes when not.

    Where the system can, it has no name before that: a build that is killed leaves nothing. It is on the disk then.

    Raises OutputError where the directory is missing or not writable, the disk is full, or something that is
    no archive stands at `path`.
    """
    path = _behind_links(path)
    check_output(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with _open_unnamed(path.parent) or temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), 0o777 & ~_umask())
            os.fsync(stream.fileno())
            if not os.path.lexists(temporary):
                _give_name(stream, temporary)
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        if error.filename is not None and str(temporary) not in (error.filename, error.filename2):
            raise
        raise OutputError(f"cannot be written: {error.strerror}", os.fsencode(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _open_unnamed(directory: Path) -> IO[bytes] | None:
    """Return a new file without a name in a directory (O_TMPFILE of open(2)), None where there is no such thing."""
    if not hasattr(os, "O_TMPFILE") or not Path(DESCRIPTORS).is_dir():
        return None
    try:
        return os.fdopen(os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600), "wb")
    except OSError:
        return None


def _sync_directory(directory: Path) -> None:
    """Have a rename in a directory on the disk, if its file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _give_name(stream: IO[bytes], path: Path) -> None:
    descriptors = os.open(DESCRIPTORS, os.O_RDONLY)
    try:  # with a directory, os.link follows the link that proc(5) has there
        os.link(str(stream.fileno()), path, src_dir_fd=descriptors)
    finally:
        os.close(descriptors)


def check_output(path: Path) -> None:
    """Raise OutputError before any work where the archive could not be put at `path`."""
    path = _behind_links(path)
    if not path.parent.is_dir():
        raise OutputError("the directory of the output does not exist", os.fsencode(path.parent))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError("cannot write in the directory of the output: permission denied", os.fsencode(path.parent))
    if path.is_dir():
        raise OutputError("the output is a directory", os.fsencode(path), "name a file with -o")
    if os.path.lexists(path) and not _is_archive(path):
        raise OutputError(
            "would replace what is no coex archive", os.fsencode(path), "remove it, or name another file with -o"
        )


def _behind_links(path: Path) -> Path:
    """Return where writing through the link `path` would lead, as a rename would replace the link itself."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _is_archive(path: Path) -> bool:
    """Return whether `path` is a regular file that begins as an archive, or is empty."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            start = stream.read(len(OLD_START))
            return is_start(start) or not start
    except PermissionError:
        return False


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def prelude_size(platform: str) -> int:
    """Return the size of the prelude, which does not depend on the digest in it."""
    text = bootstrap_members()[f"{form.PACKAGE}/{form.PRELUDE}"]
    return len(form.fill_prelude(text, b"0" * form.ID_LENGTH, platform))


def finish(stream: IO[bytes], manifest: form.Manifest, index: Index, libzstd: bytes) -> form.Manifest:
    """Seal an archive whose payload stands in `stream` after room for the prelude; return the manifest with digest."""
    members = {**bootstrap_members(), form.INDEX: index.dumps(), form.LIBZSTD: libzstd, form.SBOM: make_sbom(manifest)}
    manifest = manifest.replace(digest=form.digest(manifest, members))
    members[form.MANIFEST] = manifest.dumps()
    text = members[f"{form.PACKAGE}/{form.PRELUDE}"]
    prelude = form.fill_prelude(text, manifest.root_name, manifest.platform)
    tail = zip_bytes(members, manifest.date)
    stream.seek(0, os.SEEK_END)
    stream.write(form.seal(prelude, tail) + tail)
    stream.seek(0)
    stream.write(prelude)
    return manifest


def open_written(stream: IO[bytes]) -> Archive:
    """Return a finished archive as a host reads it, through its descriptor; raises ArchiveDamaged."""
    stream.flush()
    descriptor = f"{DESCRIPTORS if Path(DESCRIPTORS).is_dir() else '/dev/fd'}/{stream.fileno()}"
    return Archive(os.fsencode(descriptor))


def zip_bytes(members: dict[str, bytes], date: int) -> bytes:
    """Return a zip of its own offsets, without comment: what every Python from 2.7 on starts behind any prefix."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as tail:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, time.gmtime(max(date, ZIP_EPOCH))[:6])
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED if name in DEFLATED else zipfile.ZIP_STORED
            tail.writestr(info, members[name], compresslevel=6)
    return buffer.getvalue()
