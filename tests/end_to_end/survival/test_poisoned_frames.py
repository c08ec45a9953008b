"""Package caches that others may write to: frames that they put there do not get into an archive."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import zstandard
from coex_bootstrap.format.archive import Archive
from end_to_end.own_channel import put, workshop

from conda_coex.archive.cache_entry import open_entry
from conda_coex.archive.entry_description import END, MARK

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

GOOD, BAD = b"what the package has", b"what others have put"
KEPT = 2  # entries of the cache: one of the package, and one of the records in conda-meta
OTHER = 54332  # a user that no machine has


class Build:
    """Builds of one package with a package cache of their own."""

    def __init__(self, conda: Conda, channel: tuple[str, ...], work: Path) -> None:
        self.conda, self.channel, self.work = conda, channel, work
        self.cache = work / "pkgs"

    def payload(self, caches: str | None = None) -> bytes:
        """Build, and return the content of all frames."""
        output = self.work / "x.coex"
        command = ("coex", "create", "-q", "-y", "--offline", "--override-channels", *self.channel, "--package", "own")
        env = {"CONDA_PKGS_DIRS": caches or str(self.cache)}
        self.conda(*command, "--entrypoint", "./run.sh", "-o", output, cwd=self.work, env=env)
        with closing(Archive(os.fsencode(output))) as archive:
            numbers = range(len(archive.index.frames))
            return b"".join(zstandard.ZstdDecompressor().decompress(archive.frame(number)) for number in numbers)

    def entry(self, owner: str) -> Path:
        """Return the entry for the package, or for the records, whose name begins so."""
        entries = {path: open_entry(path) for path in self.cache.glob(".coex-frames/*.frames")}
        for entry in entries.values():
            assert entry is not None
            entry.close()
        (path,) = [path for path, entry in entries.items() if entry is not None and entry.owner.startswith(owner)]
        assert len(entries) == KEPT
        return path

    def poison(self) -> Path:
        """Give the entry other contents of the same sizes, with the sums that it has of itself; return its path."""
        entry = self.entry("own-")
        data = entry.read_bytes()
        length, _, _ = END.unpack(data[-END.size :])
        described = json.loads(data[-END.size - length : -END.size])
        frames, at = [], 0
        for number, (size, content, _) in enumerate(described["frames"]):
            decoded = zstandard.ZstdDecompressor().decompress(data[at : at + size])
            frames.append(zstandard.ZstdCompressor(write_checksum=True).compress(decoded.replace(GOOD, BAD)))
            described["frames"][number] = [len(frames[-1]), content, hashlib.sha256(frames[-1]).hexdigest()]
            at += size
        text = json.dumps(described).encode()
        entry.write_bytes(b"".join(frames) + text + END.pack(len(text), zlib.crc32(text), MARK))
        return entry


@pytest.fixture
def build(conda: Conda, testbed: Layout, tmp_path: Path) -> Build:
    own = workshop(testbed, tmp_path).noarch("own")
    own.data("share/own.txt", GOOD)
    (tmp_path / "run.sh").write_text("#!/bin/sh\ncat \"$CONDA_PREFIX/share/own.txt\"\n")
    (tmp_path / "run.sh").chmod(0o755)
    build = Build(conda, put(tmp_path / "channel", [own]), tmp_path)
    assert GOOD in build.payload()
    return build


def test_frames_that_the_user_kept_are_used(build: Build) -> None:
    """The adversary's entry is one that a build takes, if nothing says that somebody else has written it."""
    build.poison()
    assert BAD in build.payload()


@pytest.mark.parametrize("owner", ["own-", "conda-meta"])
def test_frames_that_were_altered(build: Build, owner: str) -> None:
    """The same build makes them again, without an error."""
    entry = build.entry(owner)
    kept, archive = entry.read_bytes(), (build.work / "x.coex").read_bytes()
    entry.write_bytes(kept[:20] + bytes([kept[20] ^ 1]) + kept[21:])
    build.payload()
    assert (entry.read_bytes(), (build.work / "x.coex").read_bytes()) == (kept, archive)


def test_another_package_of_the_same_name(build: Build, testbed: Layout, tmp_path: Path) -> None:
    """Frames belong to the files of a package, not to its name: the cache has those of the former package."""
    other = workshop(testbed, tmp_path / "other").noarch("own")
    other.data("share/own.txt", BAD)
    build.channel = put(tmp_path / "other/channel", [other])
    again = tmp_path / "again"
    again.mkdir()
    (build.cache / ".coex-frames").rename(again / ".coex-frames")
    assert BAD in build.payload(str(again))
    assert len(list(again.glob(".coex-frames/*.frames"))) == 2 * KEPT


@pytest.mark.parametrize("place", ["pkgs", "pkgs/.coex-frames", "."])
def test_others_may_write_on_the_way(build: Build, place: str) -> None:
    """Every directory of the path counts: a user who can rename one of them can put another one in its place."""
    build.poison()
    (build.work / place).chmod(0o777)
    assert GOOD in build.payload()


def test_a_cache_of_ones_own_beside_a_shared_one(build: Build) -> None:
    """The second of conda's package caches keeps the frames, as ~/.conda/pkgs beside one that a group shares."""
    entry = build.poison()
    build.cache.chmod(0o777)
    mine = build.work / "mine/pkgs"
    mine.mkdir(parents=True)
    for _ in range(2):
        assert GOOD in build.payload(f"{build.cache},{mine}")
    assert len(list(mine.glob(".coex-frames/*.frames"))) == KEPT
    assert entry.exists()


@pytest.mark.parametrize("change", ["mode", "owner"])
def test_an_entry_of_others(build: Build, change: str) -> None:
    """A file that somebody left while the directory was open to all is made again, and used then."""
    entry = build.poison()
    if change == "mode":
        entry.chmod(0o666)
    elif os.geteuid() == 0:
        os.chown(entry, OTHER, OTHER)
    else:
        pytest.skip("only root can give a file to another user")
    assert GOOD in build.payload()
    state = entry.stat()
    assert (state.st_uid, state.st_mode & 0o777) == (os.geteuid(), 0o600)


def test_umask_that_leaves_all_open(build: Build) -> None:
    entry = build.entry("own-")
    for path in entry.parent.iterdir():
        path.unlink()
    entry.parent.rmdir()
    before = os.umask(0)
    try:
        build.payload()
    finally:
        os.umask(before)
    assert entry.stat().st_mode & 0o777 == 0o600
    assert entry.parent.stat().st_mode & 0o777 == 0o755
