"""The libzstd of an archive: from the environment if it has one, else from the channels, else from base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import DecoderNotFound
from conda_coex.inputs.environment import Environment
from conda_coex.root.libzstd import find_libzstd
from conda_coex.root.package import Package, PackagePath

if TYPE_CHECKING:
    from pathlib import Path

NAME = "lib/libzstd.so.1"


def environment(*channels: str, solved: bool = True) -> Environment:
    return Environment("linux-64", (), (), channels, {}, solved=solved)


def package(directory: Path, content: str | None) -> Package:
    """Return a package that lists the library, and has it if `content` is given."""
    path = PackagePath(NAME, "hardlink", None, None, None, 1, 0o755, 0, {})
    record = {"name": "zstd", "version": "1", "build": directory.name}
    if content is not None:
        (directory / NAME).parent.mkdir(parents=True)
        (directory / NAME).write_text(content)
    return Package(record, directory, None, (), (path,), None, None)


def test_environment_first(tmp_path: Path) -> None:
    mine = package(tmp_path / "0", "mine")
    assert find_libzstd(environment("a"), [mine], lambda *_: pytest.fail("no need"), None) == (b"mine", "zstd-1-0")


def test_live_prefix_that_lacks_it(tmp_path: Path) -> None:
    other = package(tmp_path / "1", "other")
    found = find_libzstd(environment("a"), [package(tmp_path / "0", None)], lambda *_: [other], None)
    assert found == (b"other", "zstd-1-1")


def test_not_found(tmp_path: Path) -> None:
    with pytest.raises(DecoderNotFound, match="to the environment, or a channel that has it with -c"):
        find_libzstd(environment("gone"), [], lambda *_: [], None)
    with pytest.raises(DecoderNotFound, match="add the package zstd to the environment or to the lock file"):
        find_libzstd(environment("gone", solved=False), [], lambda *_: [], tmp_path)


def test_base_is_last(tmp_path: Path) -> None:
    base = package(tmp_path / "base", "of base").directory
    assert find_libzstd(environment("a"), [], lambda *_: [], base) == (b"of base", "base")
    other = package(tmp_path / "1", "other")
    assert find_libzstd(environment("a"), [], lambda *_: [other], base) == (b"other", "zstd-1-1")


def test_link_that_leads_out_of_the_package(tmp_path: Path) -> None:
    mine = package(tmp_path / "0", "mine")
    (tmp_path / "0" / NAME).rename(tmp_path / "outside")
    (tmp_path / "0" / NAME).symlink_to(tmp_path / "outside")
    with pytest.raises(DecoderNotFound, match="the libzstd of a package leads out of it"):
        find_libzstd(environment("a"), [mine], lambda *_: [], None)
