"""Read `conda-lock.yml`, format 1 (conda-lock's `lockfile/v1/models.py`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lock_file import TRUE, check_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .lock_file import Choice, Lock, LockedPackage, LockFile

MAIN = "main"


@dataclass(frozen=True)
class _Entry:
    """A package of the file. Its other checks are only for packages that are taken."""

    name: str
    manager: str  # conda or pip
    platform: str
    url: str
    category: str
    optional: bool
    hashes: dict[str, object]
    fields: Mapping[str, object]  # all of it


def read_conda_lock(file: LockFile, choice: Choice) -> Lock:
    """Return the packages of the chosen platform in the main category and in the chosen ones."""
    if file.version in ("2", "3"):  # whose keys are those of conda-lock's format 1
        raise file.wrong(f"is of pixi's format {file.version}, which is too old", "run `pixi lock` of a newer pixi")
    file.check_version(("1",), "conda-lock's")
    metadata = file.mapping("metadata")
    check_platform(file.path, choice.platform, map(str, file.items("platforms", metadata, "`metadata`")))
    listed = metadata.get("channels")
    if isinstance(listed, list):  # once by name alone
        listed = [{"url": each} if isinstance(each, str) else each for each in listed]
    channels = file.rows(listed, "`channels`")
    secrets = _secrets(file, channels)
    entries = [_checked(file, entry) for entry in file.items("package")]
    known = {entry.category for entry in entries}
    for category in choice.categories:
        if category not in known:
            raise file.wrong(f"has no category {category!r}", f"choose among {', '.join(sorted(known))}")
    entries = [entry for entry in entries if entry.platform == choice.platform and _is_chosen(entry, choice)]
    for entry in entries:
        file.check_once(entry.fields, f"the package {entry.name!r}")
        file.check_once(entry.hashes, f"`hash` of the package {entry.name!r}")
    conda = [_package(file, entry, secrets) for entry in entries if entry.manager == "conda"]
    pip = [_requirement(file, entry) for entry in entries if entry.manager == "pip"]
    urls = [_expand(str(channel.get("url")), secrets) for channel in channels]
    return file.lock(choice.platform, conda, urls, pip)


def _checked(file: LockFile, entry: object) -> _Entry:
    fields: dict[str, object] = entry if isinstance(entry, dict) else {}
    given = fields.get("name")
    where = f"the package {given!r}" if isinstance(given, str) else "a package"
    name, _, manager, platform, url = (
        file.value(key, str, fields, where) for key in ("name", "version", "manager", "platform", "url")
    )
    if manager not in ("conda", "pip"):
        raise file.wrong(f"has {manager!r} as manager of {where}, which is neither conda nor pip")
    category = fields.get("category") or MAIN
    if not isinstance(category, str):
        raise file.wrong(f"has a category of {where} that is not text")
    hashes = fields.get("hash") or {}
    if not isinstance(hashes, dict):
        raise file.wrong(f"has no mapping `hash` in {where}")
    optional = str(fields.get("optional")).lower() in TRUE
    return _Entry(name, manager, platform, url, category, optional, hashes, fields)


def _is_chosen(entry: _Entry, choice: Choice) -> bool:
    return entry.category in choice.categories or (entry.category == MAIN and not entry.optional)


def _package(file: LockFile, entry: _Entry, secrets: frozenset[str]) -> LockedPackage:
    return file.package(_expand(entry.url, secrets), entry.hashes)


def _requirement(file: LockFile, entry: _Entry) -> str:
    return file.requirement(entry.name, entry.url, entry.hashes.get("sha256"))


def _secrets(file: LockFile, channels: list[dict[str, object]]) -> frozenset[str]:
    """Return the names of the variables that stand for credentials in URLs, as the lock itself lists them."""
    secrets: set[str] = set()
    for channel in channels:
        names = channel.get("used_env_vars") or []
        if not isinstance(names, list):
            raise file.wrong("has `used_env_vars` that are not a list")
        secrets.update(map(str, names))
    return frozenset(secrets)


def _expand(url: str, names: frozenset[str]) -> str:
    for name in names:
        if name in os.environ:
            url = url.replace(f"${{{name}}}", os.environ[name]).replace(f"${name}", os.environ[name])
    return url
