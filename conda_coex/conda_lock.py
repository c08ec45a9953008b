"""Read `conda-lock.yml`, format 1 (conda-lock's `lockfile/v1/models.py`)."""

from __future__ import annotations

import os
from typing import Any

from .lock_file import (
    Choice,
    Lock,
    LockedPackage,
    check_platform,
    checked,
    load_yaml,
    pip_sections,
    requirement,
    take,
    wrong,
)

MAIN = "main"


def read(path: str, choice: Choice) -> Lock:
    """Return what the lock pins for the chosen platform in its main category, and in those asked for beside it."""
    found = load_yaml(path)
    version = found.get("version")
    if version != 1:
        raise wrong(path, f"is of version {version!r} of conda-lock's format", "make one of version 1")
    metadata = take(path, found, "metadata", dict, "the file")
    check_platform(path, choice.platform, map(str, take(path, metadata, "platforms", list, "`metadata`")))
    secrets = _secrets(metadata)
    entries = [_checked(path, entry) for entry in take(path, found, "package", list, "the file")]
    known = {entry.get("category", MAIN) for entry in entries}
    for category in choice.categories:
        if category not in known:
            raise wrong(path, f"has no category {category!r}", f"choose among {', '.join(sorted(known))}")
    entries = [entry for entry in entries if entry["platform"] == choice.platform and _chosen(entry, choice)]
    conda = {entry["url"]: _package(path, entry, secrets) for entry in entries if entry["manager"] == "conda"}
    pip = [_requirement(path, entry) for entry in entries if entry["manager"] == "pip"]
    channels = [_expand(str(channel.get("url")), secrets) for channel in _channels(metadata)]
    return Lock(path, choice.platform, tuple(conda.values()), tuple(channels), pip_sections(path, pip))


def _checked(path: str, entry: Any) -> dict[str, Any]:
    name = entry.get("name") if isinstance(entry, dict) else None
    where = f"the package {name!r}"
    for key in ("name", "version", "manager", "platform", "url"):
        take(path, entry, key, str, where)
    if entry["manager"] not in ("conda", "pip"):
        raise wrong(path, f"has {entry['manager']!r} as manager of {where}, which is neither conda nor pip")
    if not isinstance(entry.get("hash", {}), dict):
        raise wrong(path, f"has no mapping `hash` in {where}")
    return dict(entry)


def _chosen(entry: dict[str, Any], choice: Choice) -> bool:
    category = entry.get("category", MAIN)
    return category in choice.categories or (category == MAIN and not entry.get("optional", False))


def _package(path: str, entry: dict[str, Any], secrets: frozenset[str]) -> LockedPackage:
    return checked(path, _expand(entry["url"], secrets), entry.get("hash") or {})


def _requirement(path: str, entry: dict[str, Any]) -> str:
    return requirement(path, entry["name"], entry["url"], (entry.get("hash") or {}).get("sha256"))


def _channels(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    return [channel for channel in metadata.get("channels") or () if isinstance(channel, dict)]


def _secrets(metadata: dict[str, Any]) -> frozenset[str]:
    """Return the names of the variables that stand for credentials in URLs, as the lock itself lists them."""
    return frozenset(str(name) for channel in _channels(metadata) for name in channel.get("used_env_vars") or ())


def _expand(url: str, names: frozenset[str]) -> str:
    for name in names:
        if name in os.environ:
            url = url.replace(f"${{{name}}}", os.environ[name]).replace(f"${name}", os.environ[name])
    return url
