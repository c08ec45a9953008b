"""A host reads, unpacks, verifies and repairs an archive of any files: they are as they were."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from coex_bootstrap.format.archive import Archive
from coex_bootstrap.format.index_write import dump_index
from coex_bootstrap.format.manifest import INDEX, LIBZSTD
from coex_bootstrap.format.relocation import of_hashes
from coex_bootstrap.tools.check_root import RootCheck
from coex_bootstrap.unpack.expected_contents import ExpectedContents
from coex_bootstrap.unpack.write_root import unpack
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.coex_bootstrap.building import make_manifest

from conda_coex.archive import payload, writer
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.frame_reader import FrameReader
from conda_coex.archive.kept_part import begin, copy, keep
from conda_coex.archive.new_manifest import unpacked_size
from conda_coex.archive.new_tail import NewTail, bootstrap_members
from conda_coex.archive.payload import Payload, make_index
from conda_coex.archive.read_back import read_back
from conda_coex.archive.sizes import decode
from conda_coex.root.content import Content, Link, relocation_of, script_of
from conda_coex.root.layout import Group, Layout
from conda_coex.root.source import InMemory

FRAME = 64  # bytes of content: frames are as small as the files are
HOLDER = "/opt/placehold_placehold_placehold"
PREFIX = b"/srv/root/prefix"
SIZES = (0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 1, 3 * FRAME)


@dataclass(frozen=True)
class Made:
    """A file as it is drawn: the number of its content, and its special properties."""

    size: int
    seed: int
    kind: str  # plain, unchecked (without a sha256), text, binary or script
    mode: int
    shared: bool = False  # at a path that others have, too: the last wins

    @property
    def data(self) -> bytes:
        body = bytes((self.seed + n * n) % 7 + 1 for n in range(self.size))
        if self.kind in ("text", "binary") and self.size > 2:
            return body[:1] + HOLDER.encode() + b"/x\0" + body[1:]
        return body


files = st.builds(
    Made, st.sampled_from(SIZES), st.integers(0, 1),
    st.sampled_from(["plain", "plain", "plain", "unchecked", "text", "binary", "script"]),
    st.sampled_from([0o644, 0o755, 0o600, 0o4755]), st.sampled_from([False, False, True]),
)  # fmt: skip
groups = st.lists(st.lists(files, max_size=7), max_size=5)
TWINS = [Made(FRAME + 1, 0, kind, mode) for kind in ("plain", "binary") for mode in (0o644, 0o755, 0o600)]
EMPTY = [Made(0, 0, "plain", 0o644)] * 3


def content(made: Made, path: str) -> Content:
    data = made.data
    known = None if made.kind == "unchecked" else hashlib.sha256(data).hexdigest()
    placed = made.kind if made.kind in ("text", "binary") else None
    script = script_of("bin/python") if made.kind == "script" else None
    moved = relocation_of(HOLDER, placed) if placed else script
    return Content(path, made.mode, 1000000000 * 10**9 + 5, InMemory(data), len(data), known, moved)


def lay_out(drawn: list[list[Made]]) -> tuple[Layout, dict[bytes, tuple[int, bytes]]]:
    """Return a layout of these groups, and the right mode and content for each path of the root."""
    layout, expected, moved = Layout(), {}, []
    for number, group in enumerate(drawn):
        items: list[Content | Link] = []
        for count, made in enumerate(group):
            path = f"prefix/shared/{count}" if made.shared else f"prefix/d{number % 2}/{number}-{count}"
            items.append(content(made, path))
            if made.kind in ("text", "binary"):
                moved.append(((f"group {number}", path), relocated(made)))
            expected[path.encode()] = made.mode, relocated(made)
        items.append(Link(f"prefix/l{number}", "d0"))
        layout.place(Group(f"group {number}", f"identity {number}", of_package=number % 3 != 2), items)
    layout.place("conda-meta", [record(moved, expected)])
    start = Content("prefix/bin/demo", 0o755, 5 * 10**9, InMemory(b"#!/bin/sh\n"), 10)
    layout.place("app", [start])
    expected[b"prefix/bin/demo"] = 0o755, b"#!/bin/sh\n"
    return layout, expected


def relocated(made: Made) -> bytes:
    """Return a file as it is in the root; of a text or binary the placeholder becomes the prefix, as in conda."""
    data = made.data
    if made.kind == "script":
        return b"#!" + PREFIX + b"/bin/python\n" + data
    if made.kind == "text":
        return data.replace(HOLDER.encode(), PREFIX)
    if made.kind == "binary" and made.size > 2:
        at = data.index(HOLDER.encode())
        end = data.index(b"\0", at)
        return data[:at] + (PREFIX + data[at + len(HOLDER) : end]).ljust(end - at, b"\0") + data[end:]
    return data


def record(moved: list[tuple[tuple[str, str], bytes]], expected: dict[bytes, tuple[int, bytes]]) -> Content:
    """Return a file like the records of conda: it has the sha256 of each file with a placeholder, lost or not."""
    text = b"{" + b"0" * 64 * len(moved) + b"}"
    slots = [(owned, 1 + 64 * number) for number, (owned, _) in enumerate(moved)]
    sums = "".join(hashlib.sha256(data).hexdigest() for _, data in moved)
    expected[b"prefix/conda-meta/record.json"] = 0o644, b"{" + sums.encode() + b"}"
    hashes = of_hashes(slots) if slots else None
    return Content("prefix/conda-meta/record.json", 0o644, 7 * 10**9, InMemory(text), len(text), relocation=hashes)


def write(path: Path, layout: Layout, cache: FrameCache, old: Archive | None = None) -> Archive:
    """Write an archive of a layout, or with the frames of an old one, read it back, and open it as a host does."""
    start = writer.prelude_size("linux-64")
    with path.open("w+b") as stream, FrameReader(stream, start) as reader:
        made = Payload(stream, cache, lambda _size: None, start, reader=reader)
        if old is None:
            made.add(layout.groups())
        else:
            made.placeholders = [placeholder.decode() for placeholder in old.index.placeholders]
            copy(old, layout, keep(old, Layout(), app_stays=True), made, begin(old, made))
        index = make_index(made, layout)
        fields = {"payload": made.size, "unpacked": unpacked_size(index), "platform": "linux-64"}
        manifest = make_manifest(prelude=start, **fields)
        with NewTail({**bootstrap_members(), INDEX: dump_index(index), LIBZSTD: b"no library"}) as tail:
            writer.finish(stream, made.end, manifest, tail)
        read_back(stream, path, made)
    return Archive(os.fsencode(path))


def check_root(opened: Archive, root: Path, expected: dict[bytes, tuple[int, bytes]]) -> None:
    """Unpack an archive, compare every file, and have the archive verify them and each one that is altered."""
    root.mkdir()
    with patch("coex_bootstrap.base.workers.usable_cores", lambda: 1):
        unpack(opened, os.fsencode(root), PREFIX.removesuffix(b"/prefix"), decode)
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found[os.fsencode(path.relative_to(root))] = path.stat().st_mode & 0o7777, path.read_bytes()
    assert {path: row for path, row in found.items() if b"/l" not in path} == expected
    places = {name: os.fsencode(root) + b"/" + name for name in (b"prefix", b"app")}
    contents = ExpectedContents(opened, PREFIX, decode)
    with patch("coex_bootstrap.base.workers.usable_cores", lambda: 1):
        assert RootCheck(contents, places).differences() == []
        for path in sorted(expected)[::3]:
            file = root / os.fsdecode(path)
            file.chmod(0o644)
            data = file.read_bytes()
            file.write_bytes(data[:-1] + b"?" if data else b"?")
            assert path in {differs for _, differs in RootCheck(contents, places).differences()}
            file.write_bytes(data)


@settings(max_examples=60)
@given(groups)
@example([TWINS])
@example([TWINS * 2, TWINS])
@example([[*TWINS, *[replace(made, size=3 * FRAME) for made in TWINS]]])
@example([EMPTY, [Made(5, 0, "plain", 0o644)]])
@example([[Made(5, 0, "plain", 0o644)], EMPTY, EMPTY, [Made(FRAME, 0, "plain", 0o644)]])
@example([[Made(5, 0, "plain", 0o644)], [], EMPTY])
@example([EMPTY, EMPTY])
@example([])
@example([[Made(FRAME + 1, 0, kind, 0o644, shared=True) for kind in ("text", "binary", "text")]] * 2)
@example([[Made(0, 0, "text", 0o644, shared=True)], [Made(5, 0, "text", 0o644, shared=True)], EMPTY])
def test_any_files(drawn: list[list[Made]]) -> None:
    """First with nothing kept, then from the frames that the first build has kept, then copied into another archive."""
    with TemporaryDirectory() as scratch, patch.object(payload, "frame_size", lambda _level: FRAME):
        directory = Path(scratch)
        cache = FrameCache(directory / "frames", 1)
        for name in ("first", "again"):
            layout, expected = lay_out(drawn)
            with closing(write(directory / f"{name}.coex", layout, cache)) as opened:
                check_root(opened, directory / name, expected)
        assert (directory / "first.coex").read_bytes() == (directory / "again.coex").read_bytes()
        shutil.rmtree(directory / "again")
        with closing(Archive(os.fsencode(directory / "first.coex"))) as old:
            kept = Layout()
            keep(old, kept, app_stays=True)
            with closing(write(directory / "kept.coex", kept, FrameCache(None, 1), old)) as opened:
                check_root(opened, directory / "again", expected)
