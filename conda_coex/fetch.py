"""Have conda download and extract what its cache lacks, and read every package there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import FetchFailed, PackageDamaged
from .frame_cache import DIRECTORY
from .packages import Package, read_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCK = ".coex-fetch"
_seen: dict[str, int] = {}  # the time of each cache when conda read it


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
            raise PackageDamaged(f"{record.dist_str()} is not in conda's cache: {error}") from error
        found.append(read_package(record, entry, asked.get(record.name)))
    return tuple(found)


def settle() -> None:
    """Have conda read its package cache while no build extracts into it, before anything else does.

    conda extracts in place, and whoever reads its cache takes for whole what has its `info/index.json`.
    """
    with _alone():
        _read_cache()


def download(records: tuple[Any, ...]) -> None:
    """Let conda download and extract records, or specs with a URL, one build at a time.

    What it raises may hold errors that it cannot print, and a signal.
    """
    with _alone():
        _read_cache()
        _execute(records)


def _read_cache() -> None:
    """Have conda read its cache where it changed, without what a build that was killed has begun to extract.

    Its `ExtractPackageAction` writes `info/repodata_record.json` last; `_make_single_record` would write it as well.
    """
    from conda.core.package_cache_data import PackageCacheData

    for cache in PackageCacheData.writable_caches():
        for directory in _unfinished(Path(cache.pkgs_dir)):
            shutil.rmtree(directory, ignore_errors=True)
    now = {cache.pkgs_dir: Path(cache.pkgs_dir).stat().st_mtime_ns for cache in PackageCacheData.writable_caches()}
    if now != _seen:
        PackageCacheData.clear()
        for cache in PackageCacheData.writable_caches():
            cache.values()
            _seen[cache.pkgs_dir] = Path(cache.pkgs_dir).stat().st_mtime_ns


def _unfinished(cache: Path) -> Iterator[Path]:
    names = set(os.listdir(cache))  # noqa: PTH208
    for name in names:
        stem = name.removesuffix(".conda").removesuffix(".tar.bz2")
        if stem != name and stem in names and not (cache / stem / "info/repodata_record.json").is_file():
            yield cache / stem


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of conda's package cache that builds fetch by, where it can be held."""
    cache = package_cache()
    with contextlib.ExitStack() as stack:
        if cache is not None:
            with contextlib.suppress(OSError):
                descriptor = os.open(cache / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _execute(records: tuple[Any, ...]) -> None:
    from conda import CondaError, CondaMultiError
    from conda.core.package_cache_data import ProgressiveFetchExtract
    from conda.exceptions import CondaSignalInterrupt

    try:
        ProgressiveFetchExtract(records).execute()
    except CondaMultiError as errors:
        for error in errors.errors:
            if isinstance(error, KeyboardInterrupt):
                raise error from errors
            if isinstance(error, CondaSignalInterrupt):
                raise KeyboardInterrupt(error.dump_map()["signum"]) from errors
        if any(f"[Errno {errno.ENOSPC}]" in str(error) for error in errors.errors):
            raise _no_room() from errors
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


def frame_directory() -> Path | None:
    """Return the directory under conda's package cache where frames are kept, or None where none is writable."""
    cache = package_cache()
    return cache / DIRECTORY if cache is not None else None


def package_cache() -> Path | None:
    """Return the package cache that conda writes to, if there is one."""
    from conda.core.package_cache_data import PackageCacheData
    from conda.exceptions import NoWritablePkgsDirError

    try:
        return Path(PackageCacheData.first_writable().pkgs_dir)
    except NoWritablePkgsDirError:
        return None
