"""Describe Python distributions for the manifest, by their own metadata and PEP 610's."""

from __future__ import annotations

import posixpath
from email.parser import HeaderParser
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import unquote, urlsplit

from coex_bootstrap.base.urls import without_credentials

from ..inputs.json_values import as_table, as_text

if TYPE_CHECKING:
    from .direct_url_json import DirectUrl


class Origin(TypedDict, total=False):
    """The public source of a distribution: a `url`, or the name of a `file`."""

    url: str
    file: str
    sha256: str
    commit: str
    vcs: str  # unless it is git
    subdirectory: str


class Distribution(Origin, total=False):
    """A row of the manifest's field `pip`."""

    name: str
    version: str
    requested: bool  # by the user, not only by another distribution


def describe(metadata: bytes, *, requested: bool) -> Distribution:
    """Return name and version from a METADATA or PKG-INFO file, in words of one line."""
    fields = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    name, version = (
        "".join(mark if mark.isprintable() else "?" for mark in str(fields[key])) for key in ("Name", "Version")
    )
    return {"name": name, "version": version, "requested": requested}


def origin(download: DirectUrl) -> Origin:
    """Return where a distribution came from, without credentials, and without directories of the builder."""
    url = without_credentials(download.url)
    parts = urlsplit(url)
    archive = as_table(download.fields.get("archive_info"))
    sha256 = (
        as_text(as_table(archive.get("hashes")).get("sha256")) or as_text(archive.get("hash")).partition("sha256=")[2]
    )
    repository = as_table(download.fields.get("vcs_info"))
    row: Origin = {"sha256": sha256} if sha256 else {}
    if commit := as_text(repository.get("commit_id")):
        row["commit"] = commit
        vcs = as_text(repository.get("vcs")) or "git"
        if vcs != "git":
            row["vcs"] = vcs
    if subdirectory := as_text(download.fields.get("subdirectory")):
        row["subdirectory"] = subdirectory
    if parts.scheme == "file":
        row["file"] = posixpath.basename(unquote(parts.path).rstrip("/"))
    elif parts.scheme:
        row["url"] = url.partition("#")[0]
    return row
