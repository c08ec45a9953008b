"""The payload of groups of files: frames, rows and the places in them, and the leftovers of a failure."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
from typing import TYPE_CHECKING

import pytest
import zstandard
from coex_bootstrap.format.index import Directory
from coex_bootstrap.format.index import Link as IndexLink
from coex_bootstrap.format.index_read import load_index
from coex_bootstrap.format.index_write import IndexDraft, dump_index
from coex_bootstrap.format.relocation import parse
from coex_bootstrap.unpack import relocate
from conda.core.portability import replace_prefix
from conda.models.enums import FileMode

from conda_coex.archive import payload
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.frame_reader import FrameReader
from conda_coex.archive.payload import Payload, make_index
from conda_coex.errors import PackageDamaged
from conda_coex.root.content import Content, Link, relocation_of, script_of
from conda_coex.root.cores import Cores
from conda_coex.root.layout import Group, Layout
from conda_coex.root.source import InMemory, OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coex_bootstrap.format.index import File

HOLDER = "/opt/placehold_placehold_placehold"


def file(path: str, data: bytes, mode: str | None = None, *, known: bool = True) -> Content:
    relocation = relocation_of(HOLDER, mode) if mode else None
    sha256 = hashlib.sha256(data).hexdigest() if known else None
    return Content(f"prefix/{path}", 0o644, 10**9, InMemory(data), len(data), sha256, relocation, path)


def made(
    *groups: tuple[str, Sequence[Content | Link]], cache: FrameCache | None = None
) -> tuple[Payload, IndexDraft, bytes]:
    """Return the payload of groups, its index, and all bytes of it."""
    layout = Layout()
    for owner, items in groups:
        layout.place(Group(owner, f"identity of {owner}", of_package=owner != "app"), items)
    with tempfile.TemporaryFile() as stream:
        found = Payload(stream, cache or FrameCache(None, 1), lambda _size: None)
        found.add(layout.groups())
        assert found.reader.altered(found.frames) is None
        return found, make_index(found, layout), stream.read()


def contents(index: IndexDraft, data: bytes) -> list[bytes]:
    """Return the content of each frame, decoded by zstd."""
    frames = []
    for frame in index.frames:
        content = zstandard.ZstdDecompressor().decompress(data[frame.offset : frame.offset + frame.size])
        assert len(content) == frame.content
        assert hashlib.sha256(data[frame.offset : frame.offset + frame.size]).hexdigest().encode() == frame.sha256
        frames.append(content)
    assert sum(frame.size for frame in index.frames) == len(data)
    return frames


def held(row: File, frames: list[bytes]) -> bytes:
    return frames[row.frame][row.offset : row.offset + row.size]


def test_files_of_two_owners_share_no_frame() -> None:
    result, index, data = made(("one", [file("a", b"aa")]), ("two", [file("b", b"bb")]), ("app", [file("c", b"aa")]))
    frames = contents(index, data)
    assert frames == [b"aa", b"bb", b"aa"]
    assert result.package_frames == [0, 1]
    assert result.compressed == {"one": index.frames[0].size, "two": index.frames[1].size, "app": index.frames[2].size}
    assert {row.path: held(row, frames) for row in index.files} == {
        b"prefix/a": b"aa", b"prefix/b": b"bb", b"prefix/c": b"aa",
    }  # fmt: skip


def test_same_content_is_stored_once_in_a_group() -> None:
    twins = [file("a", b"same"), file("b", b"same"), file("c", b"same", known=False), file("d", b"")]
    _, index, data = made(("one", twins))
    frames = contents(index, data)
    assert frames == [b"samesame"]  # one of them has no sum that it could be known by
    assert [held(row, frames) for row in index.files if row.size] == [b"same"] * 3


@pytest.mark.parametrize("mode", ["text", "binary"])
def test_edits_are_where_conda_replaces(mode: str) -> None:
    body = f"\0x{HOLDER}/lib:{HOLDER}\0y" if mode == "binary" else f"x{HOLDER}/lib:{HOLDER}\n"
    _, index, data = made(("one", [file("a", body.encode(), mode), file("plain", b"p"), file("b", b"none", mode)]))
    rows = {row.path: row for row in index.files}
    assert index.placeholders == [HOLDER.encode()]
    assert (rows[b"prefix/plain"].relocation, rows[b"prefix/b"].relocation) == (b"-", b"-")
    content, prefix = held(rows[b"prefix/a"], contents(index, data)), "/srv/a-prefix"
    assert content == body.encode()
    relocated = relocate.apply(parse(rows[b"prefix/a"].relocation, index.placeholders), content, prefix.encode())
    assert relocated == replace_prefix(FileMode(mode), content, HOLDER, prefix)


def test_console_scripts_name_their_python() -> None:
    script = Content("prefix/bin/tool", 0o755, 0, InMemory(b"import x\n"), 9, relocation=script_of("bin/python3.11"))
    _, index, _ = made(("one", [script]))
    assert [(row.relocation, row.mode) for row in index.files] == [(b"e:bin/python3.11", 0o755)]


def test_directories_and_links_are_sorted() -> None:
    _, index, _ = made(("one", [Link("prefix/z", "a"), file("d/e/a", b"x"), Link("prefix/b", "d")]))
    assert index.links == [IndexLink(b"prefix/b", b"d"), IndexLink(b"prefix/z", b"a")]
    names = [b"app", b"prefix", b"prefix/d", b"prefix/d/e"]
    assert index.directories == [Directory(0o755, name) for name in names]
    again = load_index(dump_index(index))
    assert (again.links, again.directories) == (index.links, index.directories)
    assert list(again.files) == index.files


def test_damaged_package_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    """A package that was whole before it in the same build is not kept half either."""
    path = tmp_path / "file"
    path.write_bytes(b"damaged")
    wrong = Content("prefix/b", 0o644, 0, OnDisk(path), 7, hashlib.sha256(b"as made").hexdigest(), None, "b")
    cache = FrameCache(tmp_path / "frames", 1)
    with pytest.raises(PackageDamaged) as caught:
        made(("one", [file("a", os.urandom(100)), wrong]), cache=cache)
    assert str(path) in str(caught.value)
    assert [each for each in (tmp_path / "frames").rglob("*") if each.is_file()] == []


def test_failure_does_not_wait_for_sources_that_compile(tmp_path: Path) -> None:
    def groups() -> Iterator[Group]:
        items = [file("a", b"aa")]
        yield Group("one", "identity of one", all_files=items, files=items)
        raise PackageDamaged("missing from the package", b"two")

    cores = Cores(1)
    with tempfile.TemporaryFile() as stream, cores.to_compile(), pytest.raises(PackageDamaged):
        Payload(stream, FrameCache(tmp_path, 1), lambda _size: None, cores=cores).add(groups())
    assert list(tmp_path.iterdir()) == []


def test_second_build_takes_the_frames_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FrameCache(tmp_path / "frames", 1)
    package = ("one", [file("a", b"aa"), file("b", b"bb", "text"), file("c", HOLDER.encode(), "text")])
    first, index, data = made(package, cache=cache)
    monkeypatch.setattr(payload, "pack", None)  # with matches
    second, other, again = made(package, cache=cache)
    assert (again, second.compressed, second.placeholders) == (data, first.compressed, first.placeholders)
    assert (other.files, other.frames) == (index.files, index.frames)


NAMES = "one", "two", "three", "four"


def package(name: str, time: int = 10**9) -> Group:
    items = [file(f"{name}/{number}", f"{name} {number}".encode()) for number in (1, 2)]
    items = [dataclasses.replace(item, mtime_ns=time) for item in items]
    return Group(name, f"identity of {name}", of_package=True, all_files=items, files=items)


def taken(
    cache: FrameCache, names: Sequence[str], begun: Sequence[str], times: dict[str, int]
) -> tuple[bytes, list[File]]:
    """Return the payload of packages and its rows; the frames of `begun` were copied before it was known."""
    with tempfile.TemporaryFile() as stream, FrameReader(stream, 0) as reader:
        made = Payload(stream, cache, lambda _size: None, reader=reader)
        groups = {name: package(name, times.get(name, 10**9)) for name in NAMES}
        for name in begun:
            made.begin(groups[name])
        made.add([groups[name] for name in names])
        assert reader.altered(made.frames) is None
        return stream.read(), made.rows


@pytest.mark.parametrize("names", [NAMES, NAMES[1:], NAMES[:2], ("one", "three"), ("four", "one"), ("four",), ()])
@pytest.mark.parametrize("begun", [NAMES, NAMES[:3], ("two", "one")])
@pytest.mark.parametrize("lost", [None, "two"])
@pytest.mark.parametrize("times", [{}, {"three": 5}], ids=["", "touched"])
def test_frames_copied_before_the_groups_are_known(
    tmp_path: Path, names: Sequence[str], begun: Sequence[str], lost: str | None, times: dict[str, int]
) -> None:
    """They give the same payload for any of the packages, and no bytes of the others are behind it."""
    cache = FrameCache(tmp_path, 1)
    taken(cache, NAMES, (), {})
    if lost is not None:
        kept = cache.path(f"identity of {lost}")
        assert kept is not None
        kept.unlink()
    assert taken(cache, names, begun, times) == taken(FrameCache(None, 1), names, (), times)


def test_frames_copied_for_a_build_that_ends(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, 1)
    taken(cache, NAMES, (), {})
    with tempfile.TemporaryFile() as stream, FrameReader(stream, 0) as reader:
        made = Payload(stream, cache, lambda _size: None, reader=reader)
        for name in NAMES:
            made.begin(package(name))
    assert taken(cache, NAMES, (), {}) == taken(FrameCache(None, 1), NAMES, (), {})
