"""Read `conda-lock.yml`, format 1 (conda-lock's `lockfile/v1/models.py`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .lock_file import check_platform

if TYPE_CHECKING:
    from .lock_file import Choice, Lock, LockedPackage, LockFile

MAIN = "main"


def read(file: LockFile, choice: Choice) -> Lock:
    """Return what the lock pins for the chosen platform in its main category, and in those asked for beside it."""
    file.check_version((1,), "conda-lock's")
    metadata = file.take("metadata", dict)
    check_platform(file.path, choice.platform, map(str, file.take("platforms", list, metadata, "`metadata`")))
    channels = file.rows(metadata.get("channels"), "`channels`")
    secrets = _secrets(file, channels)
    entries = [_checked(file, entry) for entry in file.take("package", list)]
    known = {entry.get("category", MAIN) for entry in entries}
    for category in choice.categories:
        if category not in known:
            raise file.wrong(f"has no category {category!r}", f"choose among {', '.join(sorted(known))}")
    entries = [entry for entry in entries if entry["platform"] == choice.platform and _chosen(entry, choice)]
    conda = [_package(file, entry, secrets) for entry in entries if entry["manager"] == "conda"]
    pip = [_requirement(file, entry) for entry in entries if entry["manager"] == "pip"]
    urls = [_expand(str(channel.get("url")), secrets) for channel in channels]
    return file.lock(choice.platform, conda, urls, pip)


def _checked(file: LockFile, entry: Any) -> dict[str, Any]:
    name = entry.get("name") if isinstance(entry, dict) else None
    where = f"the package {name!r}"
    for key in ("name", "version", "manager", "platform", "url"):
        file.take(key, str, entry, where)
    if entry["manager"] not in ("conda", "pip"):
        raise file.wrong(f"has {entry['manager']!r} as manager of {where}, which is neither conda nor pip")
    if not isinstance(entry.get("category", MAIN), str):
        raise file.wrong(f"has {entry['category']!r} as category of {where}, which is no text")
    if not isinstance(entry.get("hash") or {}, dict):
        raise file.wrong(f"has no mapping `hash` in {where}")
    return dict(entry)


def _chosen(entry: dict[str, Any], choice: Choice) -> bool:
    category = entry.get("category", MAIN)
    return category in choice.categories or (category == MAIN and not entry.get("optional", False))


def _package(file: LockFile, entry: dict[str, Any], secrets: frozenset[str]) -> LockedPackage:
    return file.package(_expand(entry["url"], secrets), entry.get("hash") or {})


def _requirement(file: LockFile, entry: dict[str, Any]) -> str:
    return file.requirement(entry["name"], entry["url"], (entry.get("hash") or {}).get("sha256"))


def _secrets(file: LockFile, channels: list[dict[str, Any]]) -> frozenset[str]:
    """Return the names of the variables that stand for credentials in URLs, as the lock itself lists them."""
    found = [channel.get("used_env_vars") or [] for channel in channels]
    if not all(isinstance(names, list) for names in found):
        raise file.wrong("has `used_env_vars` that are no list")
    return frozenset(str(name) for names in found for name in names)


def _expand(url: str, names: frozenset[str]) -> str:
    for name in names:
        if name in os.environ:
            url = url.replace(f"${{{name}}}", os.environ[name]).replace(f"${name}", os.environ[name])
    return url
