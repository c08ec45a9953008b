"""What a lock file pins for one platform, and the file itself with the checks that its readers share."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from .environment import PipSection
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEXADECIMAL = {"md5": re.compile(r"[0-9a-f]{32}\Z"), "sha256": re.compile(r"[0-9a-f]{64}\Z")}
COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
SUFFIXES = (".conda", ".tar.bz2")
KINDS = {dict: "mapping", list: "list", str: "text", int: "number"}


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


@dataclass(frozen=True)
class LockFile:
    """A lock file as it was read, once: it may be a pipe. Every check raises InputError."""

    path: str
    kind: str  # explicit, conda-lock or pixi
    data: bytes
    found: dict[str, Any] = field(default_factory=dict)  # the mapping of one that is YAML

    def wrong(self, what: str, remedy: str | None = None) -> InputError:
        """Return the error of this file."""
        return wrong(self.path, what, remedy)

    def check_version(self, known: Sequence[int], whose: str) -> None:
        """Refuse a version of the format that is not known."""
        version = self.found.get("version")
        if version not in known:
            raise self.wrong(f"is of version {version!r} of {whose} format", f"make one of version {known[-1]}")

    def take(self, key: str, kind: type, mapping: Any = None, where: str = "the file") -> Any:
        """Return `mapping[key]`, of the file's mapping where none is given, which must be a `kind`."""
        mapping = self.found if mapping is None else mapping
        if not isinstance(mapping, dict) or not isinstance(mapping.get(key), kind):
            raise self.wrong(f"has no {KINDS[kind]} `{key}` in {where}")
        return mapping[key]

    def rows(self, value: Any, where: str) -> list[dict[str, Any]]:
        """Return what may be missing, and is a list of mappings else."""
        if not isinstance(value or [], list) or not all(isinstance(row, dict) for row in value or ()):
            raise self.wrong(f"has no list of mappings in {where}")
        return list(value or ())

    def package(self, url: Any, hashes: dict[str, Any], fields: dict[str, Any] | None = None) -> LockedPackage:
        """Return a package whose URL and hashes have the form that they should; hashes may be missing."""
        if not isinstance(url, str) or not url.endswith(SUFFIXES) or "://" not in url:
            raise self.wrong(f"has {url!r}, which is no URL of a conda package")
        found: dict[str, str] = {}
        for kind, pattern in HEXADECIMAL.items():
            value = hashes.get(kind)
            if value is None or value == "":
                continue
            if not isinstance(value, str) or not pattern.match(value.lower()):
                raise self.wrong(f"has {value!r} for {url.rpartition('/')[2]}, which is no {kind}")
            found[kind] = value.lower()
        return LockedPackage(url, found.get("md5"), found.get("sha256"), fields or {})

    def requirement(self, name: str, location: str, sha256: Any) -> str:
        """Return the line of a requirements file for a pinned package: a URL, a path beside the lock, or a repository.

        A word of a lock cannot be more than a word. The hash that a lock has of a directory or a repository is
        none that pip could compare: a directory is as it is now, a commit names its content.
        """
        if any(mark.isspace() for mark in name + location) or location.startswith("-") or not location:
            raise self.wrong(f"has {location!r}, which is no URL and no path of a pip package")
        if sha256 is not None and not HEXADECIMAL["sha256"].match(str(sha256)):
            raise self.wrong(f"has {sha256!r} for {name or location}, which is no sha256")
        if "+" in location.partition("://")[0]:
            # before 24.1, pip takes `NAME @ URL` for a path where the URL names no host
            return f"{name} @ {_repository(location)}" if urlsplit(location).netloc else _repository(location)
        if "://" not in location or location.startswith("file:"):
            path = self._beside(location)
            return f"{path} --hash=sha256:{sha256}" if sha256 and path.is_file() else str(path)
        line = f"{name} @ {location}" if name else location
        return f"{line} --hash=sha256:{sha256}" if sha256 else line

    def _beside(self, location: str) -> Path:
        given = unquote(urlsplit(location).path) if location.startswith("file:") else location
        path = Path(os.path.normpath(Path(self.path).absolute().parent / given))
        if not path.exists():
            raise self.wrong(f"names {location}, and there is no {path}", "have it beside the lock file, where it was")
        return path

    def lock(
        self, platform: str, packages: Iterable[LockedPackage], channels: Iterable[str] = (), pip: Sequence[str] = ()
    ) -> Lock:
        """Return what the file pins: conda packages, each once, and lines for pip.

        Those are in two sections where only some have hashes: pip wants hashes of all in a file, or of none.
        """
        hashed = tuple(line for line in pip if "--hash=" in line)
        plain = tuple(line for line in pip if "--hash=" not in line)
        directory = str(Path(self.path).absolute().parent)
        sections = tuple(PipSection(directory, part, pinned=True) for part in (hashed, plain) if part)
        once = {package.url: package for package in packages}
        return Lock(self.path, platform, tuple(once.values()), tuple(channels), sections)


def _repository(location: str) -> str:
    """Return a repository as pip names it, `git+URL@COMMIT#subdirectory=DIRECTORY`.

    uv, and pixi with it, write `git+URL?rev=NAME&subdirectory=DIRECTORY#COMMIT`.
    """
    parts = urlsplit(location)
    query = parse_qs(parts.query)
    commit = parts.fragment if COMMIT.match(parts.fragment) else None
    wanted = commit or next((query[key][0] for key in ("rev", "tag", "branch") if key in query), None)
    if wanted is None:
        return location
    directory = query.get("subdirectory", [""])[0]
    base = location.partition("#")[0].partition("?")[0]  # geturl() of parts would lose slashes of git+file:///
    return f"{base}@{wanted}" + (f"#subdirectory={directory}" if directory else "")


def check_platform(path: str, wanted: str, available: Iterable[str]) -> None:
    """Raise InputError, naming the platforms that a lock has, where the wanted one is not among them."""
    found = sorted(set(available))
    if wanted not in found:
        listed = ", ".join(found) or "no platform"
        remedy = f"choose with --platform {found[0]}" if found else None
        raise wrong(path, f"is for {listed}, not for {wanted}", remedy)


def wrong(path: str, what: str, remedy: str | None = None) -> InputError:
    """Return the error of a lock file."""
    return InputError(f"the lock file {what}", os.fsencode(path), remedy)


def not_alone(path: str) -> InputError:
    """Return the error of a lock file beside which something else was asked for."""
    return wrong(path, "is a whole environment, and other files or packages cannot be added", "give it alone")
