"""From a lock to records in link order: fetched by conda, hashes checked, nothing solved."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LockMismatch
from ..inputs.environment import DryRun, Environment, plan_of
from ..inputs.lock_file import SUFFIXES, wrong
from .downloads import download
from .local_packages import find_local
from .public_urls import public_url
from .versions import link_order

if TYPE_CHECKING:
    from ..inputs.environment import Wanted
    from ..inputs.lock_file import Lock, LockedPackage


def resolve(lock: Lock) -> Environment | DryRun:
    """Return the records that a lock pins (conda's `misc.explicit`); in a dry run the plan for them.

    Raises LockMismatch for a package whose hash differs, and what conda raises for one that it cannot fetch.
    """
    from conda.base.context import context

    if context.dry_run:
        return plan_of(tuple(map(_named, lock.packages)), [line for part in lock.pip for line in part.shown])
    lock = find_local(lock)
    for package in lock.packages:
        _check_local(lock, package)
    download(tuple(map(_spec, lock.packages)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        records = tuple(pool.map(lambda package: _record(lock, package), lock.packages))
    return Environment(
        platform=lock.platform,
        records=link_order(records),
        specs=_exact(records),
        channels=lock.channels or channels_of(records),
        variables={},
        pip=lock.pip,
        notes=lock.notes,
    )


def order(wanted: Wanted) -> Environment:
    """Return the records that a plugin of conda has read of a lock file, in link order."""
    from conda.base.context import context

    records = link_order(wanted.pinned)
    return Environment(
        platform=context.subdir,
        records=records,
        specs=_exact(records),
        channels=wanted.channels or channels_of(records),
        variables=wanted.variables,
        pip=wanted.pip,
        notes=wanted.notes,
    )


def _exact(records: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(sorted(f"{record.name}=={record.version}={record.build}" for record in records))


def channels_of(records: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the channels that records came from, for what else has to be found there."""
    return tuple(dict.fromkeys(record.channel.base_url or record.channel.canonical_name for record in records))


def _spec(package: LockedPackage) -> Any:
    from conda.models.match_spec import MatchSpec

    # conda compares sums when it takes a package from its cache, and after a download
    sums = {kind: getattr(package, kind) for kind in ("md5", "sha256") if getattr(package, kind)}
    return MatchSpec(package.url, **sums)


def _named(package: LockedPackage) -> Any:
    """Return a record of what the URL says, to be shown: nothing is fetched."""
    from conda.models.channel import Channel
    from conda.models.records import PackageRecord

    stem = next(package.file_name.removesuffix(suffix) for suffix in SUFFIXES if package.file_name.endswith(suffix))
    name, version, build = stem.rsplit("-", 2) if stem.count("-") >= 2 else (stem, "0", "0")
    number = re.search(r"(\d{1,9})\Z", build)
    return PackageRecord(
        name=name, version=version, build=build, build_number=int(number.group()) if number else 0,
        channel=Channel(package.url), subdir=package.subdir, url=public_url(package.url), fn=package.file_name,
    )  # fmt: skip


def _check_local(lock: Lock, package: LockedPackage) -> None:
    """Check a file before conda copies it to its cache, which it does without a look at the sums.

    One that is gone may be there already.
    """
    from conda.common.path import url_to_path
    from conda.core.package_cache_data import PackageCacheData

    if package.url.startswith("file:/"):
        path = Path(url_to_path(package.url))
        if not path.exists() and any(record.is_extracted for record in PackageCacheData.query_all(_spec(package))):
            return
        if not path.is_file():
            raise wrong(lock.path, f"names {path}, which {'is not a file' if path.exists() else 'does not exist'}")
        _compare(lock, package, path)


def _compare(lock: Lock, package: LockedPackage, file: Path) -> None:
    from conda.gateways.disk.read import compute_sum

    for kind in ("sha256", "md5"):
        expected = getattr(package, kind)
        if expected:
            found = compute_sum(str(file), kind)
            if found != expected:
                raise LockMismatch(lock.path, package.file_name, kind, expected, found)
            return


def _record(lock: Lock, package: LockedPackage) -> Any:
    """Return the record as conda makes it of a package that it has by URL alone, whatever its cache knew before."""
    from conda.base.context import context
    from conda.common.url import has_platform
    from conda.core.package_cache_data import PackageCacheData
    from conda.models.channel import Channel
    from conda.models.records import PackageRecord

    cached = next(PackageCacheData.query_all(_spec(package)), None)
    if cached is None:
        raise wrong(lock.path, f"names {public_url(package.url)}, which conda's cache did not keep")
    tarball = Path(cached.package_tarball_full_path or "")
    sums = {kind: getattr(package, kind) or cached.get(kind) for kind in ("md5", "sha256")}
    if tarball.is_file():
        _compare(lock, package, tarball)
    index = json.loads(Path(cached.extracted_package_dir, "info", "index.json").read_text("utf-8"))
    return PackageRecord.from_objects(
        package.fields, index, url=package.url, fn=package.file_name, size=cached.get("size"), **sums,
        channel=Channel(package.url if has_platform(package.url, context.known_subdirs) else None),
    )  # fmt: skip
