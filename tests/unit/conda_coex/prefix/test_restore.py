"""Files of packages come from conda's cache, extracted or not, if they are proved to be the installed ones."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conda.base.context import Context
from conda_package_streaming.extract import extract

from conda_coex.conda_api.installed_records import installed_package, record_of
from conda_coex.prefix.restore import restore
from conda_coex.root.content import Content, Link
from conda_coex.root.link_rules import Python
from conda_coex.root.source import OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.layout import Layout

CGREET, LEGACY, HELLO = "libcgreet-1.0-0.conda", "legacy-pkg-1.0-0.tar.bz2", "hello-noarch-1.0-pyh1_0.conda"


class Cache:
    """A package cache of conda's, and the files that are restored from it alone."""

    def __init__(self, channel: Path, directory: Path, scratch: contextlib.ExitStack) -> None:
        self.channel, self.directory, self.scratch = channel, directory, scratch
        self.sums: dict[str, str] = {}  # to have in the record instead

    def archive(self, fn: str) -> Path:
        self.directory.mkdir(exist_ok=True)
        (found,) = self.channel.glob(f"*/{fn}")
        return Path(shutil.copy(found, self.directory))

    def extracted(self, fn: str, *, known: bool = True) -> Path:
        directory = self.directory / fn.removesuffix(".conda").removesuffix(".tar.bz2")
        extract(self.archive(fn), directory)
        (self.directory / fn).unlink()
        record = self.record(fn) if known else {}
        (directory / "info/repodata_record.json").write_text(json.dumps(record))
        return directory

    def record(self, fn: str) -> dict[str, Any]:
        (found,) = self.channel.glob(f"*/{fn}")
        repodata = json.loads((found.parent / "repodata.json").read_text())
        return {**repodata["packages.conda"], **repodata["packages"]}[fn]

    def restore(self, fn: str, *rows: dict[str, Any], python: Python | None = None) -> dict[str, Content | Link]:
        record = record_of({**self.record(fn), **self.sums, "channel": "x", "url": f"file:///x/{fn}"})
        package = installed_package(self.directory, record)
        return restore(package, record, {row["_path"]: row for row in rows}, python, 0, self.scratch)


@pytest.fixture
def cache(testbed: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    monkeypatch.setattr(Context, "pkgs_dirs", (str(tmp_path / "none"), str(tmp_path / "pkgs")))
    with contextlib.ExitStack() as scratch:
        yield Cache(testbed.channel, tmp_path / "pkgs", scratch)


def row(cache: Cache, fn: str, path: str) -> dict[str, Any]:
    """Return conda's row for a file: the row of its package."""
    with contextlib.ExitStack() as scratch:
        other = Cache(cache.channel, cache.directory.with_name("rows"), scratch)
        text = (other.extracted(fn) / "info/paths.json").read_text()
        shutil.rmtree(other.directory)
    (found,) = [row for row in json.loads(text)["paths"] if row["_path"] == path]
    return dict(found)


def test_archive(cache: Cache) -> None:
    cache.archive(CGREET)
    library, link = row(cache, CGREET, "lib/libcgreet.so.1"), row(cache, CGREET, "lib/libcgreet.so")
    found = cache.restore(CGREET, library, link)
    assert found["lib/libcgreet.so"] == Link("prefix/lib/libcgreet.so", "libcgreet.so.1")
    item = found["lib/libcgreet.so.1"]
    assert isinstance(item, Content)
    assert (item.sha256, item.placeholder, item.file_mode, item.mode) == (
        library["sha256"], library["prefix_placeholder"], "binary", 0o755,
    )  # fmt: skip
    assert item.package_path == "lib/libcgreet.so.1"
    assert isinstance(item.source, OnDisk)
    assert item.source.path.stat().st_size == item.size


def test_extracted_with_no_name_proves_by_sha256_alone(cache: Cache) -> None:
    cache.extracted(CGREET, known=False)
    file, link = row(cache, CGREET, "share/libcgreet/greeting.txt"), row(cache, CGREET, "lib/libcgreet.so")
    assert cache.restore(CGREET, file, link).keys() == {"share/libcgreet/greeting.txt"}


def test_altered_file_is_passed_over(cache: Cache) -> None:
    wanted = row(cache, CGREET, "share/libcgreet/greeting.txt")
    (cache.extracted(CGREET) / "share/libcgreet/greeting.txt").write_text("Greetings")
    assert cache.restore(CGREET, wanted) == {}
    cache.archive(CGREET)
    item = cache.restore(CGREET, wanted)["share/libcgreet/greeting.txt"]
    assert isinstance(item, Content)
    assert item.sha256 == wanted["sha256"]


def test_package_of_old_has_no_sums_of_files(cache: Cache) -> None:
    cache.archive(LEGACY)
    wanted = {"_path": "share/legacy/plain.txt", "path_type": "hardlink"}
    item = cache.restore(LEGACY, wanted)["share/legacy/plain.txt"]
    assert isinstance(item, Content)
    assert item.package_path is None
    cache.sums = {"sha256": "0" * 64, "md5": "0" * 32}
    assert cache.restore(LEGACY, wanted) == {}


def test_damaged_archive(cache: Cache) -> None:
    archive = cache.archive(CGREET)
    archive.write_bytes(archive.read_bytes()[:-1000])
    cache.sums = {"sha256": "", "md5": ""}
    assert cache.restore(CGREET, row(cache, CGREET, "lib/libcgreet.so")) == {}


def test_console_script(cache: Cache) -> None:
    directory = cache.extracted(HELLO)
    wanted = {"_path": "bin/hello-noarch", "path_type": "unix_python_entry_point"}
    package = installed_package(directory, record_of(cache.record(HELLO)))
    python = Python("3.11", "lib/python3.11/site-packages", package)
    item = cache.restore(HELLO, wanted, python=python)["bin/hello-noarch"]
    assert isinstance(item, Content)
    assert (item.python, item.mode) == ("bin/python3.11", 0o755)
    assert b"from hello_noarch.cli import main" in (item.read() or b"")


def test_records_of_mamba(cache: Cache) -> None:
    """They have target paths, where conda has the paths of the package."""
    directory = cache.extracted(HELLO)
    package = installed_package(directory, record_of(cache.record(HELLO)))
    python = Python("3.11", "lib/python3.11/site-packages", package)
    paths = ["site-packages/hello_noarch/cli.py", "python-scripts/hello-script"]
    targets = ["lib/python3.11/site-packages/hello_noarch/cli.py", "bin/hello-script"]
    listed = [{**row(cache, HELLO, path), "_path": target} for path, target in zip(paths, targets, strict=True)]
    rows = dict(record_of({"noarch": "python", "files": targets, "paths_data": {"paths": listed}}).rows)
    assert list(rows) == targets
    assert rows[targets[0]]["_path"] == paths[0]
    found = cache.restore(HELLO, *rows.values(), python=python)
    items = [item for item in found.values() if isinstance(item, Content)]
    assert [item.package_path for item in items] == paths


def test_link_that_leads_out_of_the_package(cache: Cache, tmp_path: Path) -> None:
    wanted = row(cache, CGREET, "share/libcgreet/greeting.txt")
    share = cache.extracted(CGREET) / "share/libcgreet"
    shutil.move(share, tmp_path / "outside")
    share.symlink_to(tmp_path / "outside")
    assert cache.restore(CGREET, wanted) == {}
