"""Where packages come from, as an archive may say it: no credentials, and no directory of the builder's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from coex_bootstrap.base.urls import LOCAL_CHANNEL, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "/t/<TOKEN>"  # as conda has it
PACKAGE = re.compile(r"[^/]+\.(?:conda|tar\.bz2|whl)\Z")
URL = re.compile(r"\b[A-Za-z][\w+.-]*:/(?:(?!::)[^\s,'\"\]])*")
PATH = re.compile(r"(?<![\w:/.~\-])~?/(?:(?!::)[^\s,'\"\]])+")


def public_url(url: str) -> str:
    """Return the URL of a package or channel as conda writes it, without credentials.

    A URL of a file becomes one below LOCAL_CHANNEL, with the platform and the name of the package.
    """
    if re.match("file:/", url):
        return LOCAL_CHANNEL + "".join(f"/{part}" for part in _kept(url))
    return without_credentials(url, MASK)


def _kept(url: str) -> Iterable[str]:
    from conda.base.constants import KNOWN_SUBDIRS

    parts = url.rstrip("/").split("/")
    file_name = [parts.pop()] if PACKAGE.match(parts[-1]) else []
    return [parts[-1], *file_name] if parts[-1] in KNOWN_SUBDIRS else file_name


def public_spec(spec: str) -> str:
    """Return a spec as it was asked for, with the public URLs of its channel or file."""
    found = URL.sub(lambda url: public_url(url.group()), spec)
    return PATH.sub(lambda path: public_url(f"file://{path.group()}"), found)


def public_record(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the public URLs of its package, its channel and the specs that asked for it."""
    changed: dict[str, Any] = {key: public_url(str(fields[key])) for key in ("url", "channel") if fields.get(key)}
    if fields.get("requested_spec"):
        changed["requested_spec"] = public_spec(str(fields["requested_spec"]))
    if fields.get("requested_specs"):
        changed["requested_specs"] = [public_spec(str(spec)) for spec in fields["requested_specs"]]
    return {**fields, **changed}
