"""Lock files of every kind, written for the test bed's channel."""

from __future__ import annotations

import json
from typing import Any

from testbed.layout import native_subdir

# clobber-b is linked after clobber-a; the names of the files do not say so
NAMES = ("clobber-b", "zstd", "clobber-a", "data-generic", "cprog", "libcgreet")


def explicit(rows: dict[str, dict[str, Any]], mark: str = "#{md5}", place: str = "{url}") -> str:
    # conda links such a list in its order, which `conda list --explicit` makes one of dependencies
    ordered = sorted(NAMES)
    lines = [
        (place + mark).format(**rows[name], path=rows[name]["url"].removeprefix("file://")) for name in ordered
    ]
    return "\n".join([f"# platform: {native_subdir()}", "@EXPLICIT", *lines]) + "\n"


def conda_lock(rows: dict[str, dict[str, Any]], **changes: dict[str, Any]) -> str:
    packages = [
        {
            "name": name, "version": row["version"], "manager": "conda", "platform": native_subdir(),
            "dependencies": {}, "url": row["url"], "hash": {"md5": row["md5"], "sha256": row["sha256"]},
            "category": "main", "optional": False, **changes.get(name.replace("-", "_"), {}),
        }
        for name in NAMES
        for row in [rows[name]]
    ]  # fmt: skip
    metadata = {"content_hash": {}, "channels": [], "platforms": [native_subdir(), "osx-arm64"], "sources": ["x.yml"]}
    return json.dumps({"version": 1, "metadata": metadata, "package": packages}, indent=1)


def pixi_lock(rows: dict[str, dict[str, Any]]) -> str:
    described = [
        {"conda": rows[name]["url"], "sha256": rows[name]["sha256"], "md5": rows[name]["md5"],
         "depends": rows[name]["depends"]} for name in NAMES
    ]  # fmt: skip
    listed = [{"conda": row["conda"]} for row in described]
    environments = {
        "default": {"channels": [], "packages": {native_subdir(): listed, "osx-arm64": []}},
        "small": {"channels": [], "packages": {native_subdir(): listed[:2]}},
    }
    return as_yaml({"version": 6, "environments": environments, "packages": described})


def as_yaml(mapping: dict[str, Any]) -> str:
    """Return YAML whose outermost keys begin lines: JSON is YAML below them."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in mapping.items())
