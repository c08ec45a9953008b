"""Packages that another conda is extracting are waited for, or extracted again elsewhere, and never read half."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
from conda.base.context import context, reset_context
from conda.core.package_cache_data import PackageCacheData

from conda_coex.archive.frame_cache import DIRECTORY
from conda_coex.conda_api import package_cache

if TYPE_CHECKING:
    from pathlib import Path

    from conda.models.records import PackageRecord

INDEX = {"name": "half", "version": "1.0", "build": "0", "build_number": 0, "depends": [], "subdir": "noarch"}
WRITABLE, READ_ONLY = "mine", "theirs"


@pytest.fixture(params=[WRITABLE, READ_ONLY])
def cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache with a package of which another conda has extracted the metadata alone."""
    caches = [tmp_path / READ_ONLY, tmp_path / WRITABLE]
    for path in caches:
        path.mkdir()
        (path / "urls.txt").touch()
    monkeypatch.setenv("CONDA_PKGS_DIRS", ",".join(map(str, caches)))
    monkeypatch.setattr(
        PackageCacheData, "is_writable", property(lambda self: not self.pkgs_dir.endswith(READ_ONLY)), raising=True
    )
    reset_context()
    PackageCacheData.clear()
    package_cache._times_read.clear()
    directory = tmp_path / str(request.param) / "half-1.0-0"
    (directory / "info").mkdir(parents=True)
    (directory / "info/index.json").write_text(json.dumps(INDEX), encoding="utf-8")
    directory.with_name("half-1.0-0.conda").write_bytes(b"")
    return directory.parent


def extracted() -> list[PackageRecord]:
    """Return the parts that conda takes for a whole package."""
    return [record for record in PackageCacheData.query_all("half") if record.is_extracted]


def finish(cache: Path) -> None:
    """Write a file of the package, and then, as conda does, its record."""
    (cache / "half-1.0-0/file").write_text("whole", encoding="utf-8")
    record = {**INDEX, "fn": "half-1.0-0.conda", "url": "https://example.invalid/noarch/half-1.0-0.conda"}
    (cache / "half-1.0-0" / package_cache.RECORD).write_text(json.dumps(record), encoding="utf-8")


def test_extraction_is_waited_for(cache: Path) -> None:
    other = threading.Timer(0.5, finish, [cache])
    other.start()
    package_cache.read_caches()
    other.join()
    (found,) = extracted()
    assert found.extracted_package_dir == str(cache / "half-1.0-0")
    assert (cache / "half-1.0-0/file").read_text() == "whole"


@pytest.mark.parametrize("old", [True, False])
def test_abandoned_extractions_are_not_used(cache: Path, old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_cache, "RECENT" if old else "QUIET", 0.0)
    package_cache.read_caches()
    assert extracted() == []
    assert (cache / "half-1.0-0").is_dir() == (cache.name == READ_ONLY)


@pytest.mark.parametrize("cache", [READ_ONLY], indirect=True)
def test_package_file_of_another_user_is_extracted_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """conda takes the file from a cache that it may not write to, into one that it may."""
    monkeypatch.setattr(package_cache, "RECENT", 0.0)
    package_cache.read_caches()
    (found,) = PackageCacheData.query_all("half")
    assert found.is_fetched
    assert found.package_tarball_full_path == str(cache / "half-1.0-0.conda")


def test_builds_that_list_caches_in_another_order_wait_for_each_other(cache: Path, tmp_path: Path) -> None:
    """Each holds the locks of all caches that it writes to, taken in one order."""
    entered: list[str] = []

    def build(name: str) -> None:
        with package_cache.cache_locks():
            entered.append(name)
            time.sleep(0.1)
            entered.append(name)

    threads = [threading.Thread(target=build, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered in (["a", "a", "b", "b"], ["b", "b", "a", "a"])
    assert (tmp_path / WRITABLE / package_cache.LOCK).exists()
    assert not (tmp_path / READ_ONLY / package_cache.LOCK).exists()


def test_lock_is_taken_in_every_writable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caches = [tmp_path / "b", tmp_path / "a"]
    for path in caches:
        path.mkdir()
        (path / "urls.txt").touch()
    monkeypatch.setenv("CONDA_PKGS_DIRS", ",".join(map(str, caches)))
    reset_context()
    with package_cache.cache_locks():
        assert all((path / package_cache.LOCK).exists() for path in caches)


def test_frames_are_kept_where_nobody_else_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first such cache that is there, then in one that can be made; a note says if there is none."""
    shared, mine, new = tmp_path / "shared", tmp_path / "mine", tmp_path / "new/pkgs"
    caches = [str(shared), str(new), str(mine)]
    monkeypatch.setattr(type(context), "pkgs_dirs", property(lambda _: tuple(caches)))
    for path in (shared, mine):
        path.mkdir(mode=0o755)
        (path / "urls.txt").touch()
    PackageCacheData.clear()
    assert (package_cache.frame_directory(), package_cache.shared_cache_notes()) == (shared / DIRECTORY, [])
    shared.chmod(0o777)
    assert (package_cache.frame_directory(), package_cache.shared_cache_notes()) == (mine / DIRECTORY, [])
    mine.chmod(0o777)
    assert (package_cache.frame_directory(), package_cache.shared_cache_notes()) == (new / DIRECTORY, [])
    del caches[1]
    assert package_cache.frame_directory() is None
    (note,) = package_cache.shared_cache_notes()
    assert f"in {shared}: {shared}, which leads there, is writable by others" in note
    assert note.endswith("; name a package cache of your own in CONDA_PKGS_DIRS")
    mine.chmod(0o755)
    (mine / DIRECTORY).mkdir()
    (mine / DIRECTORY).chmod(0o777)
    assert package_cache.frame_directory() is None
    PackageCacheData.clear()
