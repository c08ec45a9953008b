"""Read `@EXPLICIT` lists: a URL or path of a package in each line, with its md5 or sha256 behind a `#`."""

from __future__ import annotations

import re
from pathlib import Path

from .lock_file import Choice, Lock, LockedPackage, check_platform, checked, wrong

PLATFORM = re.compile(r"^#\s*platform:\s*(\S+)\s*$", re.MULTILINE)
# conda's `misc.url_pat`, with the sha256 of newer versions
HASHES = re.compile(r"(?P<md5>[0-9a-fA-F]{32})|(?:sha256:)?(?P<sha256>[0-9a-fA-F]{64})")


def read(path: str, choice: Choice) -> Lock:
    """Return what a list pins; raises InputError for a line that is no package, and for another platform."""
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise wrong(path, "is no UTF-8 text") from error
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from error
    lines = [line.strip() for line in text.splitlines()]
    packages = [_package(path, line) for line in lines if line and not line.startswith("#") and line != "@EXPLICIT"]
    said = PLATFORM.search(text)
    platforms = {package.subdir for package in packages if _is_platform(package.subdir)} - {"noarch"}
    if said and not platforms:
        platforms = {said.group(1)}
    for platform in platforms:  # one package of another is enough to make no environment
        check_platform(path, choice.platform, {platform})
    return Lock(path, choice.platform, tuple({package.url: package for package in packages}.values()))


def _is_platform(name: str) -> bool:
    from conda.base.constants import KNOWN_SUBDIRS

    return name in KNOWN_SUBDIRS


def _package(path: str, line: str) -> LockedPackage:
    from conda.common.path import expand
    from conda.common.url import is_url, path_to_url

    url, mark, rest = line.partition("#")
    found = HASHES.fullmatch(rest.strip())
    if mark and not found:
        raise wrong(path, f"has {rest!r} for {url.rpartition('/')[2]}, which is neither an md5 nor a sha256")
    if not is_url(url):
        url = path_to_url(expand(url))
    return checked(path, url.strip(), found.groupdict() if found else {})
