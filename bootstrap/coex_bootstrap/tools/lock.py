"""Write the explicit list of an archive's packages, from which conda makes the environment again."""

import re
from collections import namedtuple
from contextlib import closing

from ..base.compat import text
from ..base.errors import CoexError
from ..base.urls import LOCAL_CHANNEL, without_credentials
from ..format.archive import Archive
from .output import Outcome
from .owners import dist_of
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, Iterator, List, NamedTuple, Optional, TypedDict

    from ..format.manifest import Package, PipPackage

    Row = TypedDict("Row", {"line": str, "name": str, "url": str, "md5": Optional[str], "sha256": Optional[str]})
    Locked = NamedTuple("Locked", [("platform", str), ("packages", List[Row]), ("pip", List[PipPackage])])
else:
    # A package as a line of the list and in parts, in link order; `pip` are those that conda does not make again.
    Locked = namedtuple("Locked", "platform packages pip")

ABOUT = """\
An `@EXPLICIT` file: one URL a package, in link order, with its md5. It has the sha256 instead if the package has no
md5, or with --sha256; conda 25 and newer read that. No URL has credentials: a channel that needs some gets them from
the configuration of the conda that reads the file. Packages that pip installed from a URL with a known sha256, or from
a commit, are pinned by lines `# pip NAME @ URL`, which conda-lock and `conda coex create` install. So are packages that
conda made from a wheel. For other packages of pip, the list has only the names.

examples:
  CALL > explicit.txt
  conda create -n again --file explicit.txt
"""
PLACE = re.compile(r"[a-z][a-z0-9.-]*://(?:git@)?[^\s#@]+\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
DIRECTORY = re.compile(r"[A-Za-z0-9._/-]+\Z")
PACKAGE_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s#]+\.(?:conda|tar\.bz2)\Z")


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `lock` to a parser."""
    parser.add_argument("--sha256", action="store_true", help="name the sha256 of each package, not its md5")


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Return the list of the archive at `path`; raises CoexError for a package without a URL."""
    platform, packages, pip = read(path, options.sha256)
    lines = ["# This file may be used to create an environment using:", "# $ conda create --name <env> --file <this file>"]
    lines += ["# platform: %s" % platform]
    pinned = [(package, _pinned(package)) for package in pip]
    lines += ["# not in this list, pip installed it: %s" % " ".join(_named(package)) for package, line in pinned if not line]
    local = [package["name"] for package in packages if package["url"].startswith(LOCAL_CHANNEL + "/")]
    lines += ["# from a directory of the machine that made the archive: %s" % " ".join(local)] if local else []
    lines += ["# put the URL of a channel that has them in the place of %s" % LOCAL_CHANNEL] if local else []
    lines += ["@EXPLICIT"] + [package["line"] for package in packages] + [line for _, line in pinned if line]
    return Outcome({"archive": text(path), "platform": platform, "packages": packages, "pip": pip}, lines, 0)


def read(path, wants_sha256):
    # type: (bytes, bool) -> Locked
    """Return the packages of the archive at `path`; raises CoexError for a package without a URL."""
    with closing(Archive(path)) as archive:
        manifest = archive.manifest
    wheels = [package for package in manifest.packages if (package.get("url") or "").endswith(".whl")]
    packages = [_locked(package, path, wants_sha256) for package in manifest.packages if package not in wheels]
    # conda 26 makes packages of wheels, and reads none of them in such a list
    return Locked(manifest.platform, packages, [_as_pip_has_it(wheel) for wheel in wheels] + manifest.pip)


def _as_pip_has_it(wheel):
    # type: (Package) -> PipPackage
    return {"name": wheel["name"], "version": wheel["version"], "url": wheel.get("url"), "sha256": wheel.get("sha256")}


def _pinned(package):
    # type: (PipPackage) -> Optional[str]
    """Return the line that pins a package of pip, None if its source or content is unknown."""
    url, commit, sha256 = without_credentials(package.get("url") or ""), package.get("commit"), _hex(package.get("sha256"), 64)
    directory = package.get("subdirectory")
    is_one = directory is None or (isinstance(directory, type(u"")) and DIRECTORY.match(directory))
    if not (PLACE.match(url) and NAME.match(package["name"]) and is_one):
        return None
    if commit is not None:
        if not _hex(commit, 40) or package.get("vcs", "git") != "git":
            return None
        return "# pip %s @ git+%s@%s" % (package["name"], url, commit) + ("#subdirectory=" + directory if directory else "")
    line = "# pip %s @ %s#sha256=%s" % (package["name"], url, sha256) + ("&subdirectory=" + directory if directory else "")
    return line if sha256 else None


def _named(package):
    # type: (PipPackage) -> Iterator[str]
    """Yield the packages of pip as requirements, with the source if it is known."""
    yield "%s==%s" % (package["name"], package["version"])
    source = package.get("url") or package.get("file")
    if source:
        yield "from " + without_credentials(source)


def _locked(package, path, wants_sha256):
    # type: (Package, bytes, bool) -> Row
    url = without_credentials(package.get("url") or "")
    if not PACKAGE_URL.match(url):
        raise CoexError("its package %s has no URL to fetch it from again" % dist_of(package), path)
    line, md5, sha256 = url, _hex(package.get("md5"), 32), _hex(package.get("sha256"), 64)
    if sha256 and (wants_sha256 or not md5):
        line += "#sha256:" + sha256
    elif md5:
        line += "#" + md5
    return {"line": line, "name": package["name"], "url": url, "md5": md5, "sha256": sha256}


def _hex(value, length):
    # type: (object, int) -> Optional[str]
    """Return a value if it is a hash of this length in hexadecimal, else None: another program reads it."""
    return value if isinstance(value, type(u"")) and re.match("[0-9a-f]{%d}\\Z" % length, value) else None


VERB = Verb("lock", "Print the explicit list of the packages, from which conda makes them again.", ABOUT, configure, execute)
