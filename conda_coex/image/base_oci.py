"""Read a base from an OCI image layout (image-spec, image-layout.md), in a directory or a tar."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..errors import BaseRefused
from ..inputs.json_values import as_table
from .base import Base, Platform, add_layer, check_config, platform_in
from .blobs import Files, digest_in, read_blob, read_document
from .documents import REFERENCE, blob_path
from .layer import Layer
from .media_types import CONFIGS, INDEXES, LAYERS, MANIFESTS, of_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 4  # indexes in indexes
NAMELESS = "without a name"
UNKNOWN = "unknown/unknown"  # the platform that attestations give, which are not images


def read_oci(files: Files, platform: Platform, reference: str | None) -> Base:
    """Return the image for a platform, of a reference if one is given; raises BaseRefused."""
    layout = as_table(read_document(files, "oci-layout")[0])
    if not str(layout.get("imageLayoutVersion")).startswith("1."):
        raise BaseRefused("it is not an OCI image layout of version 1", files.path)
    descriptors = _manifests_in(files, as_table(read_document(files, "index.json")[0]))
    if reference is not None:
        named = [each for each in descriptors if _name(each) == reference]
        if not named:
            names = sorted({_name(each) for each in descriptors} - {NAMELESS})
            raise BaseRefused(f"it has no {reference!r}", files.path, f"it has: {', '.join(names) or 'no names'}")
        descriptors = named
    return _read_manifest(files, _choose(files, descriptors, platform), platform)


def _choose(files: Files, descriptors: list[dict[str, object]], platform: Platform) -> dict[str, object]:
    """Return the descriptor of the only image for a platform; raises BaseRefused."""
    images = list(_images(files, descriptors, set()))
    fitting = [descriptor for descriptor, own in images if own in (None, str(platform))]
    if len({each["digest"] for each in fitting}) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(sorted({_name(each) for each in fitting}))
        remedy = f"name one as oci:DIR:NAME; it has: {names}"
        raise BaseRefused(f"it has {len(fitting)} images for {platform}", files.path, remedy)
    others = ", ".join(sorted({str(own) for _, own in images if own != UNKNOWN})) or "no image"
    raise BaseRefused(f"it has no image for {platform}", files.path, f"it has: {others}")


def _images(
    files: Files, descriptors: list[dict[str, object]], seen: set[object], depth: int = 0
) -> Iterator[tuple[dict[str, object], str | None]]:
    """Yield (descriptor, platform if it says one) of all images, also those in indexes in an index, each index once."""
    if depth > DEEPEST:
        raise BaseRefused("it has indexes in indexes without an end", files.path)
    for descriptor in descriptors:
        kind = descriptor.get("mediaType")
        if kind in INDEXES and descriptor["digest"] not in seen:
            seen.add(descriptor["digest"])
            yield from _images(files, _manifests_in(files, read_blob(files, descriptor)), seen, depth + 1)
        elif kind in MANIFESTS and "artifactType" not in descriptor:
            own = descriptor.get("platform")
            yield descriptor, platform_in(own) if isinstance(own, dict) else None


def _read_manifest(files: Files, descriptor: dict[str, object], platform: Platform) -> Base:
    manifest = read_blob(files, descriptor)
    layers, config = manifest.get("layers"), as_table(manifest.get("config"))
    if not isinstance(layers, list) or config.get("mediaType") not in CONFIGS:
        raise BaseRefused("its manifest is not that of an image", files.path)
    base = Base(config=read_blob(files, config), digest=digest_in(files, descriptor))
    diff_ids = check_config(base.config, platform, len(layers), files.path)
    for each, diff_id in zip(layers, diff_ids, strict=True):
        add_layer(base, _layer(files, as_table(each), diff_id), files.path)
    return base


def _layer(files: Files, descriptor: dict[str, object], diff_id: str) -> Layer:
    """Return the layer of a descriptor; raises BaseRefused for one that is not read."""
    digest, kind, size = digest_in(files, descriptor), descriptor.get("mediaType"), descriptor.get("size")
    if not isinstance(kind, str) or kind not in LAYERS or descriptor.get("urls"):
        raise BaseRefused(f"its layer {digest} has the media type {kind!r}, which is not read", files.path)
    if not isinstance(size, int):
        raise BaseRefused(f"its layer {digest} has no size", files.path)
    opened = partial(files.open, blob_path(digest))
    return Layer(of_layer(LAYERS[kind]), digest, size, diff_id, opened, base=files.path)


def _manifests_in(files: Files, index: dict[str, object]) -> list[dict[str, object]]:
    descriptors = index.get("manifests")
    if not isinstance(descriptors, list) or not all(isinstance(each, dict) for each in descriptors):
        raise BaseRefused("its index lists no manifests", files.path)
    for descriptor in descriptors:
        digest_in(files, descriptor)
    return descriptors


def _name(descriptor: dict[str, object]) -> str:
    """Return the name of an image."""
    return str(as_table(descriptor.get("annotations")).get(REFERENCE, NAMELESS))
