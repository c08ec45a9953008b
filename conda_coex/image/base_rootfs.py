"""Take the tar of a root file system as a base of one layer, with all the names in it as they are."""

from __future__ import annotations

import bz2
import lzma
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import BaseRefused
from . import media_types
from .base import Base, Hashing, add_layer, compression_of, digest_of
from .compress import DAMAGED, compressor, open_decompressed
from .layer import Layer, reread

if TYPE_CHECKING:
    from collections.abc import Callable

    from .compress import Readable

# How no layer may be compressed, by the first bytes.
OTHERS: dict[bytes, type[lzma.LZMAFile] | type[bz2.BZ2File]] = {b"\xfd7zXZ\x00": lzma.LZMAFile, b"BZh": bz2.BZ2File}
PIECE = 1 << 20


def read_rootfs(path: str, compression: str, new_file: Callable[[], IO[bytes]]) -> Base:
    """Return the base; a tar that is compressed as no layer is, or not at all, is compressed into a new file."""
    name = os.fsencode(path)
    if Path(path).is_dir():
        raise BaseRefused("it is a directory", name, "name an OCI layout as oci:DIR, or make a tar of the root")
    if Path(path).exists() and not Path(path).is_file():
        raise BaseRefused("it is not a regular file, and it is read more than once", name, "write it to a file first")
    if not Path(path).is_file():
        remedy = "copy an image of a registry to an OCI layout first: skopeo copy docker://IMAGE oci:DIR"
        raise BaseRefused("there is no such file", name, remedy)
    base = Base()
    try:
        layer = _as_layer(Path(path), compression, new_file)
    except (lzma.LZMAError, *DAMAGED) as error:
        raise BaseRefused(f"it cannot be read: {error}", name) from error
    add_layer(base, layer, name)
    if base.tree.has("manifest.json") or base.tree.has("oci-layout"):
        remedy = "name it as docker-archive:FILE or oci-archive:FILE"
        raise BaseRefused("it is the archive of an image, not of a root file system", name, remedy)
    return base


def _as_layer(path: Path, compression: str, new_file: Callable[[], IO[bytes]]) -> Layer:
    with path.open("rb") as stream:
        kind = compression_of(stream)
        if kind:
            content = Hashing(open_decompressed(stream, kind))
            content.finish()
            digest, size = digest_of(lambda: path.open("rb"))
            base = os.fsencode(path)
            return Layer(media_types.of_layer(kind), digest, size, content.digest, lambda: path.open("rb"), base=base)
        start = stream.read(6)
        stream.seek(0)
        opens = next((opens for magic, opens in OTHERS.items() if start.startswith(magic)), None)
        return _compressed(opens(stream) if opens else stream, compression, new_file())


def _compressed(stream: Readable, compression: str, made: IO[bytes]) -> Layer:
    content = Hashing(stream)
    target = compressor(compression, made.write)
    while data := content.read(PIECE):
        target.write(data)
    target.close()

    opened = reread(made)
    digest, size = digest_of(opened)
    return Layer(media_types.of_layer(compression), digest, size, content.digest, opened)
