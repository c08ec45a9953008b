"""Find the packages of a lock file, or of an environment, whose channel was a directory that is not here."""

from __future__ import annotations

import contextlib
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import LOCAL_CHANNEL

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda.models.match_spec import MatchSpec

    from ..inputs.conda_record import CondaRecord
    from ..inputs.environment import Environment
    from ..inputs.lock_file import Lock, LockedPackage


def find_local(lock: Lock) -> Lock:
    """Return the lock with a URL of this machine, or of a channel, for each package below LOCAL_CHANNEL.

    A package is searched by its checksum: in conda's package cache, then in the channels of the command line and the
    configuration. Raises InputError if none has it; a file that has only the same name could be anything.
    """
    if not any(is_local(package) for package in lock.packages):
        return lock
    packages = (replace(each, url=_url(lock, each)) if is_local(each) else each for each in lock.packages)
    return replace(lock, packages=tuple(packages))


def find_installed(environment: Environment, prefix: str) -> Environment:
    """Return an environment with the URL of a file that is there for each package that came from a directory.

    A package that neither the directory nor conda's cache has is searched as those of a lock. Raises InputError.
    """
    records = tuple(_with_file(record, prefix) for record in environment.records)
    known = {name: None for name in environment.channels if not name.startswith(LOCAL_CHANNEL)}
    moved = [str(new.channel.base_url) for old, new in zip(environment.records, records, strict=True) if new is not old]
    return replace(environment, records=records, channels=tuple({**known, **dict.fromkeys(moved)}))


def _with_file(record: CondaRecord, prefix: str) -> CondaRecord:
    from conda.common.path import url_to_path
    from conda.core.package_cache_data import PackageCacheData
    from conda.models.channel import Channel
    from conda.models.match_spec import MatchSpec
    from conda.models.records import PackageRecord

    url = str(record.url or "")
    if not url.startswith("file:/") or Path(url_to_path(url)).is_file() or any(PackageCacheData.query_all(record)):
        return record
    name, kind = record.get("fn"), next((kind for kind in ("sha256", "md5") if record.get(kind)), None)
    spec = None if kind is None else MatchSpec(fn=name, **{kind: record.get(kind)})
    found = None if spec is None else next(_candidates(spec, record.subdir), None)
    if found is None:
        what = f"{name} came from {url}, which is not there, and neither conda's cache nor a channel has that file"
        remedy = f"take the files of the environment itself: conda coex pack --from-prefix {shlex.quote(prefix)}"
        raise InputError(what, os.fsencode(prefix), f"{remedy}, or name a channel that has the file with -c")
    changed: CondaRecord = PackageRecord.from_objects(record, url=found.url, channel=Channel(found.url))
    return changed


def is_local(package: LockedPackage) -> bool:
    """Return whether a package came from a directory of the machine that made the archive."""
    return package.url.startswith(LOCAL_CHANNEL + "/")


def _url(lock: Lock, package: LockedPackage) -> str:
    spec = _same_file(package)
    record = None if spec is None else next(_candidates(spec, package.subdir), None)
    if record is None:
        kind = _kind(package)
        checksum = f" with the {kind} {getattr(package, kind)}" if kind else ""
        what = f"names {package.file_name}{checksum}, which came from a channel of the machine that made the archive"
        remedy = "name a channel that has this file with -c, or its URL in the lock"
        raise InputError(f"the lock file {what}", os.fsencode(lock.path), remedy)
    return str(record.url)


def _kind(package: LockedPackage) -> str | None:
    """Return the kind of the strongest checksum that the lock has for a package."""
    return next((kind for kind in ("sha256", "md5") if getattr(package, kind)), None)


def _same_file(package: LockedPackage) -> MatchSpec | None:
    from conda.models.match_spec import MatchSpec

    kind = _kind(package)
    return None if kind is None else MatchSpec(fn=package.file_name, **{kind: getattr(package, kind)})


def _candidates(spec: MatchSpec, subdir: str) -> Iterator[CondaRecord]:
    """Yield the records that match: from conda's package cache, then from each channel that can be read."""
    from conda import CondaError
    from conda.base.context import context
    from conda.core.package_cache_data import PackageCacheData
    from conda.core.subdir_data import SubdirData

    yield from (record for record in PackageCacheData.query_all(spec) if record.url)
    for channel in context.channels:
        with contextlib.suppress(CondaError):
            yield from SubdirData.query_all(spec, channels=(channel,), subdirs=[subdir])
