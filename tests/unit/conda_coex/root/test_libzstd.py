"""The libzstd of an archive: from the environment where it has it, else from the channels that can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conda import CondaError

from conda_coex.errors import DecoderNotFound
from conda_coex.inputs.environment import Environment
from conda_coex.root.libzstd import find_libzstd
from conda_coex.root.package import Package, PackagePath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = "lib/libzstd.so.1"


def environment(*channels: str, solved: bool = True) -> Environment:
    return Environment("linux-64", (), (), channels, {}, solved=solved)


def package(directory: Path, content: str | None) -> Package:
    """Return a package that lists the library, and has it where `content` is given."""
    path = PackagePath(NAME, "hardlink", None, None, None, 1, 0o755, 0, {})
    record = {"name": "zstd", "version": "1", "build": directory.name}
    if content is not None:
        (directory / NAME).parent.mkdir(parents=True)
        (directory / NAME).write_text(content)
    return Package(record, directory, None, (), (path,), None, None)


def test_environment_first(tmp_path: Path) -> None:
    mine = package(tmp_path / "0", "mine")
    assert find_libzstd(environment("a"), [mine], lambda _: pytest.fail("no need"), None) == (b"mine", "zstd-1-0")


def test_live_prefix_that_lacks_it(tmp_path: Path) -> None:
    other = package(tmp_path / "1", "other")
    found = find_libzstd(environment("a"), [package(tmp_path / "0", None)], lambda _: [other], None)
    assert found == (b"other", "zstd-1-1")


def test_channel_that_is_gone(tmp_path: Path) -> None:
    other, asked = package(tmp_path / "1", "other"), []

    def solve(channels: Sequence[str]) -> Sequence[Package]:
        asked.append(tuple(channels))
        if "gone" in channels:
            raise CondaError("no such channel")
        return [other]

    assert find_libzstd(environment("gone", "there"), [], solve, None) == (b"other", "zstd-1-1")
    assert asked == [("gone", "there"), ("gone",), ("there",)]
    with pytest.raises(DecoderNotFound, match="to the environment, or a channel that has it with -c"):
        find_libzstd(environment("gone"), [], solve, None)
    with pytest.raises(DecoderNotFound, match="add the package zstd to the environment or to the lock file"):
        find_libzstd(environment("gone", solved=False), [], solve, None)


def test_silent(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The user asked for another solve; what conda says of this one would show a prefix that does not exist."""

    def solve(channels: Sequence[str]) -> Sequence[Package]:
        print("Target prefix: /env/does/not/exist")
        return [package(tmp_path / "1", "other")]

    assert find_libzstd(environment("a"), [], solve, None) == (b"other", "zstd-1-1")
    assert capsys.readouterr().out == ""
