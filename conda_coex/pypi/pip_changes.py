"""Install pip sections in a staging environment, and return the changes."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import without_credentials
from packaging.utils import canonicalize_name

from ..archive.placeholders import encodings_in
from ..conda_api.staging import DIRECTORY, stand_in
from ..errors import InputError
from ..inputs.json_values import as_table, as_text
from ..prefix.unmanaged import collect_unmanaged
from ..prefix.walk import Tree, walk
from ..root.content import SECOND, Content
from ..root.link_rules import compiled_path
from ..root.source import OnDisk, Staged, sha256_of
from .direct_url_json import DirectUrl, parse_direct_url
from .installed import Installed
from .metadata import Distribution, describe, origin
from .pip import Pip, Program, editable_sources
from .record import blank_hashes
from .target_pip import TargetPip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..inputs.environment import Environment, PipSection
    from ..root.link_rules import Python
    from ..root.package import Package

CARRIED = re.compile(r"lib/python[^/]+/ensurepip/_bundled/pip-(?P<version>[^-/]+)-[^/]+\.whl")
STAGED = re.compile(rb"/%s/[0-9a-f]{12}/_+/prefix" % re.escape(DIRECTORY.encode()))


def find_pip(packages: Sequence[Package]) -> Program:
    """Return the environment's pip; raises InputError if it has none.

    Lock files of pixi often have no package `pip`: then it is the pip that the environment's Python carries.
    """
    by_name = {package.name: package for package in packages}
    if "pip" in by_name:
        return Program(by_name["pip"].version)
    if "python" not in by_name:
        raise InputError("pip packages are asked for, and the environment has no Python", remedy="add python and pip")
    matches = [match for match in (CARRIED.fullmatch(path.path) for path in by_name["python"].paths) if match]
    if not matches:
        what = "pip packages are asked for, and the environment has no pip"
        raise InputError(what, remedy="add `pip` to its packages")
    return Program(matches[0]["version"], matches[0].group())


def install(prefix: Path, environment: Environment, python: Python, pip: Pip | TargetPip, date: int) -> Installed:
    """Let pip install the sections; raises PipFailed with the output of pip."""
    before = walk(prefix)
    reported: list[dict[str, object]] = []
    for sections in _runs(environment.pip):
        reported += pip.install(sections)
    site_packages = prefix / python.site_packages
    if isinstance(pip, Pip):
        for source in sorted(set(editable_sources(site_packages))):
            pip.install_copy(source)
    if "src" not in before.directories:
        shutil.rmtree(prefix / "src", ignore_errors=True)  # pip clones editable packages of repositories there
    lock = list(_lock(site_packages, before, prefix, reported))
    _publish_urls(site_packages, before, prefix)
    installed = _collect(prefix, before, python, date, lock)
    if isinstance(pip, TargetPip):
        placed = {item.path for item in installed.items}
        installed.removed |= {f"prefix/{path}" for path in pip.prefix.removed} - placed
    return installed


def _runs(sections: Sequence[PipSection]) -> Iterator[Sequence[PipSection]]:
    """Yield the sections by the runs of pip: those of environment files are resolved together."""
    together = [section for section in sections if not section.pinned]
    if together:
        yield together
    yield from ((section,) for section in sections if section.pinned)


def _collect(prefix: Path, before: Tree, python: Python, date: int, lock: list[Distribution]) -> Installed:
    after = walk(prefix)
    unchanged = {path for path, state in after.files.items() if _same(before.files.get(path), state)}
    unchanged |= {path for path, target in after.links.items() if before.links.get(path) == target}
    name = stand_in(prefix)
    changed = [path for path in after.files if path not in unchanged]
    hashes = {path: _rename(Staged(f"{prefix}/{path}"), str(prefix), name) for path in changed}
    staged = {path: sha256 for path, sha256 in hashes.items() if sha256 is not None}
    unmanaged = collect_unmanaged(prefix, unchanged, [name], after, staged=staged)
    items = [_dated(item, date) if isinstance(item, Content) else item for item in blank_hashes(unmanaged.items)]
    below = f"prefix/{python.site_packages}/"
    sources = [i for i in items if isinstance(i, Content) and i.path.startswith(below) and i.path.endswith(".py")]
    for item in sources:
        if isinstance(item.source, OnDisk):
            os.utime(item.source.path, (date, date))  # which its .pyc repeats
    gone = before.files.keys() | before.links.keys()
    # The .pyc of a source goes with it: here, conda has compiled no noarch packages
    gone |= {compiled_path(path, python.version) for path in before.files.keys() - unchanged if path.endswith(".py")}
    gone -= after.files.keys() | after.links.keys()
    notes = [f"{path} names the environment's place on the builder in {n} place{'s' * (n != 1)} that cannot be changed"
             for path, n in sorted(unmanaged.fixed.items())]  # fmt: skip
    return Installed(items, sources, frozenset(f"prefix/{path}" for path in gone), lock, notes)


def _same(old: os.stat_result | None, new: os.stat_result) -> bool:
    return old is not None and (old.st_ino, old.st_size, old.st_mtime_ns) == (new.st_ino, new.st_size, new.st_mtime_ns)


def _dated(content: Content, date: int) -> Content:
    """Return a content as it is on every builder, at any time and under any umask."""
    return replace(content, mode=0o755 if content.mode & 0o100 else 0o644, mtime_ns=date * SECOND)


def _rename(file: Staged, old: str, new: str) -> str | None:
    """Replace the prefix in a file by the stand-in, which has the same length; return the sha256 of one without it.

    Files that an earlier build left in the sources, which pip takes again, have the prefix of that build.
    """
    with file.opened() as searched:
        encodings = encodings_in(searched, old)
        earlier = _earlier(searched[:], len(old)) if searched.find(f"/{DIRECTORY}/".encode()) >= 0 else set()
        if not encodings and not earlier:
            return sha256_of(searched)
        data = searched[:]
    for encoding in encodings:
        data = data.replace(old.encode(encoding), new.encode(encoding))
    for prefix in earlier:
        data = data.replace(prefix, new.encode())
    file.path.chmod(0o755 if file.path.stat().st_mode & 0o100 else 0o644)
    file.path.write_bytes(data)
    return None


def _earlier(data: bytes, length: int) -> set[bytes]:
    """Return the prefixes of staging environments in a file that are as long as this one's, as nearly all are."""
    found = set()
    for match in STAGED.finditer(data):
        start = match.end() - length
        prefix, before = data[max(start, 0) : match.end()], data[max(start - 1, 0) : max(start, 0)]
        if start >= 0 and prefix[:1] == b"/" and b"\0" not in prefix and not (before.isalnum() or before == b"_"):
            found.add(prefix)
    return found


def _new_distributions(site_packages: Path, before: Tree, prefix: Path) -> Iterator[Path]:
    for directory in sorted(site_packages.glob("*.dist-info")):
        relative = str((directory / "METADATA").relative_to(prefix))
        now = (directory / "METADATA").stat() if (directory / "METADATA").is_file() else None
        if now is not None and not _same(before.files.get(relative), now):
            yield directory


def _lock(
    site_packages: Path, before: Tree, prefix: Path, reported: Iterable[Mapping[str, object]]
) -> Iterator[Distribution]:
    """Yield the installed distributions, with their origin if pip reports it."""
    downloads: dict[str, DirectUrl] = {}
    for item in reported:
        name = as_text(as_table(item.get("metadata")).get("name"))
        downloads[canonicalize_name(name)] = DirectUrl(as_table(item.get("download_info")))
    for directory in _new_distributions(site_packages, before, prefix):
        row = describe((directory / "METADATA").read_bytes(), requested=(directory / "REQUESTED").exists())
        yield {**row, **origin(downloads.get(canonicalize_name(row["name"]), DirectUrl({})))}


def _publish_urls(site_packages: Path, before: Tree, prefix: Path) -> None:
    """Remove `direct_url.json` that name a path of the builder, which a host does not have, and credentials of others.

    pip itself takes user and password away, but not the signature in a query.
    """
    for directory in _new_distributions(site_packages, before, prefix):
        path, record = directory / "direct_url.json", directory / "RECORD"
        direct_url = parse_direct_url(path.read_bytes()) if path.is_file() else None
        if direct_url is None:
            continue
        url, is_local = without_credentials(direct_url.url), direct_url.local_path is not None
        if url == direct_url.url and not is_local:
            continue
        path.unlink()
        row = f"{directory.name}/direct_url.json,"
        lines = record.read_text("utf-8").splitlines(keepends=True)
        lines = [line for line in lines if not line.startswith(row)]
        if not is_local:
            path.write_text(json.dumps({**direct_url.fields, "url": url}), "utf-8")
            lines.append(f"{row},\n")
        record.write_text("".join(lines), "utf-8")
