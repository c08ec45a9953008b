"""Read conda's package caches while no other process extracts into them, and remove files that conda cannot read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.store.trust import distrust

from ..archive.frame_cache import DIRECTORY as FRAMES
from ..errors import FetchFailed
from ..inputs.suffixes import PACKAGE_SUFFIXES
from .package_file import fault_of, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda.core.package_cache_data import PackageCacheData

LOCK = ".coex-fetch"
RECORD = "info/repodata_record.json"  # the last file that conda's `ExtractPackageAction` writes
RECENT = 60.0  # seconds: a package that did not change in that time is not being extracted
QUIET = 3.0  # seconds: if a package does not change while we watch that long, its conda was killed
_times_read: dict[str, int] = {}  # cache directory, its modification time when conda read it


@contextlib.contextmanager
def cache_locks() -> Iterator[None]:
    """Hold the locks that builds take to fetch packages: one in each package cache that conda may write to."""
    from conda.core.package_cache_data import PackageCacheData

    first = package_cache()  # conda makes it now, if it does not exist
    caches = {Path(cache.pkgs_dir).resolve() for cache in PackageCacheData.writable_caches()}
    if first is not None:
        caches.add(first.resolve())
    with contextlib.ExitStack() as stack:
        for cache in sorted(caches):  # in one order: builds may list the same caches in another one
            with contextlib.suppress(OSError):
                descriptor = os.open(cache / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def read_caches() -> None:
    """Have conda read its caches if they changed.

    conda extracts in place, and considers a package complete that has its `info/index.json`. So wait for a package
    that another conda is extracting. Remove one whose conda was killed; in a read-only cache, do not use it.
    """
    from conda.core.package_cache_data import PackageCacheData

    writable = PackageCacheData.writable_caches()
    read_only = PackageCacheData.read_only_caches()
    for cache in writable:
        for directory in _left_unfinished(Path(cache.pkgs_dir)):
            shutil.rmtree(directory, ignore_errors=True)
    unfinished = {cache.pkgs_dir: _left_unfinished(Path(cache.pkgs_dir)) for cache in read_only}
    times = {cache.pkgs_dir: _time(cache) for cache in (*writable, *read_only)}
    if times != _times_read:
        PackageCacheData.clear()
        for cache in PackageCacheData.writable_caches():
            _load(cache, writable=True)
        for cache in PackageCacheData.read_only_caches():
            _load(cache, writable=False)
            _hide(cache, unfinished.get(cache.pkgs_dir, ()))
        _times_read.clear()
        _times_read.update((path, _time(PackageCacheData(path))) for path in times)


def _time(cache: PackageCacheData) -> int:
    try:
        return Path(cache.pkgs_dir).stat().st_mtime_ns
    except OSError:  # it does not exist, and conda may not make it
        return 0


def _left_unfinished(cache: Path) -> tuple[Path, ...]:
    """Return the packages that are extracted in part, as soon as no process is extracting any of them."""
    before: dict[Path, float] | None = None
    since = time.monotonic()
    while True:
        times = {directory: _newest(directory) for directory in _unfinished(cache)}
        if times != before:
            before, since = times, time.monotonic()
        is_recent = any(time.time() - when < RECENT for when in times.values())
        if not is_recent or time.monotonic() - since >= QUIET:
            return tuple(times)
        time.sleep(0.05)


def _unfinished(cache: Path) -> Iterator[Path]:
    """Yield the directories of packages that lack RECORD; conda writes one for a package without a package file."""
    try:
        names = set(os.listdir(cache))  # noqa: PTH208
    except OSError:
        return
    for name in names:
        stem = stem_of(name)
        if stem != name and stem in names and not (cache / stem / RECORD).is_file():
            yield cache / stem


def _newest(directory: Path) -> float:
    """Return when a file or directory below a directory last changed, in seconds since 1970."""
    newest = 0.0
    for parent, _, names in os.walk(directory):
        for path in (parent, *(f"{parent}/{name}" for name in names)):
            with contextlib.suppress(OSError):
                newest = max(newest, os.lstat(path).st_ctime)
    return newest


def _hide(cache: PackageCacheData, unfinished: tuple[Path, ...]) -> None:
    """Have conda extract packages of a read-only cache again, into a cache that it may write to."""
    for record in cache.values():
        directory = Path(record.extracted_package_dir)
        if directory in unfinished:
            record.extracted_package_dir = f"{directory}.unfinished"  # does not exist


def _load(cache: PackageCacheData, *, writable: bool) -> None:
    """Have conda read one cache, and if it fails, remove files that are not packages; FetchFailed if read-only."""
    try:
        cache.load()
    except Exception:
        faults = _bad_files(Path(cache.pkgs_dir))
        if not faults:
            raise
        for file, fault in faults.items():
            if not writable:
                raise FetchFailed(f"not a conda package: {fault}", os.fsencode(file), "remove the file") from None
            file.unlink()
        cache.load()


def _bad_files(cache: Path) -> dict[Path, str]:
    """Return the files that conda would extract when it reads a cache, but cannot, with the reasons."""
    faults = {}
    for file in sorted(path for suffix in PACKAGE_SUFFIXES for path in cache.glob(f"*{suffix}")):
        if not (cache / stem_of(file.name) / "info/index.json").is_file():
            with contextlib.suppress(OSError):
                fault = fault_of(file)
                if fault is not None:
                    faults[file] = fault
    return faults


def package_cache() -> Path | None:
    """Return the package cache that conda writes to; None if it cannot write to any."""
    from conda.core.package_cache_data import PackageCacheData
    from conda.exceptions import NoWritablePkgsDirError

    try:
        return Path(PackageCacheData.first_writable().pkgs_dir)
    except NoWritablePkgsDirError:
        return None


def frame_directory() -> Path | None:
    """Return the directory for the frames of packages, in one of conda's caches; None if no cache is safe for it."""
    return own_directory(FRAMES)


def own_directory(name: str) -> Path | None:
    """Return a directory of this name, which may not exist yet, in conda's first cache that other users cannot change.

    Builds trust the files in there: other users could put theirs into this user's archives. None if conda has no
    writable cache that only this user and root can change.
    """
    from conda.base.context import context

    package_cache()  # conda makes it
    caches = [Path(cache).absolute() for cache in context.pkgs_dirs]
    there = [cache for cache in caches if cache.is_dir()]
    places = (cache / name for cache in [*there, *(cache for cache in caches if cache not in there)])
    return next((place for place in places if _distrusted(place) is None and _is_writable(place)), None)


def shared_cache_notes() -> list[str]:
    """Return a note if no frames are kept because other users can change all writable package caches."""
    cache = package_cache()
    reason = _distrusted(cache.absolute() / FRAMES) if cache is not None and frame_directory() is None else None
    if reason is None:
        return []
    remedy = "name a package cache of your own in CONDA_PKGS_DIRS"
    return [f"compressed packages are not kept for the next build, in {cache}: {reason}; {remedy}"]


def _distrusted(place: Path) -> str | None:
    try:
        return distrust(os.fsencode(place))
    except OSError as error:
        return str(error.strerror)


def _is_writable(place: Path) -> bool:
    there = next(path for path in (place, *place.parents) if path.exists())
    return os.access(there, os.W_OK | os.X_OK)
