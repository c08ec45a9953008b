"""Read `@EXPLICIT` lists: a URL or path of a package in each line, with its md5 or sha256 behind a `#`."""

from __future__ import annotations

import re

from .lock_file import Choice, Lock, LockedPackage, LockFile, check_platform

PLATFORM = re.compile(r"^#\s*platform:\s*(\S+)\s*$", re.MULTILINE)
# conda's `misc.url_pat`, with the sha256 of newer versions
HASHES = re.compile(r"(?P<md5>[0-9a-fA-F]{32})|(?:sha256:)?(?P<sha256>[0-9a-fA-F]{64})")


def read(file: LockFile, choice: Choice) -> Lock:
    """Return what a list pins; raises InputError for a line that is no package, and for another platform."""
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise file.wrong("is no UTF-8 text") from error
    lines = [line.strip() for line in text.splitlines()]
    packages = [_package(file, line) for line in lines if line and not line.startswith("#") and line != "@EXPLICIT"]
    said = PLATFORM.search(text)
    platforms = {package.subdir for package in packages if _is_platform(package.subdir)} - {"noarch"}
    if said and not platforms:
        platforms = {said.group(1)}
    for platform in platforms:  # one package of another is enough to make no environment
        check_platform(file.path, choice.platform, {platform})
    return file.lock(choice.platform, packages)


def _is_platform(name: str) -> bool:
    from conda.base.constants import KNOWN_SUBDIRS

    return name in KNOWN_SUBDIRS


def _package(file: LockFile, line: str) -> LockedPackage:
    from conda.common.path import expand
    from conda.common.url import is_url, path_to_url

    url, mark, rest = line.partition("#")
    found = HASHES.fullmatch(rest.strip())
    if mark and not found:
        raise file.wrong(f"has {rest!r} for {url.rpartition('/')[2]}, which is neither an md5 nor a sha256")
    if not is_url(url):
        url = path_to_url(expand(url))
    return file.package(url.strip(), found.groupdict() if found else {})
