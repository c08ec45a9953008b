"""Kept frames that are not whole, or not this user's alone, are made again, and give the same bytes."""

from __future__ import annotations

import errno
import os
import tempfile
import time
import zlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conda_coex.archive.cache_entry import open_entry
from conda_coex.archive.entry_description import END, MARK
from conda_coex.archive.frame_cache import DAY, UNUSED, FrameCache
from conda_coex.archive.payload import Payload
from conda_coex.errors import FramesDamaged
from conda_coex.root.content import Content
from conda_coex.root.layout import Group
from conda_coex.root.source import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = 54332  # a user that no machine has
NOTHING = b'"name": "NAME", "owner": "", "frames": [], "origins": [], "places": [[], [], [], []], "edits": {}'
WORDS = b"the text of a file " * 100


def build(
    directory: Path, data: bytes = WORDS, identity: str = "demo-1.0-0 of these files", slot: str | None = None,
    level: int = 3,
) -> bytes:  # fmt: skip
    """Return the payload of a package of one file."""
    group = Group("demo-1.0-0", identity, slot, of_package=True)
    group.all_files = group.files = [Content("prefix/a", 0o644, 10**9, InMemory(data), len(data))]
    with tempfile.TemporaryFile() as stream:
        payload = Payload(stream, FrameCache(directory, level), lambda _size: None)
        payload.add([group])
        assert payload.reader.altered(payload.frames) is None
        return stream.read()


def flip(offset: int) -> Callable[[Path], object]:
    def change(entry: Path) -> None:
        data = bytearray(entry.read_bytes())
        data[offset] ^= 1
        entry.write_bytes(data)

    return change


def cut(size: int) -> Callable[[Path], object]:
    return lambda entry: entry.write_bytes(entry.read_bytes()[:size])


def link(entry: Path) -> None:
    """Put the entry elsewhere, and a link to it in its place."""
    entry.replace(entry.with_name("elsewhere"))
    entry.symlink_to(entry.with_name("elsewhere"))


def describe(text: bytes) -> Callable[[Path], object]:
    """Return a function that gives an entry another description, with the entry's name and a checksum."""

    def change(entry: Path) -> None:
        named = text.replace(b"NAME", entry.name.encode())
        entry.write_bytes(named + END.pack(len(named), zlib.crc32(named), MARK))

    return change


def take_another(entry: Path) -> None:
    """Put the entry of another identity in its place."""
    build(entry.parent, b"another text", "demo-1.0-0 of other files")
    (other,) = set(entry.parent.glob("*.frames")) - {entry}
    other.replace(entry)


def pipe(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def give_away(entry: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file to another user")
    os.chown(entry, OTHER, OTHER)


CHANGES = {
    "empty": cut(0),
    "only its beginning": cut(9),
    "without its last byte": cut(-1),
    "without its description": cut(-END.size),
    "a byte more": lambda entry: entry.write_bytes(entry.read_bytes() + b"\0"),
    "a byte more in front": lambda entry: entry.write_bytes(b"\0" + entry.read_bytes()),
    "its mark": flip(-1),
    "its checksum": flip(-9),
    "the length of its description": flip(-END.size),
    "its description": flip(-END.size - 9),
    "a number without an end": describe(b"{" + NOTHING + b', "slots": {}, "level": Infinity}'),
    "very deep": describe(b"[" * 200_000),
    "of another identity": take_another,
    "a link": link,
    "a pipe": pipe,
    "of another user": give_away,
    "open to all": lambda entry: entry.chmod(0o666),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_made_again(tmp_path: Path, what: str) -> None:
    payload = build(tmp_path)
    (entry,) = tmp_path.glob("*.frames")
    kept = entry.read_bytes()
    CHANGES[what](entry)
    assert open_entry(entry) is None
    assert build(tmp_path) == payload
    state = entry.lstat()
    assert (entry.read_bytes(), state.st_uid, state.st_mode & 0o7777) == (kept, os.geteuid(), 0o600)
    again = open_entry(entry)
    assert again is not None
    again.close()


@pytest.mark.parametrize(
    "change", [flip(0), cut(9), link, pipe, Path.unlink], ids=["flip", "cut", "link", "pipe", "gone"]
)
def test_changed_after_it_was_opened(tmp_path: Path, change: Callable[[Path], object]) -> None:
    """The build that took altered frames is made again: it does not wait for a pipe, or end with another error."""
    build(tmp_path)
    (path,) = tmp_path.glob("*.frames")
    entry = open_entry(path)
    assert entry is not None
    entry.check()
    change(path)
    with pytest.raises(FramesDamaged):
        entry.check()
    entry.close()
    assert not os.path.lexists(path)


def test_frames_on_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are removed, and the build that would take them is made again."""
    payload = build(tmp_path)
    (path,) = tmp_path.glob("*.frames")

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        for name in ("copy_file_range", "sendfile", "pread"):
            failing.setattr(os, name, fail)
        with pytest.raises(FramesDamaged, match=r"kept of demo-1.0-0 cannot be read: Input/output error; it is"):
            build(tmp_path)
    assert not path.exists()
    assert build(tmp_path) == payload


def test_other_content_of_the_same_name(tmp_path: Path) -> None:
    """A package of the same name, version and build with other files is another one, whose frames are kept too."""
    first = build(tmp_path)
    other = build(tmp_path, WORDS.upper(), "demo-1.0-0 of other files")
    assert other != first
    assert build(tmp_path) == first
    assert len(list(tmp_path.glob("*.frames"))) == 2


def test_leftover_that_cannot_be_removed(tmp_path: Path) -> None:
    """A build goes on; leftovers of a day ago are removed."""
    (tmp_path / ".a.frames.1").mkdir()
    (tmp_path / ".b.frames.1").write_bytes(b"")
    (tmp_path / ".c.frames.1").write_bytes(b"")
    for name in (".a.frames.1", ".b.frames.1"):
        os.utime(tmp_path / name, (0, 0))
    FrameCache(tmp_path, 3).sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.frames.1", ".c.frames.1"]


def test_one_entry_of_a_slot(tmp_path: Path) -> None:
    """The last one, for each level; others stay, and the same content makes nothing."""
    build(tmp_path)
    build(tmp_path, slot="other place")
    others, inodes = set(tmp_path.iterdir()), []
    for number in (1, 2, 2, 1):
        build(tmp_path, b"%d" % number, f"content {number}", slot="place")
        (last,) = set(tmp_path.iterdir()) - others
        inodes.append(last.stat().st_ino)
    assert others < set(tmp_path.iterdir())
    assert [first == second for first, second in pairwise(inodes)] == [False, True, False]
    build(tmp_path, b"1", "content 1", slot="place", level=4)
    assert last.exists()
    assert len(set(tmp_path.iterdir()) - others) == 2


def test_unused_for_long(tmp_path: Path) -> None:
    """An entry that no build has used for long is removed; a use of it counts, and so does its making."""
    for name in ("used", "unused", "new"):
        build(tmp_path, name.encode(), name)
    paths = {name: FrameCache(tmp_path, 3).path(name) for name in ("used", "unused", "new")}
    for name in ("used", "unused"):
        path = paths[name]
        assert path is not None
        os.utime(path, (time.time() - UNUSED - 60,) * 2)
    build(tmp_path, b"used", "used")
    FrameCache(tmp_path, 3).sweep()
    assert set(tmp_path.iterdir()) == {paths["used"], paths["new"]}


def test_use_is_noted_once_a_day(tmp_path: Path) -> None:
    """A clock that was wrong is corrected."""
    build(tmp_path)
    (path,) = tmp_path.iterdir()
    now = time.time()
    for age, is_kept in ((3600, True), (2 * DAY, False), (-2 * DAY, False)):
        os.utime(path, (now - age, now - age))
        build(tmp_path)
        assert (abs(path.stat().st_mtime - now + age) < 1) == is_kept
