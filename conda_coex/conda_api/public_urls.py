"""Make URLs, specs and records public: without credentials, and without directories of the builder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import LOCAL_CHANNEL, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "/t/<TOKEN>"  # as in conda
PACKAGE = re.compile(r"[^/]+\.(?:conda|tar\.bz2|whl)\Z")
URL = re.compile(r"\b[A-Za-z][\w+.-]*:/(?:(?!::)[^\s,'\"\]])*")
PATH = re.compile(r"(?<![\w:/.~\-])~?/(?:(?!::)[^\s,'\"\]])+")


def public_url(url: str) -> str:
    """Return the URL of a package or channel as conda writes it, without credentials.

    A `file:` URL becomes one below LOCAL_CHANNEL, with the platform and the file name of the package.
    """
    if re.match("file:/", url):
        return LOCAL_CHANNEL + "".join(f"/{part}" for part in _platform_and_file(url))
    return without_credentials(url, MASK)


def _platform_and_file(url: str) -> Iterable[str]:
    from conda.base.constants import KNOWN_SUBDIRS

    parts = url.rstrip("/").split("/")
    file_name = [parts.pop()] if PACKAGE.match(parts[-1]) else []
    return [parts[-1], *file_name] if parts[-1] in KNOWN_SUBDIRS else file_name


def public_spec(spec: str) -> str:
    """Return a spec as its user wrote it, with the public URL of its channel or file."""
    with_urls = URL.sub(lambda url: public_url(url.group()), spec)
    return PATH.sub(lambda path: public_url(f"file://{path.group()}"), with_urls)


def public_record(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON fields of a record with public URLs of the package, its channel and its requested specs."""
    changed: dict[str, object] = {key: public_url(str(fields[key])) for key in ("url", "channel") if fields.get(key)}
    if fields.get("requested_spec"):
        changed["requested_spec"] = public_spec(str(fields["requested_spec"]))
    specs = fields.get("requested_specs")
    if isinstance(specs, (list, tuple)) and specs:
        changed["requested_specs"] = [public_spec(str(spec)) for spec in specs]
    return {**fields, **changed}
