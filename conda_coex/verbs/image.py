"""Make a container image of an archive: environment, start and app, each a layer, on the layers of a base."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from coex_bootstrap.base.compat import visible
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.manifest import SBOM
from coex_bootstrap.start.placed import placed_links
from coex_bootstrap.tools.dockerfile import PLATFORMS, ROOT
from coex_bootstrap.tools.output import counted

from ..conda_api import versions
from ..errors import BaseRefused, ImageError
from ..image import base as bases
from ..image import oci_layout
from ..image.base import Base, Platform
from ..image.base_docker import read_docker
from ..image.base_oci import read_oci
from ..image.base_rootfs import read_rootfs
from ..image.beside_output import new_files
from ..image.blobs import open_files
from ..image.documents import labels_of, make_config, make_documents
from ..image.layer import LayerWriter
from ..image.reference import parse_reference, reference_of
from ..image.root_layers import RootLayers
from ..image.start_layer import SBOM_FILE, add_start
from ..image.tree import DIRECTORY
from .outcome import ImageMade

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coex_bootstrap.format.manifest import Manifest

    from ..image.layer import Layer

LABEL = "io.github.conda-coex."
NO_BASE = (
    "the image has its environment and its app alone: no /bin/sh, which starts them, and no C library; name a base "
    "with --base, or copy {root} of this image into another"
)


@dataclass(frozen=True)
class ImageRequest:
    """The options of `conda coex image`."""

    archive: str
    output: Path
    base: str | None
    name: str | None
    labels: tuple[tuple[str, str], ...]
    compression: str
    attach_sbom: bool


def image(request: ImageRequest) -> ImageMade:
    """Write the image; raises ImageError, BaseRefused, OutputError, and errors of the archive."""
    oci_layout.check_output(request.output)
    with closing(Archive(os.fsencode(request.archive))) as archive, ExitStack() as stack:
        manifest = archive.manifest
        check(manifest, request.archive)
        name = parse_reference(request.name) if request.name else reference_of(manifest.name)
        platform = Platform(*PLATFORMS[manifest.platform].split("/"))
        new_file = new_files(request.output, stack)
        # 1. The base, which is read to its end
        base = read_base(request, platform, new_file, stack) if request.base is not None else None
        # 2. The layers
        root = RootLayers(archive, ROOT)
        sbom = archive.members.get(SBOM)

        def new_layer() -> LayerWriter:
            return LayerWriter(new_file(), request.compression)

        try:
            layers, notes = make_layers(root, manifest, base, sbom, new_layer)
        finally:
            archive.check_unchanged("run the command again")
        everything = [*(base.layers if base else ()), *layers]
        # 3. The documents
        labels = {**labels_of(manifest.name, manifest.date, base), **labels_of_archive(manifest, sbom)}
        labels.update(request.labels)
        start = ROOT + b"/" + placed_links(manifest)[0][0]
        config = make_config(base, platform, everything, os.fsdecode(start), labels, manifest.date)
        attached = sbom if request.attach_sbom else None
        annotations = {name: value for name, value in labels.items() if name.startswith("org.opencontainers.")}
        documents = make_documents(config, everything, annotations, platform, name, attached)
        # 4. The output
        oci_layout.write_layout(request.output, documents, everything)
    size = sum(layer.size for layer in everything)
    own = tuple((layer.about, layer.size, layer.digest) for layer in layers)
    digest = documents.manifest.digest
    return ImageMade(request.output, name.short, str(platform), digest, size, own, tuple(notes))


def check(manifest: Manifest, path: str) -> None:
    """Raise ImageError for an archive of which no image can be made."""
    name = os.fsencode(path)
    if manifest.platform not in PLATFORMS:
        raise ImageError(f"containers cannot run an archive for {manifest.platform}", name)
    if manifest.post_link:
        packages = ", ".join(visible(each["name"]) for each in manifest.post_link)
        remedy = (
            "pack an environment in which they have run, with `conda coex pack`, or let an engine run them, with "
            "`conda coex dockerfile`"
        )
        what = f"post-link scripts have to run, and no program of an image is run here: {packages}"
        raise ImageError(what, name, remedy)
    size = len(ROOT + b"/prefix")
    if manifest.prefix_limit is not None and size > manifest.prefix_limit:
        raise ImageError(f"the environment's path has {size} bytes, the packages allow {manifest.prefix_limit}", name)


def read_base(
    request: ImageRequest, platform: Platform, new_file: Callable[[], IO[bytes]], stack: ExitStack
) -> Base:  # fmt: skip
    """Return the base; its layers can be read until the stack is closed."""
    spelled = bases.parse_base(request.base or "")
    if spelled.kind == bases.ROOTFS:
        base = read_rootfs(spelled.path, request.compression, new_file)
    else:
        files = stack.enter_context(open_files(spelled.path, in_tar=spelled.kind != bases.OCI))
        read = read_docker if spelled.kind == bases.DOCKER_ARCHIVE else read_oci
        base = read(files, platform, spelled.reference)
    path, place = os.fsencode(spelled.path), ROOT.decode().strip("/")
    above = place.rpartition("/")[0]
    if base.tree.kind(above, follow=False) not in (DIRECTORY, None):
        raise BaseRefused(f"/{above} is not a directory in it", path)
    if base.tree.kind(place, follow=False) is not None:
        raise BaseRefused(f"it has /{place}, where an image of an archive is to be", path)
    return base


def make_layers(
    root: RootLayers, manifest: Manifest, base: Base | None, sbom: bytes | None, new: Callable[[], LayerWriter]
) -> tuple[list[Layer], list[str]]:
    """Return the layers of the archive, lowest first, and notes for the user."""
    notes = notes_on(manifest, base)
    layers = []
    with versions.progress_bar("Writing") as update:
        update(0)
        writer = new()
        root.add_above(writer)
        root.add_prefix(writer)
        layers.append(writer.close("environment"))
        update(0.8)
        writer = new()
        notes += add_start(root, manifest, base, sbom, writer)
        layers.append(writer.close("start"))
        writer = new()
        root.add_app(writer)
        layers.append(writer.close("app"))
        update(1)
    return layers, notes


def labels_of_archive(manifest: Manifest, sbom: bytes | None) -> dict[str, str]:
    """Return the labels that say which archive is in an image."""
    labels = {"archive.digest": f"sha256:{manifest.digest}", "requires": json.dumps(manifest.requires, sort_keys=True)}
    if sbom is not None:
        labels["sbom"] = os.fsdecode(ROOT + b"/" + SBOM_FILE)
    return {LABEL + name: value for name, value in labels.items()}


def notes_on(manifest: Manifest, base: Base | None) -> list[str]:
    """Return notes on files that an image lacks."""
    notes = []
    if base is None:
        notes.append(NO_BASE.format(root=ROOT.decode()))
    elif not base.tree.has("bin/sh"):
        notes.append("the base has no /bin/sh, which starts the entry points")
    loaders = base.tree.names_in("lib", "lib64") if base is not None else ()
    if base is not None and "__glibc" in manifest.requires and not any(map(_is_loader, loaders)):
        notes.append("the base has no GNU C library, which the packages need; take one of Debian, Ubuntu or Fedora")
    if manifest.compile:
        count = counted(len(manifest.compile["sources"]), "Python module")
        notes.append(f"the builder could not compile {count}: Python does so each time that a container imports it")
    return notes


def _is_loader(name: str) -> bool:
    """Return whether a file of a library directory is the loader of glibc's programs."""
    return name.rpartition("/")[2].startswith(("ld-linux", "ld64.so", "ld.so"))
