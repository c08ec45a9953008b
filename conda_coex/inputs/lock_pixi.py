"""Read `pixi.lock`, formats 6 and 7 (rattler's `crates/rattler_lock/src/parse/models`), and conda-workspaces' lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .lock_file import check_platform
from .suffixes import PACKAGE_SUFFIXES
from .yaml_text import shown

if TYPE_CHECKING:
    from .lock_file import Choice, Lock, LockedPackage, LockFile

DEFAULT = "default"
FIELDS = ("license", "license_family")
WORKSPACES = "1"  # of conda-workspaces: its `conda.lock` is pixi's format 6 with a number of its own
MANAGERS = ("conda", "conda_source", "pypi")


def read_pixi_lock(file: LockFile, choice: Choice) -> Lock:
    """Return the packages of the chosen platform in the chosen environment, else in `default`."""
    if file.version in ("4", "5"):
        raise file.wrong(f"is of pixi's format {file.version}, which is too old", "run `pixi lock` of a newer pixi")
    if file.version != WORKSPACES:
        file.check_version(("6", "7"), "pixi's")
    environments = file.mapping("environments")
    name = choice.environment or DEFAULT
    if name not in environments:
        known = ", ".join(map(str, environments))
        raise file.wrong(f"has no environment {name!r}", f"choose with --lock-environment: {known}")
    where = f"the environment {name!r}"
    by_platform = file.mapping("packages", environments[name], where)
    environment: dict[str, object] = file.value(name, dict, environments, where)
    key = _platform(file, choice.platform, by_platform)
    described = dict(_described(file, entry) for entry in file.items("packages"))
    conda: list[LockedPackage] = []
    pip: list[str] = []
    for reference in file.items(key, by_platform, where):
        location, _ = _described(file, reference)
        if location not in described:
            raise file.wrong(f"lists {location[1]!r} in {where} and does not describe it")
        if location[0] == "pypi":
            pip.append(_requirement(file, location[1], described[location]))
        else:
            conda.append(_package(file, location, described[location]))
    given = file.rows(environment.get("channels"), f"`channels` of {where}")
    channels = [str(channel["url"]) for channel in given if "url" in channel]
    return file.lock(choice.platform, conda, channels, pip)


def _platform(file: LockFile, platform: str, by_platform: dict[str, object]) -> str:
    """Return the name under which the lock has the packages of a platform: one of its own, since format 7."""
    rows = file.rows(file.document.get("platforms"), "`platforms`")
    subdirs = {str(row.get("name")): str(row.get("subdir") or row.get("name")) for row in rows}
    subdir_by_name = {str(name): subdirs.get(str(name), str(name)) for name in by_platform}
    check_platform(file.path, platform, subdir_by_name.values())
    names = [name for name, subdir in subdir_by_name.items() if subdir == platform]
    if platform in names or len(names) == 1:
        return platform if platform in names else names[0]
    what = f"has {', '.join(names)}, which are all {platform}"
    raise file.wrong(what, f"name one of them {platform} in pixi's manifest")


def _described(file: LockFile, entry: object) -> tuple[tuple[str, str], dict[str, object]]:
    """Return the manager and the location of a package, and its other fields."""
    fields: dict[str, object] = entry if isinstance(entry, dict) else {}
    for manager in MANAGERS:
        location = fields.get(manager)
        if isinstance(location, str):
            return (manager, location), fields
    raise file.wrong(f"has {shown(entry)} in `packages`, which is neither a conda nor a pypi package")


def _package(file: LockFile, location: tuple[str, str], entry: dict[str, object]) -> LockedPackage:
    manager, url = location
    if manager != "conda" or not url.endswith(PACKAGE_SUFFIXES):
        raise file.wrong(f"has {url!r}, a package that pixi builds from source", "publish it to a channel")
    where = f"the package {url.rpartition('/')[2]}"
    file.check_once(entry, where)
    if "://" not in url:
        url = file.beside(url).as_uri()
    # If all dependencies of a record were removed, the lock leaves the list out: it is empty, not unknown.
    fields: dict[str, object] = {
        key: file.texts(entry.get(key), f"`{key}` of {where}") for key in ("depends", "constrains")
    }
    fields.update({key: file.text(key, entry, where) for key in FIELDS if entry.get(key) is not None})
    if entry.get("timestamp") is not None:
        fields["timestamp"] = _number(file, file.text("timestamp", entry, where), where)
    return file.package(url, entry, fields)


def _number(file: LockFile, text: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise file.wrong(f"has {text!r} as `timestamp` of {where}, which is not a number")
    return int(text)


def _requirement(file: LockFile, location: str, entry: dict[str, object]) -> str:
    file.check_once(entry, f"the package {location}")
    return file.requirement(str(entry.get("name") or ""), location, entry.get("sha256"))
