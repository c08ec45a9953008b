"""Names of images, in the grammar that registries and engines share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError

LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
HOST = rf"(?:localhost|{LABEL}(?:\.{LABEL})+|{LABEL}(?=:[0-9]+/))"
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
TAG = r"\w[\w.-]{0,127}"
# https://pkg.go.dev/github.com/distribution/reference
NAME = re.compile(rf"(?P<host>{HOST}(?::[0-9]+)?/)?(?P<path>{PART}(?:/{PART})*)(?::(?P<tag>{TAG}))?\Z", re.ASCII)
LONGEST = 255  # characters before the tag
DEFAULT_HOST, DEFAULT_TAG, LIBRARY = "docker.io/", "latest", "library/"


@dataclass(frozen=True)
class Reference:
    """The name of an image: `short` as a user types it, `full` with its registry."""

    short: str
    full: str
    tag: str


def parse_reference(text: str) -> Reference:
    """Return the parts of a name; raises InputError."""
    match = NAME.match(text)
    if not match or len(text.rpartition(":")[0] or text) > LONGEST:
        remedy = "write it as NAME, NAME:TAG or HOST/NAME:TAG, in small letters"
        raise InputError(f"--name {text!r} is not the name of an image", remedy=remedy)
    host, path, tag = match["host"] or "", match["path"], match["tag"] or DEFAULT_TAG
    library = "" if host or "/" in path else LIBRARY
    return Reference(f"{host}{path}:{tag}", f"{host or DEFAULT_HOST}{library}{path}:{tag}", tag)


def reference_of(name: str) -> Reference:
    """Return the name of an image after that of an archive, without the characters that it may not have."""
    path = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].strip("-")
    return parse_reference(path or "coex")
