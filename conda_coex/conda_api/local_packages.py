"""Find packages of a lock again whose channel was a directory of another machine."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from coex_bootstrap.base.urls import LOCAL_CHANNEL

from ..errors import InputError

if TYPE_CHECKING:
    from ..inputs.lock_file import Lock, LockedPackage


def find_local(lock: Lock) -> Lock:
    """Return the lock with a URL of this machine, or of a channel, for each package below LOCAL_CHANNEL.

    The file with the same sum is looked for in conda's package cache and in the channels of the command line and the
    configuration. Raises InputError if there is none: a file of that name alone could be anything.
    """
    if not any(is_local(package) for package in lock.packages):
        return lock
    found = (replace(package, url=_url(lock, package)) if is_local(package) else package for package in lock.packages)
    return replace(lock, packages=tuple(found))


def is_local(package: LockedPackage) -> bool:
    """Return whether a package came from a directory of the machine that made the archive."""
    return package.url.startswith(LOCAL_CHANNEL + "/")


def _url(lock: Lock, package: LockedPackage) -> str:
    spec = _same_file(package)
    record = None if spec is None else next(_known(spec, package.subdir), None)
    if record is None:
        kind = _kind(package)
        known = f" with the {kind} {getattr(package, kind)}" if kind else ""
        what = f"names {package.file_name}{known}, which came from a channel of the machine that made the archive"
        remedy = "name a channel that has this file with -c, or its URL in the lock"
        raise InputError(f"the lock file {what}", os.fsencode(lock.path), remedy)
    return str(record.url)


def _kind(package: LockedPackage) -> str | None:
    """Return the name of the best sum that the lock has of a package."""
    return next((kind for kind in ("sha256", "md5") if getattr(package, kind)), None)


def _same_file(package: LockedPackage) -> Any:
    from conda.models.match_spec import MatchSpec

    kind = _kind(package)
    return None if kind is None else MatchSpec(fn=package.file_name, **{kind: getattr(package, kind)})


def _known(spec: Any, subdir: str) -> Any:
    """Yield the records that conda has of a file: in its cache, then in one channel after the other, if they answer."""
    from conda import CondaError
    from conda.base.context import context
    from conda.core.package_cache_data import PackageCacheData
    from conda.core.subdir_data import SubdirData

    yield from (record for record in PackageCacheData.query_all(spec) if record.url)
    for channel in context.channels:
        with contextlib.suppress(CondaError):
            yield from SubdirData.query_all(spec, channels=(channel,), subdirs=[subdir])
