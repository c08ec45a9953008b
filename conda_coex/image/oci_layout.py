"""Write an image: an OCI layout in a directory, or in a tar that `docker load` reads, too."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import tarfile
from typing import IO, TYPE_CHECKING

from ..archive import new_file
from ..errors import BaseRefused, OutputError
from .base import Hashing
from .documents import blob_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .documents import Documents
    from .layer import Layer

VERSION = json.dumps({"imageLayoutVersion": "1.0.0"}).encode()
MARK = "oci-layout"  # the first file of a tar
SUFFIX = ".tar"
PIECE = 1 << 20


def is_tar(output: Path) -> bool:
    """Return whether an output is to be a tar, after its name."""
    return output.name.endswith(SUFFIX)


def check_output(output: Path) -> None:
    """Raise OutputError, before any work, if no image could be written there."""
    if is_tar(output):
        new_file.check_place(output, _is_image, "an image", "-o")
        return
    path = os.fsencode(output)
    if os.path.lexists(output) and not (output.is_dir() and not any(output.iterdir())):
        raise OutputError("is there already, and not an empty directory", path, "remove it, or name another with -o")
    parent = output.resolve().parent
    if not parent.is_dir():
        raise OutputError("the directory of the output does not exist", os.fsencode(parent))
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError("cannot write in the directory of the output: permission denied", os.fsencode(parent))


def _is_image(path: Path) -> bool:
    """Return whether a file is a tar that begins as those of this module, or is empty."""
    with path.open("rb") as stream:
        start = stream.read(len(MARK) + 1)
    return not start or start == MARK.encode() + b"\0"


def write_layout(output: Path, documents: Documents, layers: Sequence[Layer]) -> None:
    """Write an image, which takes its place when it is whole; raises OutputError, and BaseRefused if a base changed."""
    if is_tar(output):
        with new_file.output_file(output, 0o666) as stream:
            tar = _Tar(stream, json.loads(documents.config.data)["created"])
            _fill(tar, documents, layers)
            tar.add_bytes("manifest.json", documents.docker)
            tar.finish()
        return
    with _output_directory(output) as directory:
        _fill(_Directory(directory), documents, layers)


def _fill(made: _Tar | _Directory, documents: Documents, layers: Sequence[Layer]) -> None:
    made.add_bytes(MARK, VERSION)
    blobs = {each.digest: each for each in (documents.config, documents.manifest, *documents.attached)}
    of_layers = {each.digest: each for each in layers}
    for digest in sorted({*blobs, *of_layers}):
        if digest in blobs:
            made.add_bytes(blob_path(digest), blobs[digest].data)
            continue
        layer = of_layers[digest]
        with layer.open() as stream:
            reading = Hashing(_LayerReader(stream, layer))
            made.add(blob_path(digest), layer.size, reading)
        if reading.digest != digest:
            raise BaseRefused(f"its layer {digest} was changed meanwhile", layer.base)
    made.add_bytes("index.json", documents.index)


class _LayerReader:
    """Reads the blob of a layer; raises BaseRefused for one of a base that cannot be read."""

    def __init__(self, stream: IO[bytes], layer: Layer) -> None:
        self._stream, self._layer = stream, layer

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes, fewer at the end."""
        try:
            return self._stream.read(size)
        except OSError as error:
            if self._layer.base is None:  # a file beside the output
                raise
            what = f"its layer {self._layer.digest} cannot be read: {error.strerror}"
            raise BaseRefused(what, self._layer.base) from error


class _Directory:
    """Writes files below a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        (path / "blobs" / "sha256").mkdir(parents=True)

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add a file of these bytes."""
        (self._path / name).write_bytes(data)

    def add(self, name: str, size: int, reading: Hashing) -> None:
        """Add a file of that many bytes of a stream."""
        with (self._path / name).open("wb") as stream:
            for piece in _pieces(reading, size):
                stream.write(piece)


class _Tar:
    """Writes files into a tar, in whose entries nothing but name, size and content depends on the image."""

    def __init__(self, stream: IO[bytes], created: str) -> None:
        import datetime as dt

        self._date = int(dt.datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp())
        self._stream, self._size = stream, 0

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add a file of these bytes."""
        self.add(name, len(data), Hashing(io.BytesIO(data)))

    def add(self, name: str, size: int, reading: Hashing) -> None:
        """Add a file of that many bytes of a stream."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = size, 0o644, self._date
        self._write(entry.tobuf(tarfile.GNU_FORMAT))
        for piece in _pieces(reading, size):
            self._write(piece)
        self._write(b"\0" * (-size % tarfile.BLOCKSIZE))

    def finish(self) -> None:
        """Write the end."""
        end = 2 * tarfile.BLOCKSIZE
        self._write(b"\0" * (end + -(self._size + end) % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)


def _pieces(reading: Hashing, size: int) -> Iterator[bytes]:
    """Yield that many bytes; raises BaseRefused if there are fewer, which a base that is written meanwhile may have."""
    while size > 0:
        piece = reading.read(min(size, PIECE))
        if not piece:
            raise BaseRefused("a layer of it became shorter meanwhile")
        size -= len(piece)
        yield piece


@contextlib.contextmanager
def _output_directory(output: Path) -> Iterator[Path]:
    """Yield a new directory that takes the place of `output`, where at most an empty one is, if nothing is raised."""
    output = output.resolve()
    directory = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        directory.mkdir()
        yield directory
        directory.replace(output)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", os.fsencode(output)) from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)
