"""Have conda download and extract what its cache lacks, and read every package there."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coex_bootstrap.base.urls import without_credentials

from ..errors import FetchFailed
from .package_cache import RECORD, alone, read_cache
from .package_file import SUFFIXES, fault_of
from .packages import read_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..root.package import Package


def fetch(records: Iterable[Any], specs: Iterable[str]) -> tuple[Package, ...]:
    """Return the packages of these records, in their order; raises FetchFailed and PackageDamaged."""
    from conda.core.package_cache_data import PackageCacheData
    from conda.models.match_spec import MatchSpec

    records = tuple(records)
    download(records)
    asked = {spec.name: str(spec) for spec in map(MatchSpec, specs)}
    found = []
    for record in records:
        try:
            entry = PackageCacheData.get_entry_to_link(record)
        except Exception as error:
            what = f"conda's cache did not keep {record.dist_str()}: {error}"
            raise FetchFailed(what, remedy="run the command again") from error
        found.append(read_package(record, entry, asked.get(record.name)))
    return tuple(found)


def settle() -> None:
    """Have conda read its package cache while no build extracts into it, before anything else does."""
    with alone():
        read_cache()


def download(records: tuple[Any, ...]) -> None:
    """Let conda download and extract records, or specs with a URL, one build at a time.

    What it raises may hold errors that it cannot print, and a signal.
    """
    with alone():
        read_cache()
        _execute(records)


def _execute(records: tuple[Any, ...]) -> None:
    from conda import CondaMultiError
    from conda.base.context import context
    from conda.core.package_cache_data import ProgressiveFetchExtract

    fetcher = ProgressiveFetchExtract(records)
    try:
        # conda prints that a package is corrupt to stdout, where --json has its document
        with _without_traces(), contextlib.redirect_stdout(sys.stderr) if context.json else contextlib.nullcontext():
            fetcher.execute()
    except CondaMultiError as errors:
        _raise_interrupt(errors)
        if any(f"[Errno {errno.ENOSPC}]" in str(error) for error in errors.errors):
            raise _no_room() from errors
        _refuse_bad(fetcher)
        _raise_as_one(errors)
    except SystemExit:  # with which conda 26 ends for a package without metadata
        _refuse_bad(fetcher)
        raise
    _refuse_bad(fetcher)


@contextlib.contextmanager
def _without_traces() -> Iterator[None]:
    """Keep quiet of the thread in which conda 24 calls `sys.exit`: for a package without metadata."""
    logger = logging.getLogger("concurrent.futures")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _refuse_bad(fetcher: Any) -> None:
    """Raise FetchFailed for what was fetched and is not a package; it does not stay in conda's cache.

    conda fails there whenever it reads its cache, or warns of it.
    """
    bad = {}
    for _, extraction in fetcher.paired_actions.values():
        if extraction is None or Path(extraction.target_full_path, RECORD).is_file():
            continue
        file = Path(extraction.source_full_path)
        if not file.name.endswith(SUFFIXES):  # a wheel, of which a plugin of conda knows more
            continue
        with contextlib.suppress(OSError):
            why = fault_of(file)
            if why is not None:
                url = _public_url(extraction.record_or_spec)
                bad[url] = why
                if url != file.as_uri():
                    file.unlink()
                shutil.rmtree(extraction.target_full_path, ignore_errors=True)
    if bad:
        (first, why), others = next(iter(bad.items())), [*bad][1:]
        what = f"not a conda package: {why}" + (f" (nor are {', '.join(others)})" if others else "")
        raise FetchFailed(what, os.fsencode(first), "get another copy of it, or use another build of the package")


def _public_url(record: Any) -> str:
    url = record.get_raw_value("url") if hasattr(record, "get_raw_value") else record.get("url")
    return without_credentials(str(url))


def _raise_interrupt(errors: Any) -> None:
    from conda.exceptions import CondaSignalInterrupt

    for error in errors.errors:
        if isinstance(error, KeyboardInterrupt):
            raise error from errors
        if isinstance(error, CondaSignalInterrupt):
            raise KeyboardInterrupt(error.dump_map()["signum"]) from errors


def _raise_as_one(errors: Any) -> None:
    from conda import CondaError

    distinct = {" ".join(str(error).split()): error for error in errors.errors}
    if not all(isinstance(error, CondaError) for error in errors.errors):
        raise FetchFailed("; ".join(distinct)) from errors
    raise errors if len(distinct) > 1 else errors.errors[0] from errors


def _no_room() -> FetchFailed:
    """Return what conda says many times over: a write without room, and every package that is cut by it."""
    from conda.core.package_cache_data import PackageCacheData

    where = PackageCacheData.first_writable().pkgs_dir
    what = f"no room for the packages: {os.strerror(errno.ENOSPC)}"
    return FetchFailed(what, os.fsencode(where), "make room there, or name another place in CONDA_PKGS_DIRS")
