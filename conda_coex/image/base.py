"""Read a base image of any kind; anyone may have made it, so everything in it is compared with its digest."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import BaseRefused, InputError
from ..inputs.json_values import as_table
from .compress import DAMAGED, open_decompressed
from .media_types import GZIP, NOT, ZSTD, of_layer
from .tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from .compress import Readable
    from .layer import Layer

OCI, OCI_ARCHIVE, DOCKER_ARCHIVE, ROOTFS = "oci", "oci-archive", "docker-archive", "rootfs"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
MOST_LAYERS = 500  # which overlayfs can put on each other
MAGIC = {b"\x1f\x8b": GZIP, b"\x28\xb5\x2f\xfd": ZSTD}


@dataclass(frozen=True)
class Platform:
    """The platform of an image, in the words of Go."""

    os: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


@dataclass
class Base:
    """A base image: its layers as they are, its configuration, and the paths in it."""

    layers: list[Layer] = field(default_factory=list)
    config: dict[str, object] = field(default_factory=dict)  # the whole document
    tree: Tree = field(default_factory=Tree)
    digest: str | None = None  # of its manifest

    @property
    def settings(self) -> dict[str, object]:
        """Variables, labels, user and so on."""
        return as_table(self.config.get("config"))


@dataclass(frozen=True)
class Spelled:
    """A base as the user names it."""

    kind: str
    path: str
    reference: str | None = None


def parse_base(text: str) -> Spelled:
    """Return the kind, path and reference in `KIND:PATH[:REF]`, or in the path of a root file system."""
    if not text:
        raise InputError("--base is empty", remedy="name an image, or leave --base out")
    kind, colon, rest = text.partition(":")
    if not colon or kind not in (OCI, OCI_ARCHIVE, DOCKER_ARCHIVE):
        if colon and kind in ("docker", "containers-storage", "docker-daemon", "dir"):
            remedy = f"copy it: skopeo copy {text} oci:DIR, and name oci:DIR"
            raise InputError(f"no base is read from {kind}:", os.fsencode(text), remedy)
        return Spelled(ROOTFS, text)
    ends = [number for number, mark in enumerate(rest) if mark == ":"] if not Path(rest).exists() else []
    end = next((end for end in ends if Path(rest[:end]).exists()), len(rest))
    return Spelled(kind, rest[:end], rest[end + 1 :] or None)


def add_layer(base: Base, layer: Layer, path: bytes) -> None:
    """Add a layer, compared with its size and both digests; raises BaseRefused, which names `path`."""
    compression = next(kind for kind in (NOT, GZIP, ZSTD) if of_layer(kind) == layer.media_type)
    with layer.open() as stream:
        raw = Hashing(stream)
        try:
            content = Hashing(open_decompressed(raw, compression))
            base.tree.add(content, path)
            raw.finish()
        except DAMAGED as error:
            raise BaseRefused(f"its layer {layer.digest} cannot be read: {error}", path) from error
    if (raw.digest, raw.size) != (layer.digest, layer.size):
        raise BaseRefused(f"its layer {layer.digest} has the digest {raw.digest} and {raw.size} bytes", path)
    if content.digest != layer.diff_id:
        what = f"the content of its layer {layer.digest} has the digest {content.digest}, not {layer.diff_id}"
        raise BaseRefused(what, path)
    base.layers.append(layer)


def check_config(config: dict[str, object], platform: Platform, layers: int, path: bytes) -> list[str]:
    """Return the diff_ids in the configuration of an image; raises BaseRefused if it does not fit."""
    diff_ids = as_table(config.get("rootfs")).get("diff_ids")
    if not isinstance(diff_ids, list) or not all(isinstance(each, str) and DIGEST.match(each) for each in diff_ids):
        raise BaseRefused("its configuration lists no layers", path)
    if layers > MOST_LAYERS:
        raise BaseRefused(f"it has {layers} layers, and engines take at most {MOST_LAYERS}", path)
    if len(diff_ids) != layers:
        raise BaseRefused(f"it has {layers} layers, and its configuration says {len(diff_ids)}", path)
    own = platform_in(config)
    if own != str(platform):
        raise BaseRefused(f"it is for {own}, and the archive for {platform}", path, f"name a base for {platform}")
    check_settings(config, path)
    return diff_ids


def platform_in(table: dict[str, object]) -> str:
    """Return the platform that a configuration or a descriptor says."""
    return f"{table.get('os')}/{table.get('architecture')}"


def check_settings(config: dict[str, object], path: bytes) -> None:
    """Raise BaseRefused if the settings in a configuration have other types than those of the specification."""
    settings = config.get("config")
    settings = {} if settings is None else settings
    env, labels = (settings.get("Env"), settings.get("Labels")) if isinstance(settings, dict) else (0, 0)
    is_list = env is None or (isinstance(env, list) and all(isinstance(each, str) for each in env))
    is_mapping = labels is None or (isinstance(labels, dict) and all(isinstance(each, str) for each in labels.values()))
    if not is_list or not is_mapping:
        raise BaseRefused("its configuration cannot be read", path)
    if not isinstance(config.get("history") or [], list):
        raise BaseRefused("its history cannot be read", path)


def compression_of(stream: IO[bytes]) -> str:
    """Return how a stream is compressed, by its first bytes; it is at its beginning after that."""
    start = stream.read(4)
    stream.seek(0)
    return compression_by(start)


def compression_by(start: bytes) -> str:
    """Return how a stream with these first bytes is compressed."""
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), NOT)


class Hashing:
    """Reads a stream, with the digest and size of all that was read."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._hash, self.size = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes, fewer only at the end."""
        data = self._stream.read(size)
        while 0 < len(data) < size:
            more = self._stream.read(size - len(data))
            if not more:
                break
            data += more
        self._hash.update(data)
        self.size += len(data)
        return data

    def finish(self) -> None:
        """Read the rest."""
        while self.read(1 << 20):
            pass

    @property
    def digest(self) -> str:
        """The digest of the bytes that were read."""
        return f"sha256:{self._hash.hexdigest()}"


def digest_of(open_stream: Callable[[], IO[bytes]]) -> tuple[str, int]:
    """Return the digest and the size of a stream."""
    with open_stream() as stream:
        hashing = Hashing(stream)
        hashing.finish()
    return hashing.digest, hashing.size
