"""Write the layer of an image that starts its entry points, with the bill of materials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from coex_bootstrap.base.untrusted import parse_json
from coex_bootstrap.start.activate import any_shell_serves
from coex_bootstrap.start.placed import RUN, placed_files, placed_links

from ..errors import ImageError

if TYPE_CHECKING:
    from coex_bootstrap.format.manifest import Manifest

    from .base import Base
    from .layer import LayerWriter
    from .root_layers import RootLayers

SBOM_FILE = b"sbom.cdx.json"  # a name by which scanners of images find it
BASHES = ("bin/bash", "usr/bin/bash", "usr/local/bin/bash")


def add_start(
    root: RootLayers, manifest: Manifest, base: Base | None, sbom: bytes | None, writer: LayerWriter
) -> list[str]:
    """Add the files that start the entry points, and the bill of materials; return notes."""
    place, notes = root.root.strip(b"/") + b"/", []
    with root.activated_by() as prefix:
        shell = None
        if not any_shell_serves(manifest.portable, prefix):
            shell = _find_bash(root, base)
            if shell is None:
                notes.append("the image has no bash, which activation scripts of the packages are for; sh runs them")
        files = placed_files(manifest, root.root, shell, prefix)
    if sbom is not None:
        files[SBOM_FILE] = 0o644, _of_packages(sbom)
    writer.add_directory(place + RUN, 0o755, root.date)
    for name, (mode, content) in sorted(files.items()):
        writer.add_file(place + name, mode, root.date, len(content), [content])
    for path, target in sorted(set(placed_links(manifest))):
        writer.add_link(place + path, target, root.date)
    return notes


def _find_bash(root: RootLayers, base: Base | None) -> bytes | None:
    """Return the path of bash in the image, None if it has none."""
    bash = next((path for path in BASHES if base is not None and base.tree.has(path)), None)
    if bash is not None:
        return f"/{bash}".encode()
    return root.root + b"/prefix/bin/bash" if root.has(b"prefix/bin/bash") else None


def _of_packages(sbom: bytes) -> bytes:
    """Return a bill of materials without the number of this archive, which changes with the app; raises ImageError."""
    try:
        document = parse_json(sbom)
    except ValueError as error:
        raise ImageError(f"the bill of materials of the archive cannot be read: {error}") from error
    if isinstance(document, dict):
        document.pop("serialNumber", None)
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
