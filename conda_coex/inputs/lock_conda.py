"""Read `conda-lock.yml`, format 1 (conda-lock's `lockfile/v1/models.py`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .lock_file import TRUE, check_platform

if TYPE_CHECKING:
    from .lock_file import Choice, Lock, LockedPackage, LockFile

MAIN = "main"


def read_conda_lock(file: LockFile, choice: Choice) -> Lock:
    """Return the packages of the chosen platform in the main category and in the chosen ones."""
    if file.version in ("2", "3"):  # whose keys are those of conda-lock's format 1
        raise file.wrong(f"is of pixi's format {file.version}, which is too old", "run `pixi lock` of a newer pixi")
    file.check_version(("1",), "conda-lock's")
    metadata = file.take("metadata", dict)
    check_platform(file.path, choice.platform, map(str, file.take("platforms", list, metadata, "`metadata`")))
    listed = metadata.get("channels")
    if isinstance(listed, list):  # once by name alone
        listed = [{"url": each} if isinstance(each, str) else each for each in listed]
    channels = file.rows(listed, "`channels`")
    secrets = _secrets(file, channels)
    entries = [_checked(file, entry) for entry in file.take("package", list)]
    known = {_category(entry) for entry in entries}
    for category in choice.categories:
        if category not in known:
            raise file.wrong(f"has no category {category!r}", f"choose among {', '.join(sorted(known))}")
    entries = [entry for entry in entries if entry["platform"] == choice.platform and _chosen(entry, choice)]
    for entry in entries:
        file.check_once(entry, f"the package {entry['name']!r}")
        file.check_once(entry.get("hash"), f"`hash` of the package {entry['name']!r}")
    conda = [_package(file, entry, secrets) for entry in entries if entry["manager"] == "conda"]
    pip = [_requirement(file, entry) for entry in entries if entry["manager"] == "pip"]
    urls = [_expand(str(channel.get("url")), secrets) for channel in channels]
    return file.lock(choice.platform, conda, urls, pip)


def _checked(file: LockFile, entry: Any) -> dict[str, Any]:
    name = entry.get("name") if isinstance(entry, dict) else None
    where = f"the package {name!r}" if isinstance(name, str) else "a package"
    for key in ("name", "version", "manager", "platform", "url"):
        file.check_has(key, str, entry, where)
    if entry["manager"] not in ("conda", "pip"):
        raise file.wrong(f"has {entry['manager']!r} as manager of {where}, which is neither conda nor pip")
    if not isinstance(entry.get("category") or MAIN, str):
        raise file.wrong(f"has a category of {where} that is not text")
    if not isinstance(entry.get("hash") or {}, dict):
        raise file.wrong(f"has no mapping `hash` in {where}")
    checked: dict[str, Any] = entry
    return checked


def _category(entry: dict[str, Any]) -> str:
    return entry.get("category") or MAIN


def _chosen(entry: dict[str, Any], choice: Choice) -> bool:
    optional = str(entry.get("optional")).lower() in TRUE
    return _category(entry) in choice.categories or (_category(entry) == MAIN and not optional)


def _package(file: LockFile, entry: dict[str, Any], secrets: frozenset[str]) -> LockedPackage:
    return file.package(_expand(entry["url"], secrets), entry.get("hash") or {})


def _requirement(file: LockFile, entry: dict[str, Any]) -> str:
    return file.requirement(entry["name"], entry["url"], (entry.get("hash") or {}).get("sha256"))


def _secrets(file: LockFile, channels: list[dict[str, Any]]) -> frozenset[str]:
    """Return the names of the variables that stand for credentials in URLs, as the lock itself lists them."""
    found = [channel.get("used_env_vars") or [] for channel in channels]
    if not all(isinstance(names, list) for names in found):
        raise file.wrong("has `used_env_vars` that are not a list")
    return frozenset(str(name) for names in found for name in names)


def _expand(url: str, names: frozenset[str]) -> str:
    for name in names:
        if name in os.environ:
            url = url.replace(f"${{{name}}}", os.environ[name]).replace(f"${name}", os.environ[name])
    return url
