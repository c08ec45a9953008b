"""Turn a lock file into records in link order: conda fetches them, hashes are checked, nothing is solved."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LockMismatch
from ..inputs.environment import DryRun, Environment, plan_of
from ..inputs.lock_explicit import ExplicitRules
from ..inputs.lock_file import wrong
from .downloads import download
from .local_packages import find_local
from .package_file import file_sum, stem_of
from .public_urls import public_url
from .versions import link_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conda.models.match_spec import MatchSpec

    from ..inputs.conda_record import CondaRecord
    from ..inputs.environment import MergedInputs
    from ..inputs.lock_file import Lock, LockedPackage


def explicit_rules() -> ExplicitRules:
    """Return how conda reads the lines of an `@EXPLICIT` list (`misc.explicit`)."""
    from conda.base.constants import KNOWN_SUBDIRS
    from conda.common.path import expand
    from conda.common.url import is_url, path_to_url

    return ExplicitRules(KNOWN_SUBDIRS, lambda word: str(word if is_url(word) else path_to_url(expand(word))))


def resolve_lock(lock: Lock) -> Environment | DryRun:
    """Return the environment that a lock file pins (as conda's `misc.explicit` does); in a dry run the plan for it.

    Raises LockMismatch for a package with another hash, and conda's errors for a package that it cannot fetch.
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


def order_pinned(inputs: MergedInputs) -> Environment:
    """Return the environment of a lock file that a plugin of conda has read: the records in link order."""
    from conda.base.context import context

    records = link_order(inputs.pinned)
    return Environment(
        platform=context.subdir,
        records=records,
        specs=_exact(records),
        channels=inputs.channels or channels_of(records),
        variables=inputs.variables,
        pip=inputs.pip,
        notes=inputs.notes,
    )


def _exact(records: Sequence[CondaRecord]) -> tuple[str, ...]:
    return tuple(sorted(f"{record.name}=={record.version}={record.build}" for record in records))


def channels_of(records: Sequence[CondaRecord]) -> tuple[str, ...]:
    """Return the channels of records, each once: the build may need other packages of these."""
    return tuple(dict.fromkeys(record.channel.base_url or record.channel.canonical_name for record in records))


def _spec(package: LockedPackage) -> MatchSpec:
    from conda.models.match_spec import MatchSpec

    # conda compares checksums when it takes a package from its cache, and after a download
    sums = {kind: getattr(package, kind) for kind in ("md5", "sha256") if getattr(package, kind)}
    return MatchSpec(package.url, **sums)


def _named(package: LockedPackage) -> CondaRecord:
    """Return a record for a dry run, read from the URL alone: nothing is fetched."""
    from conda.models.channel import Channel
    from conda.models.records import PackageRecord

    stem = stem_of(package.file_name)
    name, version, build = stem.rsplit("-", 2) if stem.count("-") >= 2 else (stem, "0", "0")
    number = re.search(r"(\d{1,9})\Z", build)
    record: CondaRecord = PackageRecord(
        name=name, version=version, build=build, build_number=int(number.group()) if number else 0,
        channel=Channel(package.url), subdir=package.subdir, url=public_url(package.url), fn=package.file_name,
    )  # fmt: skip
    return record


def _check_local(lock: Lock, package: LockedPackage) -> None:
    """Check a local file before conda copies it to its cache: conda does not compare the checksums then.

    A missing file is not an error if conda's cache has the package.
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
    for kind in ("sha256", "md5"):
        expected = getattr(package, kind)
        if expected:
            actual = file_sum(file, kind)
            if actual != expected:
                raise LockMismatch(lock.path, package.file_name, kind, expected, actual)
            return


def _record(lock: Lock, package: LockedPackage) -> CondaRecord:
    """Return the record that conda makes for a URL alone; the records in its cache do not change it."""
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
    named = has_platform(package.url, context.known_subdirs)
    record: CondaRecord = PackageRecord.from_objects(
        package.fields, index, url=package.url, fn=package.file_name, size=cached.get("size"), **sums,
        channel=Channel(package.url if named else None),
    )  # fmt: skip
    if not named and record.subdir not in (lock.platform, "noarch"):
        what = f"has {package.file_name}, which is for {record.subdir}, not for {lock.platform}"
        raise wrong(lock.path, what, "list a build of it for this platform")
    return record
