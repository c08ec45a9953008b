"""Small base images, made by plain code: tars, layouts, and files of `docker save`."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

OCI = "application/vnd.oci.image."
NAMES = {"bin/sh": b"#!", "lib64/ld-linux-x86-64.so.2": b"", "lib/ld-linux-aarch64.so.1": b""}


def tar_of(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a tar of files, and of links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """An OCI layout of one image, whose documents a test may change before it is written."""

    def __init__(self, *tars: bytes, architecture: str = "amd64", compress: bool = True) -> None:
        self.layers = [gzip.compress(tar, mtime=0) if compress else tar for tar in tars]
        kind = f"{OCI}layer.v1.tar" + "+gzip" * compress
        self.config: dict[str, Any] = {
            "os": "linux", "architecture": architecture, "config": {"Env": ["A=b"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]}, "history": [{"comment": "x"}],
        }  # fmt: skip
        self.manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "layers": [{"mediaType": kind, "digest": digest(each), "size": len(each)} for each in self.layers],
        }
        self.index: dict[str, Any] = {"schemaVersion": 2, "manifests": []}
        self.blobs = {digest(each): each for each in self.layers}
        self.platform: dict[str, str] | None = {"os": "linux", "architecture": architecture}

    def add(self, kind: str, document: object) -> dict[str, Any]:
        """Add a document; return its descriptor."""
        data = json.dumps(document).encode()
        self.blobs[digest(data)] = data
        return {"mediaType": f"{OCI}{kind}.v1+json", "digest": digest(data), "size": len(data)}

    def describe(self, **more: object) -> dict[str, Any]:
        """Add the image to the index; return its descriptor."""
        if "config" not in self.manifest:
            self.manifest["config"] = self.add("config", self.config)
        found = {**self.add("manifest", self.manifest), **more}
        if self.platform is not None:
            found["platform"] = self.platform
        self.index["manifests"].append(found)
        return found

    def write(self, directory: Path) -> str:
        """Write the layout; return its name as a base."""
        if not self.index["manifests"]:
            self.describe()
        (directory / "blobs" / "sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (directory / "index.json").write_text(json.dumps(self.index))
        for name, data in self.blobs.items():
            (directory / "blobs" / name.replace(":", "/")).write_bytes(data)
        return f"oci:{directory}"

    def write_docker(self, path: Path, tags: list[str] | None = None) -> str:
        """Write a file as of `docker save`; return its name as a base."""
        names = [f"{number}/layer.tar" for number in range(len(self.layers))]
        files = dict(zip(names, self.layers, strict=True))
        files["c.json"] = json.dumps(self.config).encode()
        files["manifest.json"] = json.dumps([{"Config": "c.json", "RepoTags": tags, "Layers": names}]).encode()
        path.write_bytes(tar_of(files))
        return f"docker-archive:{path}"
