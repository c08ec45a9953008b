"""Read `@EXPLICIT` lists: a URL or path of a package in each line, with its md5 or sha256 behind a `#`.

Lines `# pip NAME @ URL` are the pip packages of such a list, as conda-lock and the archives' own `lock` write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from .document import lines_of
from .lock_file import check_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from .lock_file import Choice, Lock, LockedPackage, LockFile

PLATFORM = re.compile(r"^#\s*platform:\s*(\S+)\s*$", re.MULTILINE)
# conda's `misc.url_pat`, with the sha256 of newer versions
HASHES = re.compile(r"(?P<md5>[0-9a-fA-F]{32})|(?:sha256:)?(?P<sha256>[0-9a-fA-F]{64})")

PIP = re.compile(r"#\s*pip\s+(?P<rest>\S.*)")
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._,-]*\])?"
AT_URL = re.compile(rf"(?P<name>{NAME})\s*@\s*(?P<location>\S+?)(?P<hash>\s+--hash=sha256:\S+)?")
VERSION = re.compile(rf"{NAME}\s*===?\s*[A-Za-z0-9._+!-]+(?:\s+--hash=[a-z0-9]+:[0-9a-f]+)*")
NOT_LISTED = re.compile(r"# not in this list, pip installed it: (.+)")  # of the archives' own `lock`


@dataclass(frozen=True)
class ExplicitRules:
    """conda's own rules for the lines of a list."""

    platforms: Container[str]  # all that conda knows
    package_url: Callable[[str], str]  # from a URL, or a path with `~` and variables


def read_explicit_lock(file: LockFile, choice: Choice, rules: ExplicitRules) -> Lock:
    """Return the packages that a list pins; raises InputError for a line that is not one, and for another platform."""
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise file.wrong("is not UTF-8 text") from error
    lines = [line.strip() for line in lines_of(text)]
    rows = [line for line in lines if line and not line.startswith("#") and line != "@EXPLICIT"]
    packages = [_package(file, line, rules) for line in rows]
    platforms = {package.subdir for package in packages if package.subdir in rules.platforms} - {"noarch"}
    header = PLATFORM.search(text)
    if header and not platforms:
        platforms = {header.group(1)}
    for platform in platforms:  # even one package of another platform is refused
        check_platform(file.path, choice.platform, {platform})
    pip = [line for match in map(PIP.fullmatch, lines) if match for line in _requirement(file, match["rest"])]
    return file.lock(choice.platform, packages, pip=pip, notes=list(_notes(file, lines)))


def _requirement(file: LockFile, rest: str) -> Iterator[str]:
    """Yield the line of a requirements file for a pip package; nothing for another comment that begins with `# pip`."""
    match = AT_URL.fullmatch(rest)
    if match:
        location, mark, fragment = match["location"].partition("#")
        fields = dict(parse_qsl(fragment))
        sha256 = (match["hash"] or "").rpartition(":")[2] or fields.pop("sha256", None)
        pairs = "&".join(f"{key}={value}" for key, value in fields.items())
        yield file.requirement(match["name"], f"{location}#{pairs}" if mark and pairs else location, sha256)
    elif VERSION.fullmatch(rest):
        yield rest


def _notes(file: LockFile, lines: Sequence[str]) -> Iterator[str]:
    """Yield notes on pip packages that the list names and does not pin."""
    missing = [match[1] for match in map(NOT_LISTED.fullmatch, lines) if match]
    if missing:
        yield f"pip installed these, and {file.path} does not pin them: {', '.join(missing)}"
    for match in map(PIP.fullmatch, lines):
        if match and not (AT_URL.fullmatch(match["rest"]) or VERSION.fullmatch(match["rest"])):
            yield f"not read as a pip package, it is not pinned: {match[0]}"


def _package(file: LockFile, line: str, rules: ExplicitRules) -> LockedPackage:
    url, mark, rest = line.partition("#")
    match = HASHES.fullmatch(rest.strip())
    if mark and not match:
        raise file.wrong(f"has {rest!r} for {url.rpartition('/')[2]}, which is neither an md5 nor a sha256")
    return file.package(rules.package_url(url).strip(), match.groupdict() if match else {})
