"""conda's package caches: read when no other process extracts into them, and without what breaks the reading."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coex_bootstrap.store.trust import distrust

from ..archive.frame_cache import DIRECTORY as FRAMES
from ..errors import FetchFailed
from .package_file import SUFFIXES, fault_of, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".coex-fetch"
RECORD = "info/repodata_record.json"  # what conda's `ExtractPackageAction` writes last
RECENT = 60.0  # seconds without a change after which nobody is extracting a package any more
QUIET = 3.0  # seconds without a change after which whoever began to extract one was killed
_seen: dict[str, int] = {}  # the time of each cache when conda read it


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the locks that builds fetch by, one in each package cache that conda may write to."""
    from conda.core.package_cache_data import PackageCacheData

    first = package_cache()  # which conda makes only now, if it is not there
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


def read_cache() -> None:
    """Have conda read its caches if they changed.

    conda extracts in place, and takes a package for whole that has its `info/index.json`. One that another conda is
    extracting is waited for; one whose conda was killed is removed, or not used if it may not be removed.
    """
    from conda.core.package_cache_data import PackageCacheData

    writable = PackageCacheData.writable_caches()
    read_only = PackageCacheData.read_only_caches()
    for cache in writable:
        for directory in _left_unfinished(Path(cache.pkgs_dir)):
            shutil.rmtree(directory, ignore_errors=True)
    unfinished = {cache.pkgs_dir: _left_unfinished(Path(cache.pkgs_dir)) for cache in read_only}
    now = {cache.pkgs_dir: _time(cache) for cache in (*writable, *read_only)}
    if now != _seen:
        PackageCacheData.clear()
        for cache in PackageCacheData.writable_caches():
            _load(cache, writable=True)
        for cache in PackageCacheData.read_only_caches():
            _load(cache, writable=False)
            _hide(cache, unfinished.get(cache.pkgs_dir, ()))
        _seen.clear()
        _seen.update((path, _time(PackageCacheData(path))) for path in now)


def _time(cache: Any) -> int:
    try:
        return Path(cache.pkgs_dir).stat().st_mtime_ns
    except OSError:  # a cache that is only named, and may not be made
        return 0


def _left_unfinished(cache: Path) -> tuple[Path, ...]:
    """Return the packages that were extracted in part, when nobody is extracting them any more."""
    seen: dict[Path, float] | None = None
    since = time.monotonic()
    while True:
        state = {directory: _newest(directory) for directory in _unfinished(cache)}
        if state != seen:
            seen, since = state, time.monotonic()
        changing = any(time.time() - changed < RECENT for changed in state.values())
        if not changing or time.monotonic() - since >= QUIET:
            return tuple(state)
        time.sleep(0.05)


def _unfinished(cache: Path) -> Iterator[Path]:
    """Yield the extracted packages without their last file; conda makes that for one without a package file."""
    try:
        names = set(os.listdir(cache))  # noqa: PTH208
    except OSError:
        return
    for name in names:
        stem = stem_of(name)
        if stem != name and stem in names and not (cache / stem / RECORD).is_file():
            yield cache / stem


def _newest(directory: Path) -> float:
    """Return when anything below a directory last changed."""
    newest = 0.0
    for parent, _, names in os.walk(directory):
        for path in (parent, *(f"{parent}/{name}" for name in names)):
            with contextlib.suppress(OSError):
                newest = max(newest, os.lstat(path).st_ctime)
    return newest


def _hide(cache: Any, unfinished: tuple[Path, ...]) -> None:
    """Have conda extract packages of a cache anew, in one that it may write to."""
    for record in cache.values():
        directory = Path(record.extracted_package_dir)
        if directory in unfinished:
            record.extracted_package_dir = f"{directory}.unfinished"  # which is not there


def _load(cache: Any, *, writable: bool) -> None:
    """Have conda read one cache, which fails as a whole for one file that is not a package."""
    try:
        cache.load()
    except Exception:
        bad = _bad_files(Path(cache.pkgs_dir))
        if not bad:
            raise
        for file, why in bad.items():
            if not writable:
                raise FetchFailed(f"not a conda package: {why}", os.fsencode(file), "remove the file") from None
            file.unlink()
        cache.load()


def _bad_files(cache: Path) -> dict[Path, str]:
    """Return the files that conda would extract as it reads a cache, and cannot."""
    found = {}
    for file in sorted(path for suffix in SUFFIXES for path in cache.glob(f"*{suffix}")):
        if not (cache / stem_of(file.name) / "info/index.json").is_file():
            with contextlib.suppress(OSError):
                why = fault_of(file)
                if why is not None:
                    found[file] = why
    return found


def package_cache() -> Path | None:
    """Return the package cache that conda writes to, if there is one."""
    from conda.core.package_cache_data import PackageCacheData
    from conda.exceptions import NoWritablePkgsDirError

    try:
        return Path(PackageCacheData.first_writable().pkgs_dir)
    except NoWritablePkgsDirError:
        return None


def frame_directory() -> Path | None:
    """Return the directory under a package cache where frames are kept, or None if there is no cache for them."""
    return own_directory(FRAMES)


def own_directory(name: str) -> Path | None:
    """Return a directory of this name in the first of conda's package caches in which nobody else may change it.

    What is in there is used without another look: others could put their own files into the archives of this user. It
    need not be there yet. None if conda has no cache that is writable, and this user's or root's alone.
    """
    from conda.base.context import context

    package_cache()  # which conda makes
    caches = [Path(cache).absolute() for cache in context.pkgs_dirs]
    there = [cache for cache in caches if cache.is_dir()]
    places = (cache / name for cache in [*there, *(cache for cache in caches if cache not in there)])
    return next((place for place in places if _distrusted(place) is None and _is_writable(place)), None)


def shared_cache() -> list[str]:
    """Return a note if no frames are kept because all package caches that are writable are others' to change."""
    cache = package_cache()
    why = _distrusted(cache.absolute() / FRAMES) if cache is not None and frame_directory() is None else None
    remedy = "name a package cache of your own in CONDA_PKGS_DIRS"
    return [] if why is None else [f"compressed packages are not kept for the next build, in {cache}: {why}; {remedy}"]


def _distrusted(place: Path) -> str | None:
    try:
        return distrust(os.fsencode(place))
    except OSError as error:
        return str(error.strerror)


def _is_writable(place: Path) -> bool:
    there = next(path for path in (place, *place.parents) if path.exists())
    return os.access(there, os.W_OK | os.X_OK)
