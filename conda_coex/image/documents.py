"""Make the documents of an image: those of the OCI (image-spec 1.1), and manifest.json of `docker load`."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..inputs.json_values import as_list, as_table
from . import media_types
from .base import Base

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .base import Platform
    from .layer import Layer
    from .reference import Reference

TITLE, CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"
BASE_DIGEST = "org.opencontainers.image.base.digest"
REFERENCE, CONTAINERD = "org.opencontainers.image.ref.name", "io.containerd.image.name"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # the one of engines, if an image has none
OF_BASE = ("OnBuild", "Cmd", "Entrypoint", "ArgsEscaped")  # settings that are not those of the new image
MADE_BY = "conda coex image"


@dataclass(frozen=True)
class Blob:
    """A document with its digest."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """The digest of the document."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    def descriptor(self, **more: object) -> dict[str, object]:
        """Return the descriptor of the document."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data), **more}


@dataclass(frozen=True)
class Documents:
    """The documents of one image."""

    config: Blob
    manifest: Blob
    index: bytes
    docker: bytes
    attached: Sequence[Blob] = ()


def labels_of(name: str, date: int, base: Base | None) -> dict[str, str]:
    """Return the labels that every image has; `base` adds its own, and its digest."""
    inherited = as_table(base.settings.get("Labels")) if base is not None else {}
    labels = {**{label: str(value) for label, value in inherited.items()}, TITLE: name, CREATED: rfc3339(date)}
    if base is not None and base.digest:
        labels[BASE_DIGEST] = base.digest
    return labels


def make_config(
    base: Base | None, platform: Platform, layers: Sequence[Layer], start: str, labels: Mapping[str, str], date: int
) -> Blob:
    """Return the configuration of an image whose entry point is `start`; `layers` are all, those of the base first."""
    below = base or Base()
    settings = {name: value for name, value in below.settings.items() if name not in OF_BASE}
    env = [str(each) for each in as_list(settings.get("Env"))]
    settings["Env"] = env if any(each.startswith("PATH=") for each in env) else [*env, PATH]
    settings |= {"Entrypoint": [start], "Labels": dict(labels), "WorkingDir": settings.get("WorkingDir") or "/"}
    history = _history(below, date)
    own = layers[len(below.layers) :]
    history += [{"created": rfc3339(date), "created_by": f"{MADE_BY}: {layer.about}"} for layer in own]
    document = {
        "created": rfc3339(date),
        "os": platform.os,
        "architecture": platform.architecture,
        **({"variant": below.config["variant"]} if below.config.get("variant") else {}),
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": history,
    }
    return Blob(media_types.CONFIG, dumped(document))


def _history(base: Base, date: int) -> list[object]:
    """Return the history of the base's layers, or one that says nothing if it has none that fits them."""
    history = as_list(base.config.get("history"))
    with_layer = [each for each in history if isinstance(each, dict) and each.get("empty_layer") is not True]
    if all(isinstance(each, dict) for each in history) and len(with_layer) == len(base.layers):
        return history
    return [{"created": rfc3339(date), "comment": "a layer of the base"} for _ in base.layers]


def make_documents(
    config: Blob, layers: Sequence[Layer], annotations: Mapping[str, str], platform: Platform, name: Reference,
    sbom: bytes | None,
) -> Documents:  # fmt: skip
    """Return the documents of an image; an SBOM is attached to it as an artifact."""
    manifest = Blob(
        media_types.MANIFEST,
        dumped({
            "schemaVersion": 2,
            "mediaType": media_types.MANIFEST,
            "config": config.descriptor(),
            "layers": [{"mediaType": each.media_type, "digest": each.digest, "size": each.size} for each in layers],
            "annotations": dict(annotations),
        }),
    )  # fmt: skip
    own = {"os": platform.os, "architecture": platform.architecture}
    names = {REFERENCE: name.tag, CONTAINERD: name.full, CREATED: annotations[CREATED]}
    listed = [manifest.descriptor(platform=own, annotations=names)]
    attached: list[Blob] = []
    if sbom is not None:
        attached = _attach(sbom, manifest, annotations[CREATED])
        listed.append(attached[-1].descriptor(artifactType=media_types.SBOM))
    index = {"schemaVersion": 2, "mediaType": media_types.INDEX, "manifests": listed}
    names_of_layers = [blob_path(each.digest) for each in layers]
    docker = [{"Config": blob_path(config.digest), "RepoTags": [name.short], "Layers": names_of_layers}]
    return Documents(config, manifest, dumped(index), dumped(docker), attached)


def _attach(sbom: bytes, subject: Blob, created: str) -> list[Blob]:
    """Return the blobs of an artifact that refers to an image (image-spec, manifest.md), its manifest last."""
    content, empty = Blob(media_types.SBOM, sbom), Blob(media_types.EMPTY, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.MANIFEST,
        "artifactType": media_types.SBOM,
        "config": empty.descriptor(),
        "layers": [content.descriptor(annotations={TITLE: "sbom.cdx.json"})],
        "subject": subject.descriptor(),
        "annotations": {CREATED: created},
    }
    return [content, empty, Blob(media_types.MANIFEST, dumped(manifest))]


def blob_path(digest: str) -> str:
    """Return the name of a blob in a layout."""
    return f"blobs/{digest.replace(':', '/')}"


def rfc3339(date: int) -> str:
    """Return a time, in seconds since 1970, in the form of the documents."""
    return dt.datetime.fromtimestamp(date, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def dumped(document: object) -> bytes:
    """Return a document as bytes that depend on its values alone."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
