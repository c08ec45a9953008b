"""List the Python distributions that are not conda packages for the manifest, by their own metadata and PEP 610's."""

from __future__ import annotations

import posixpath
from email.parser import HeaderParser
from typing import Any
from urllib.parse import unquote, urlsplit

from coex_bootstrap.base.urls import without_credentials

Row = dict[str, Any]


def describe(metadata: bytes, *, requested: bool) -> Row:
    """Return name and version from a METADATA or PKG-INFO file, in words of one line."""
    fields = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    words = ("".join(mark if mark.isprintable() else "?" for mark in str(fields[key])) for key in ("Name", "Version"))
    return {**dict(zip(("name", "version"), words, strict=True)), "requested": requested}


def origin(download: Row) -> Row:
    """Return the origin of a package, without credentials and without directories of the builder."""
    url = without_credentials(str(download.get("url", "")))
    parts = urlsplit(url)
    archive = download.get("archive_info") or {}
    sha256 = (archive.get("hashes") or {}).get("sha256") or str(archive.get("hash", "")).partition("sha256=")[2]
    repository = download.get("vcs_info") or {}
    row: Row = {"sha256": sha256} if sha256 else {}
    if repository.get("commit_id"):
        row["commit"] = repository["commit_id"]
        if repository.get("vcs", "git") != "git":
            row["vcs"] = repository["vcs"]
    if download.get("subdirectory"):
        row["subdirectory"] = download["subdirectory"]
    if parts.scheme == "file":
        return {**row, "file": posixpath.basename(unquote(parts.path).rstrip("/"))}
    if parts.scheme:
        row["url"] = url.partition("#")[0]
    return row
