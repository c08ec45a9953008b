"""Files of an image by name, in a directory or in a tar."""

from __future__ import annotations

import json
import os
import posixpath
import tarfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from coex_bootstrap.base.untrusted import parse_json

from ..errors import BaseRefused
from ..inputs.json_values import as_table
from .base import DIGEST, Hashing, compression_of
from .compress import DAMAGED
from .documents import blob_path
from .layer import reread
from .tree import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 8 << 20  # bytes of a document
MOST_FILES = 100_000  # of an archive: layers, documents and directories


class Files(Protocol):
    """Files by name; `open` raises BaseRefused if there is no such file."""

    path: bytes

    def open(self, name: str) -> IO[bytes]:
        """Open a file."""


class DirectoryFiles:
    """The files in a directory."""

    def __init__(self, path: str) -> None:
        self.path = os.fsencode(path)
        if not Path(path).is_dir():
            raise BaseRefused("it is not a directory", self.path)

    def open(self, name: str) -> IO[bytes]:
        """Open a file; links are followed, as in layouts that share their blobs."""
        place = Path(os.fsdecode(self.path), name)
        if not place.is_file():
            raise BaseRefused(f"it has no {name}", self.path)
        return place.open("rb")


class TarFiles:
    """The files in a tar, which is not compressed."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self.path, self._stream = os.fsencode(path), stream
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            is_compressed = bool(compression_of(stream))
            for member in entries(stream, self.path) if not is_compressed else ():
                member.offset_data = stream.tell() - member.size - -member.size % tarfile.BLOCKSIZE
                self._members[posixpath.normpath(member.name)] = member
                if len(self._members) > MOST_FILES:
                    raise BaseRefused(f"it has more than {MOST_FILES} files", self.path)
        except DAMAGED as error:
            raise BaseRefused(f"it cannot be read: {error}", self.path) from error
        if is_compressed or not self._members:
            raise BaseRefused("it is not a tar that can be read", self.path, "decompress it first")

    def open(self, name: str) -> IO[bytes]:
        """Open a file; a link to another file of the tar is followed, as old versions of `docker save` write them."""
        member = self._members.get(posixpath.normpath(name))
        if member is not None and (member.issym() or member.islnk()):
            above = posixpath.dirname(member.name) if member.issym() else ""
            member = self._members.get(posixpath.normpath(posixpath.join(above, member.linkname)))
        if member is None or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise BaseRefused(f"it has no {name}", self.path)
        return reread(self._stream, member.offset_data, member.size)()


@contextmanager
def open_files(path: str, *, in_tar: bool) -> Iterator[Files]:
    """Yield the files in a directory or tar; raises BaseRefused."""
    if not in_tar:
        yield DirectoryFiles(path)
        return
    if not Path(path).is_file():
        raise BaseRefused("it is not a file", os.fsencode(path))
    with Path(path).open("rb") as stream:
        yield TarFiles(stream, path)


def read_document(files: Files, name: str) -> tuple[object, str]:
    """Return a JSON document and its digest; raises BaseRefused."""
    try:
        with files.open(name) as stream:
            reading = Hashing(stream)
            data = reading.read(MOST + 1)
    except DAMAGED as error:
        raise BaseRefused(f"its {name} cannot be read: {error}", files.path) from error
    if len(data) > MOST:
        raise BaseRefused(f"its {name} has more than {MOST} bytes", files.path)
    try:
        return parse_json(data), reading.digest
    except ValueError as error:
        raise BaseRefused(f"its {name} is not JSON: {error}", files.path) from error


def read_blob(files: Files, descriptor: object) -> dict[str, object]:
    """Return the JSON document of a descriptor, compared with its digest; raises BaseRefused."""
    digest = digest_in(files, descriptor)
    document, content_digest = read_document(files, blob_path(digest))
    if content_digest != digest:
        raise BaseRefused(f"its blob {digest} has the digest {content_digest}", files.path)
    return as_table(document)


def digest_in(files: Files, descriptor: object) -> str:
    """Return the digest of a descriptor; raises BaseRefused if it has none."""
    digest = as_table(descriptor).get("digest")
    if not isinstance(digest, str) or not DIGEST.match(digest):
        raise BaseRefused(f"it names a blob by {json.dumps(digest)}, which is not a sha256", files.path)
    return digest
