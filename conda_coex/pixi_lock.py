"""Read `pixi.lock`, format 6 (rattler's `crates/rattler_lock/src/parse/models/v6`)."""

from __future__ import annotations

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

DEFAULT = "default"
FIELDS = ("license", "license_family", "timestamp")


def read(path: str, choice: Choice) -> Lock:
    """Return what the lock pins for the chosen platform in the chosen environment, `default` where none was."""
    found = load_yaml(path)
    version = found.get("version")
    if version != 6:
        raise wrong(path, f"is of version {version!r} of pixi's format", "let a newer pixi write one of version 6")
    environments = take(path, found, "environments", dict, "the file")
    name = choice.environment or DEFAULT
    if name not in environments:
        raise wrong(path, f"has no environment {name!r}", f"choose with --lock-environment: {', '.join(environments)}")
    where = f"the environment {name!r}"
    by_platform = take(path, environments[name], "packages", dict, where)
    check_platform(path, choice.platform, map(str, by_platform))
    described = {_location(path, entry): entry for entry in take(path, found, "packages", list, "the file")}
    conda: list[LockedPackage] = []
    pip: list[str] = []
    for reference in take(path, by_platform, choice.platform, list, where):
        location = _location(path, reference)
        if location not in described:
            raise wrong(path, f"lists {location[1]!r} in {where} and does not describe it")
        if location[0] == "conda":
            conda.append(_package(path, described[location]))
        else:
            pip.append(_requirement(path, described[location]))
    channels = [str(channel["url"]) for channel in environments[name].get("channels") or () if "url" in channel]
    return Lock(path, choice.platform, tuple(conda), tuple(channels), pip_sections(path, pip))


def _location(path: str, entry: Any) -> tuple[str, str]:
    for manager in ("conda", "pypi"):
        if isinstance(entry, dict) and isinstance(entry.get(manager), str):
            return manager, entry[manager]
    raise wrong(path, f"has {entry!r} in `packages`, which is neither a conda nor a pypi package")


def _package(path: str, entry: dict[str, Any]) -> LockedPackage:
    if "://" not in entry["conda"]:
        raise wrong(path, f"has {entry['conda']!r}, a package that pixi builds from source", "publish it to a channel")
    # Of a record all of whose dependencies are gone, the lock has none: it is left out, not unknown.
    fields = {key: list(entry.get(key) or ()) for key in ("depends", "constrains")}
    fields.update({key: entry[key] for key in FIELDS if entry.get(key) is not None})
    return checked(path, entry["conda"], entry, fields)


def _requirement(path: str, entry: dict[str, Any]) -> str:
    return requirement(path, str(entry.get("name", "")), entry["pypi"], entry.get("sha256"))
