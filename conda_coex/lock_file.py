"""What a lock file pins for one platform, and the checks that its readers share."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .environment import PipSection
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEXADECIMAL = {"md5": re.compile(r"[0-9a-f]{32}\Z"), "sha256": re.compile(r"[0-9a-f]{64}\Z")}
SUFFIXES = (".conda", ".tar.bz2")


@dataclass(frozen=True)
class LockedPackage:
    """One conda package of a lock; `fields` are those of its record that the lock has the last word on."""

    url: str
    md5: str | None = None
    sha256: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def subdir(self) -> str:
        return self.url.rpartition("/")[0].rpartition("/")[2]


@dataclass(frozen=True)
class Choice:
    """What to take of a lock that holds several environments."""

    platform: str
    environment: str | None  # of pixi.lock
    categories: tuple[str, ...]  # of conda-lock.yml, beside main


@dataclass(frozen=True)
class Lock:
    """What a lock file pins for one platform."""

    path: str
    platform: str
    packages: tuple[LockedPackage, ...]
    channels: tuple[str, ...] = ()
    pip: tuple[PipSection, ...] = ()


def check_platform(path: str, wanted: str, available: Iterable[str]) -> None:
    """Raise InputError, naming the platforms that a lock has, where the wanted one is not among them."""
    found = sorted(set(available))
    if wanted not in found:
        listed = ", ".join(found) or "no platform"
        remedy = f"choose with --platform {found[0]}" if found else None
        raise wrong(path, f"is for {listed}, not for {wanted}", remedy)


def checked(path: str, url: Any, hashes: dict[str, Any], fields: dict[str, Any] | None = None) -> LockedPackage:
    """Return a package whose URL and hashes have the form that they should; hashes may be missing."""
    if not isinstance(url, str) or not url.endswith(SUFFIXES) or "://" not in url:
        raise wrong(path, f"has {url!r}, which is no URL of a conda package")
    found: dict[str, str] = {}
    for kind, pattern in HEXADECIMAL.items():
        value = hashes.get(kind)
        if value is None or value == "":
            continue
        if not isinstance(value, str) or not pattern.match(value.lower()):
            raise wrong(path, f"has {value!r} for {url.rpartition('/')[2]}, which is no {kind}")
        found[kind] = value.lower()
    return LockedPackage(url, found.get("md5"), found.get("sha256"), fields or {})


def load_yaml(path: str) -> dict[str, Any]:
    """Return the mapping of a YAML lock file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        found = YAML(typ="safe").load(Path(path).read_bytes())
    except MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise wrong(path, f"is no YAML{where}: {error.problem}") from error
    except (YAMLError, ValueError) as error:
        raise wrong(path, f"is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise wrong(path, "is no mapping")
    return found


def take(path: str, mapping: Any, key: str, kind: type, where: str) -> Any:
    """Return `mapping[key]`, which must be a `kind`; raises InputError that says where it is not."""
    if not isinstance(mapping, dict) or not isinstance(mapping.get(key), kind):
        names = {dict: "mapping", list: "list", str: "text", int: "number"}
        raise wrong(path, f"has no {names[kind]} `{key}` in {where}")
    return mapping[key]


def requirement(path: str, name: str, location: str, sha256: Any) -> str:
    """Return the line of a requirements file for one pinned package; a word of a lock cannot be more than a word."""
    if any(mark.isspace() for mark in name + location) or location.startswith("-"):
        raise wrong(path, f"has {location!r}, which is no URL and no path of a pip package")
    if sha256 is not None and not HEXADECIMAL["sha256"].match(str(sha256)):
        raise wrong(path, f"has {sha256!r} for {name}, which is no sha256")
    line = f"{name} @ {location}" if name and "://" in location else location
    return f"{line} --hash=sha256:{sha256}" if sha256 else line


def pip_sections(path: str, lines: Sequence[str]) -> tuple[PipSection, ...]:
    """Return pinned requirements as sections: pip wants hashes of all in a file, or of none."""
    hashed = tuple(line for line in lines if "--hash=" in line)
    plain = tuple(line for line in lines if "--hash=" not in line)
    directory = str(Path(path).absolute().parent)
    return tuple(PipSection(directory, part, pinned=True) for part in (hashed, plain) if part)


def wrong(path: str, what: str, remedy: str | None = None) -> InputError:
    """Return the error of a lock file."""
    return InputError(f"the lock file {what}", os.fsencode(path), remedy)


def not_alone(path: str) -> InputError:
    """Return the error of a lock file beside which something else was asked for."""
    return wrong(path, "is a whole environment, and other files or packages cannot be added", "give it alone")
