"""Media types of the OCI image specification 1.1, and those of Docker that mean the same."""

from __future__ import annotations

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
SBOM = "application/vnd.cyclonedx+json"

DOCKER = "application/vnd.docker."
MANIFESTS = (MANIFEST, f"{DOCKER}distribution.manifest.v2+json")
INDEXES = (INDEX, f"{DOCKER}distribution.manifest.list.v2+json")
CONFIGS = (CONFIG, f"{DOCKER}container.image.v1+json")
# How a layer is compressed, by its media type.
NOT, GZIP, ZSTD = "", "gzip", "zstd"
LAYERS = {
    LAYER: NOT,
    f"{LAYER}+gzip": GZIP,
    f"{LAYER}+zstd": ZSTD,
    f"{DOCKER}image.rootfs.diff.tar": NOT,
    f"{DOCKER}image.rootfs.diff.tar.gzip": GZIP,
    f"{DOCKER}image.rootfs.diff.tar.zstd": ZSTD,
}


def of_layer(compression: str) -> str:
    """Return the media type of a layer."""
    return f"{LAYER}+{compression}" if compression else LAYER
