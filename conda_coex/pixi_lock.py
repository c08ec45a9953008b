"""Read `pixi.lock`, formats 6 and 7 (rattler's `crates/rattler_lock/src/parse/models`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .lock_file import check_platform

if TYPE_CHECKING:
    from .lock_file import Choice, Lock, LockedPackage, LockFile

DEFAULT = "default"
FIELDS = ("license", "license_family", "timestamp")
MANAGERS = ("conda", "conda_source", "pypi")


def read(file: LockFile, choice: Choice) -> Lock:
    """Return what the lock pins for the chosen platform in the chosen environment, `default` where none was."""
    file.check_version((6, 7), "pixi's")
    environments = file.take("environments", dict)
    name = choice.environment or DEFAULT
    if name not in environments:
        known = ", ".join(map(str, environments))
        raise file.wrong(f"has no environment {name!r}", f"choose with --lock-environment: {known}")
    where = f"the environment {name!r}"
    by_platform = file.take("packages", dict, environments[name], where)
    key = _platform(file, choice.platform, by_platform)
    described = {_location(file, entry): entry for entry in file.take("packages", list)}
    conda: list[LockedPackage] = []
    pip: list[str] = []
    for reference in file.take(key, list, by_platform, where):
        location = _location(file, reference)
        if location not in described:
            raise file.wrong(f"lists {location[1]!r} in {where} and does not describe it")
        if location[0] == "pypi":
            pip.append(_requirement(file, described[location]))
        else:
            conda.append(_package(file, described[location]))
    given = file.rows(environments[name].get("channels"), f"`channels` of {where}")
    channels = [str(channel["url"]) for channel in given if "url" in channel]
    return file.lock(choice.platform, conda, channels, pip)


def _platform(file: LockFile, wanted: str, by_platform: dict[str, Any]) -> str:
    """Return the name under which the lock has the packages of a platform: one of its own, since format 7."""
    rows = file.rows(file.found.get("platforms"), "`platforms`")
    subdirs = {str(row.get("name")): str(row.get("subdir") or row.get("name")) for row in rows}
    found = {str(name): subdirs.get(str(name), str(name)) for name in by_platform}
    check_platform(file.path, wanted, found.values())
    names = [name for name, subdir in found.items() if subdir == wanted]
    if wanted in names or len(names) == 1:
        return wanted if wanted in names else names[0]
    raise file.wrong(f"has {', '.join(names)}, which are all {wanted}", f"name one of them {wanted} in pixi's manifest")


def _location(file: LockFile, entry: Any) -> tuple[str, str]:
    for manager in MANAGERS:
        if isinstance(entry, dict) and isinstance(entry.get(manager), str):
            return manager, entry[manager]
    raise file.wrong(f"has {entry!r} in `packages`, which is neither a conda nor a pypi package")


def _package(file: LockFile, entry: dict[str, Any]) -> LockedPackage:
    location = entry.get("conda_source", entry.get("conda"))
    if "conda_source" in entry or "://" not in entry["conda"]:
        raise file.wrong(f"has {location!r}, a package that pixi builds from source", "publish it to a channel")
    # Of a record all of whose dependencies are gone, the lock has none: it is left out, not unknown.
    fields = {key: list(entry.get(key) or ()) for key in ("depends", "constrains")}
    fields.update({key: entry[key] for key in FIELDS if entry.get(key) is not None})
    return file.package(entry["conda"], entry, fields)


def _requirement(file: LockFile, entry: dict[str, Any]) -> str:
    return file.requirement(str(entry.get("name", "")), entry["pypi"], entry.get("sha256"))
