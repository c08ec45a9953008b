"""Name the content of files, as a part of the key of the frames that hold them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .content import Content


def content_digest(files: Iterable[Content]) -> str | None:
    """Return a digest of names, bytes and relocations of files; None if the sha256 of one is not known.

    Modes and times are not included: rows of the index have them, and frames do not.
    """
    words: list[str] = []
    for item in files:
        if not item.sha256:
            return None
        words += (item.name_in_group, item.sha256)
        if item.relocation is None:
            words.append(str(item.size))
            continue
        kind = f"{item.size} {item.file_mode}"
        if item.edits is not None or item.python is not None:  # else compressing finds them
            kind += f" {item.edits} {item.python}"
        words += (kind, item.relocation.placeholder)
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
