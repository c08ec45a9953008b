"""The packages that a lock file pins for one platform, and the checks that all readers of lock files share."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import InputError
from .environment import PipSection
from .suffixes import PACKAGE_SUFFIXES
from .yaml_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HEXADECIMAL = {"md5": re.compile(r"[0-9a-f]{32}\Z"), "sha256": re.compile(r"[0-9a-f]{64}\Z")}
COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
A = {"md5": "an", "sha256": "a"}
T = TypeVar("T")
KINDS: dict[type, str] = {dict: "mapping", list: "list", str: "text"}
TRUE = ("true", "yes", "on")
SUPPORTED = ("linux-", "osx-")


@dataclass(frozen=True)
class LockedPackage:
    """One conda package of a lock; `fields` are values of its record that the lock decides."""

    url: str
    md5: str | None = None
    sha256: str | None = None
    fields: dict[str, object] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    @property
    def subdir(self) -> str:
        """The platform that the URL names."""
        return self.url.rpartition("/")[0].rpartition("/")[2]


@dataclass(frozen=True)
class Choice:
    """The part to take of a lock file with several environments."""

    platform: str
    environment: str | None  # of pixi.lock
    categories: tuple[str, ...]  # of conda-lock.yml, beside main


@dataclass(frozen=True)
class Lock:
    """The packages that a lock file pins for one platform."""

    path: str
    platform: str
    packages: tuple[LockedPackage, ...]
    channels: tuple[str, ...] = ()
    pip: tuple[PipSection, ...] = ()
    notes: tuple[str, ...] = ()  # on packages that it names and does not pin


@dataclass(frozen=True)
class LockFile:
    """A lock file as it was read, once: it may be a pipe. Every check raises InputError."""

    path: str
    kind: str  # explicit, conda-lock or pixi
    data: bytes
    document: dict[str, object] = field(default_factory=dict)  # the mapping, if it is YAML

    def wrong(self, what: str, remedy: str | None = None) -> InputError:
        """Return the error of this file."""
        return wrong(self.path, what, remedy)

    @property
    def version(self) -> str:
        """The version of the format, as it is written."""
        return str(self.document.get("version"))

    def check_version(self, known: Sequence[str], whose: str) -> None:
        """Refuse a version of the format that is not known."""
        if self.version not in known:
            listed = " and ".join(known)
            what = f"is of {whose} format {self.version}, and {listed} can be read"
            raise self.wrong(what, f"lock in format {known[-1]}")

    def mapping(self, key: str, of: object = None, where: str = "the file") -> dict[str, object]:
        """Return the mapping at a key: of the file's mapping if no other is given."""
        return self._take(key, dict, of, where)

    def items(self, key: str, of: object = None, where: str = "the file") -> list[object]:
        """Return the list at a key."""
        return self._take(key, list, of, where)

    def text(self, key: str, of: object, where: str) -> str:
        """Return the text at a key."""
        return self._take(key, str, of, where)

    def _take(self, key: str, kind: type[T], of: object, where: str) -> T:
        holder = self.document if of is None else of
        value = self.value(key, kind, holder, where)
        self.check_once(holder, where, key)
        return value

    def value(self, key: str, kind: type[T], of: object, where: str) -> T:
        """Return the value at a key, which must be a `kind` and may be there twice: not all values are used."""
        value = of.get(key) if isinstance(of, dict) else None
        if not isinstance(value, kind):
            raise self.wrong(f"has no {KINDS[kind]} `{key}` in {where}")
        return value

    def check_once(self, mapping: object, where: str, key: str | None = None) -> None:
        """Refuse a mapping that has this key twice, or any key twice. Parts that are not used are not checked."""
        repeated: dict[str, int] = getattr(mapping, "repeated", {})
        for name, line in repeated.items():
            if key in (None, name):
                raise self.wrong(f"has `{name}` twice in {where}" + (f", again in line {line}" if line else ""))

    def rows(self, value: object, where: str) -> list[dict[str, object]]:
        """Return a list of mappings, empty if it is missing."""
        rows = value or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.wrong(f"has no list of mappings in {where}")
        return list(rows)

    def texts(self, value: object, where: str) -> list[str]:
        """Return a list of texts, empty if it is missing."""
        rows = value or []
        if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
            raise self.wrong(f"has no list of texts in {where}")
        return [str(row) for row in rows]

    def package(
        self, url: object, hashes: Mapping[str, object], fields: dict[str, object] | None = None
    ) -> LockedPackage:
        """Return a package after a check of its URL and hashes; hashes may be missing."""
        if not isinstance(url, str) or not url.endswith(PACKAGE_SUFFIXES) or "://" not in url:
            raise self.wrong(f"has {shown(url)}, which is not the URL of a conda package")
        sums: dict[str, str] = {}
        for kind, pattern in HEXADECIMAL.items():
            value = hashes.get(kind)
            if value is None or value == "":
                continue
            if not isinstance(value, str) or not pattern.match(value.lower()):
                file_name = url.rpartition("/")[2]
                raise self.wrong(f"has {shown(value)} for {file_name}, which is not {A[kind]} {kind}")
            sums[kind] = value.lower()
        return LockedPackage(url, sums.get("md5"), sums.get("sha256"), fields or {})

    def requirement(self, name: str, location: str, sha256: object) -> str:
        """Return the line of a requirements file for a pinned package: a URL, a path beside the lock, or a repository.

        A word of a lock stays one word. pip cannot compare the hash of a directory or a repository, so it is left out:
        a directory is taken as it is now, and a commit names its content.
        """
        location = location.removeprefix("direct+")  # uv and pixi write this for a package without an index
        if any(mark.isspace() for mark in name + location) or location.startswith("-") or not location:
            raise self.wrong(f"has {location!r}, which is neither the URL nor the path of a pip package")
        if "+" in location.partition("://")[0]:
            # before 24.1, pip reads `NAME @ URL` as a path if the URL does not name a host
            return f"{name} @ {_repository(location)}" if urlsplit(location).netloc else _repository(location)
        path = self.beside(location) if "://" not in location or location.startswith("file:") else None
        if path is not None and not path.is_file():
            return str(path)
        if sha256 and not HEXADECIMAL["sha256"].match(str(sha256).lower()):
            raise self.wrong(f"has {shown(sha256)} for {name or location}, which is not a sha256")
        line = str(path) if path is not None else f"{name} @ {location}" if name else location
        return f"{line} --hash=sha256:{str(sha256).lower()}" if sha256 else line

    def beside(self, location: str) -> Path:
        """Return the path of a file or directory beside the lock file."""
        given = unquote(urlsplit(location).path) if location.startswith("file:") else location
        path = Path(os.path.normpath(Path(self.path).absolute().parent / given))
        if not path.exists():
            raise self.wrong(f"names {location}, and there is no {path}", "put it beside the lock file again")
        return path

    def lock(
        self, platform: str, packages: Iterable[LockedPackage], channels: Iterable[str] = (), pip: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> Lock:  # fmt: skip
        """Return the pinned packages of the file: conda packages, each once, and lines for pip.

        If only some lines have hashes, there are two sections: pip wants a hash for all packages of a file, or for
        none.
        """
        hashed = tuple(line for line in pip if "--hash=" in line)
        plain = tuple(line for line in pip if "--hash=" not in line)
        directory = str(Path(self.path).absolute().parent)
        sections = tuple(PipSection(directory, part, pinned=True) for part in (hashed, plain) if part)
        by_url = {package.url: package for package in packages}
        return Lock(self.path, platform, tuple(by_url.values()), tuple(channels), sections, tuple(notes))


def _repository(location: str) -> str:
    """Return a repository as pip names it, `git+URL@COMMIT#subdirectory=DIRECTORY`.

    uv, and pixi with it, write `git+URL?rev=NAME&subdirectory=DIRECTORY#COMMIT`.
    """
    parts = urlsplit(location)
    query = parse_qs(parts.query)
    commit = parts.fragment if COMMIT.match(parts.fragment) else None
    revision = commit or next((query[key][0] for key in ("rev", "tag", "branch") if key in query), None)
    if revision is None:
        return location
    directory = query.get("subdirectory", [""])[0]
    base = location.partition("#")[0].partition("?")[0]  # geturl() of parts would lose slashes of git+file:///
    return f"{base}@{revision}" + (f"#subdirectory={directory}" if directory else "")


def check_platform(path: str, platform: str, available: Iterable[str]) -> None:
    """Raise InputError, naming the platforms that a lock has, if `platform` is not among them."""
    platforms = sorted(set(available))
    if platform not in platforms:
        listed = ", ".join(platforms) or "no platform"
        usable = [name for name in platforms if name.startswith(SUPPORTED)]
        if usable or not platforms:
            remedy = f"choose with --platform {usable[0]}" if usable else None
            raise wrong(path, f"is for {listed}, not for {platform}", remedy)
        raise wrong(path, f"is for {listed} alone, and archives are for Linux and macOS", f"lock for {platform}, too")


def wrong(path: str, what: str, remedy: str | None = None) -> InputError:
    """Return the error of a lock file."""
    return InputError(f"the lock file {what}", os.fsencode(path), remedy)


def not_alone(path: str) -> InputError:
    """Return the error of a lock file that is not the only input."""
    return wrong(path, "is a whole environment, and other files or packages cannot be added", "give it alone")
