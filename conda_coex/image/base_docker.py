"""Read a base from an archive of `docker save`: manifest.json, configurations and layers in one tar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..errors import BaseRefused
from ..inputs.json_values import as_list, as_table
from .base import Base, Platform, add_layer, check_config, compression_by, digest_of, platform_in
from .blobs import read_document
from .compress import DAMAGED
from .layer import Layer
from .media_types import of_layer

if TYPE_CHECKING:
    from .blobs import Files


@dataclass(frozen=True)
class _Image:
    """An image of manifest.json: the names of its layers, its own names, and its configuration."""

    layers: list[str]
    names: list[object]
    config: dict[str, object]


def read_docker(files: Files, platform: Platform, reference: str | None) -> Base:
    """Return the image for a platform, of a reference if one is given; raises BaseRefused."""
    listed, _ = read_document(files, "manifest.json")
    if not isinstance(listed, list):
        raise BaseRefused("its manifest.json is not a list of images", files.path)
    configs: dict[str, dict[str, object]] = {}
    images = [_image(files, each, configs) for each in listed]
    if reference is not None:
        images = [each for each in images if reference in each.names]
    if len(images) > 1:
        images = [each for each in images if platform_in(each.config) == str(platform)] or images
    if len(images) != 1:
        remedy = "name one as docker-archive:FILE:NAME, with a name in its manifest.json"
        raise BaseRefused(f"it has {len(images)} such images", files.path, remedy)
    image = images[0]
    base = Base(config=image.config)
    diff_ids = check_config(image.config, platform, len(image.layers), files.path)
    for name, diff_id in zip(image.layers, diff_ids, strict=True):
        opened = partial(files.open, name)
        try:
            with opened() as stream:
                kind = compression_by(stream.read(4))
            digest, size = digest_of(opened)
        except DAMAGED as error:
            raise BaseRefused(f"its {name} cannot be read: {error}", files.path) from error
        add_layer(base, Layer(of_layer(kind), digest, size, diff_id, opened, base=files.path), files.path)
    return base


def _image(files: Files, value: object, configs: dict[str, dict[str, object]]) -> _Image:
    """Return an image of manifest.json; `configs` has the configurations that were read. Raises BaseRefused."""
    entry = as_table(value)
    config, layers = entry.get("Config"), [each for each in as_list(entry.get("Layers")) if isinstance(each, str)]
    if not isinstance(config, str) or layers != entry.get("Layers"):
        raise BaseRefused("its manifest.json has an image without Config or Layers", files.path)
    if config not in configs:
        configs[config] = as_table(read_document(files, config)[0])
    return _Image(layers, as_list(entry.get("RepoTags")), configs[config])
