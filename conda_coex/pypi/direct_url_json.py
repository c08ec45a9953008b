"""Parse `direct_url.json`: where a distribution came from (PEP 610). Values of another type count as missing."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..inputs.json_values import as_table, as_text


@dataclass(frozen=True)
class DirectUrl:
    """The content of a `direct_url.json`, or the `download_info` of pip's report."""

    fields: dict[str, object]

    @property
    def url(self) -> str:
        """The URL, perhaps with credentials."""
        return as_text(self.fields.get("url"))

    @property
    def local_path(self) -> str | None:
        """The normalized path of a `file:` URL."""
        parts = urlsplit(self.url)
        return os.path.normpath(unquote(parts.path)) if parts.scheme == "file" else None

    @property
    def is_editable(self) -> bool:
        """Whether the distribution is imported from that path."""
        return as_table(self.fields.get("dir_info")).get("editable") is True


def parse_direct_url(data: bytes | str | None) -> DirectUrl | None:
    """Return the content of a file, or None if it is not JSON, or has no URL."""
    try:
        direct_url = DirectUrl(as_table(json.loads(data or b"")))
    except ValueError:
        return None
    return direct_url if direct_url.url else None
