"""Have conda download and extract packages that its cache lacks, and read all of them there."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import without_credentials

from ..errors import FetchFailed
from ..inputs.suffixes import PACKAGE_SUFFIXES
from .package_cache import RECORD, cache_locks, read_caches
from .package_file import fault_of
from .packages import read_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conda import CondaMultiError
    from conda.core.package_cache_data import ProgressiveFetchExtract
    from conda.models.match_spec import MatchSpec

    from ..inputs.conda_record import CondaRecord
    from ..root.package import Package


MOST = 3  # packages that an error names


def fetch(records: Iterable[CondaRecord], specs: Iterable[str]) -> Iterator[Package]:
    """Yield the packages of these records, in their order; raises FetchFailed, PackageDamaged and PackageRefused.

    `specs` are those that the user requested: a package knows its own.
    """
    from conda.core.package_cache_data import PackageCacheData
    from conda.models.match_spec import MatchSpec

    records = tuple(records)
    download(records)
    requested = {spec.name: str(spec) for spec in map(MatchSpec, specs)}
    for record in records:
        try:
            entry = PackageCacheData.get_entry_to_link(record)
        except Exception as error:
            what = f"conda's cache did not keep {record.dist_str()}: {error}"
            raise FetchFailed(what, remedy="run the command again") from error
        yield read_package(record, entry, requested.get(record.name))


def prepare_caches() -> None:
    """Have conda read its package caches while no other build extracts into them."""
    with cache_locks():
        read_caches()


def download(records: Sequence[CondaRecord] | Sequence[MatchSpec]) -> None:
    """Have conda download and extract records, or specs with a URL, while no other build does.

    Raises FetchFailed, KeyboardInterrupt, and conda's own errors if it can print them.
    """
    with cache_locks():
        read_caches()
        _execute(records)


def _execute(records: Sequence[CondaRecord] | Sequence[MatchSpec]) -> None:
    from conda import CondaMultiError
    from conda.base.context import context
    from conda.core.package_cache_data import ProgressiveFetchExtract

    fetcher = ProgressiveFetchExtract(records)
    try:
        # conda prints that a package is corrupt to stdout, where --json prints its document
        with _without_traces(), contextlib.redirect_stdout(sys.stderr) if context.json else contextlib.nullcontext():
            fetcher.execute()
    except CondaMultiError as errors:
        _raise_interrupt(errors)
        if any(f"[Errno {errno.ENOSPC}]" in str(error) for error in errors.errors):
            raise _no_room() from errors
        _refuse_bad(fetcher)
        _raise_as_one(errors, fetcher)
    except SystemExit:  # conda 26 does this for a package without metadata
        _refuse_bad(fetcher)
        raise
    _refuse_bad(fetcher)


@contextlib.contextmanager
def _without_traces() -> Iterator[None]:
    """Hide the traceback of conda 24's thread, which calls `sys.exit` for a package without metadata."""
    logger = logging.getLogger("concurrent.futures")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _refuse_bad(fetcher: ProgressiveFetchExtract) -> None:
    """Raise FetchFailed for fetched files that are not packages; remove them from conda's cache.

    conda would fail, or warn, each time it reads a cache with such a file.
    """
    faults = {}
    for _, extraction in fetcher.paired_actions.values():
        if extraction is None or Path(extraction.target_full_path, RECORD).is_file():
            continue
        file = Path(extraction.source_full_path)
        if not file.name.endswith(PACKAGE_SUFFIXES):  # a wheel, which a plugin of conda reads
            continue
        with contextlib.suppress(OSError):
            fault = fault_of(file)
            if fault is not None:
                url = _public_url(extraction.record_or_spec)
                faults[url] = fault
                if url != file.as_uri():
                    file.unlink()
                shutil.rmtree(extraction.target_full_path, ignore_errors=True)
    if faults:
        (first, fault), others = next(iter(faults.items())), [*faults][1:]
        what = f"not a conda package: {fault}" + (f" (like {', '.join(others)})" if others else "")
        raise FetchFailed(what, os.fsencode(first), "get another copy of it, or use another build of the package")


def _public_url(record: MatchSpec | CondaRecord) -> str:
    url = record.get_raw_value("url") if hasattr(record, "get_raw_value") else record.get("url")
    return without_credentials(str(url))


def _raise_interrupt(errors: CondaMultiError) -> None:
    for error in errors.errors:
        if isinstance(error, KeyboardInterrupt):
            raise error from errors


def _raise_as_one(errors: CondaMultiError, fetcher: ProgressiveFetchExtract) -> None:
    """Raise one of several equal errors, and otherwise all of them.

    Those that are not conda's are raised as FetchFailed, with the packages that conda did not get: an error of the
    system may name no file.
    """
    from conda import CondaError

    distinct = {" ".join(str(error).split()): error for error in errors.errors}
    if not all(isinstance(error, CondaError) for error in errors.errors):
        missing = [
            _public_url(extraction.record_or_spec)
            for _, extraction in fetcher.paired_actions.values()
            if extraction is not None and not Path(extraction.target_full_path, RECORD).is_file()
        ]
        what = f"{'; '.join(distinct)}; conda did not get {', '.join(missing[:MOST])}"
        raise FetchFailed(what + f" and {len(missing) - MOST} more" * (len(missing) > MOST)) from errors
    raise errors if len(distinct) > 1 else errors.errors[0] from errors


def _no_room() -> FetchFailed:
    """Return one error for the many that conda raises on a full disk: one for each package."""
    from conda.core.package_cache_data import PackageCacheData

    cache = PackageCacheData.first_writable().pkgs_dir
    what = f"no room for the packages: {os.strerror(errno.ENOSPC)}"
    return FetchFailed(what, os.fsencode(cache), "make room there, or name another directory in CONDA_PKGS_DIRS")
