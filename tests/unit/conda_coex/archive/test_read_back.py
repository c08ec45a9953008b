"""An archive is read as a host reads it before it has its name; an archive that a host would refuse is never there."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.format.index import File, Link
from coex_bootstrap.format.index_write import dump_index
from coex_bootstrap.format.manifest import INDEX, LIBZSTD
from coex_bootstrap.start.host import host_platform

from conda_coex.archive import writer
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.frame_reader import FrameReader
from conda_coex.archive.new_file import output_file
from conda_coex.archive.new_manifest import unpacked_size
from conda_coex.archive.new_tail import NewTail, bootstrap_members
from conda_coex.archive.payload import Payload, make_index
from conda_coex.archive.read_back import read_back
from conda_coex.errors import FramesDamaged, ReadBackFailed
from conda_coex.root.content import Content
from conda_coex.root.layout import Group, Layout
from conda_coex.root.source import InMemory
from unit.coex_bootstrap.building import make_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coex_bootstrap.format.index_write import IndexDraft
    from coex_bootstrap.format.manifest import Manifest

    Change = Callable[[IndexDraft, Manifest], object]

FULL = [["prefix", "bin/demo"], ["app", "data"], ["text", "-x"]]


def content(path: str, data: bytes, mode: int) -> Content:
    return Content(path, mode, 10**9, InMemory(data), len(data))


def write(output: Path, cache: FrameCache, change: Change = lambda *_: None, *, flip: bool = False) -> None:
    """Write an archive of two files, after `change` of its index and manifest, and with one bit of a frame flipped."""
    layout = Layout()
    layout.place(Group("demo", "demo", of_package=True), [content("prefix/bin/demo", b"#!/bin/sh\n", 0o755)])
    layout.place("app", [content("app/data/x", b"x", 0o644)])
    start = writer.prelude_size(host_platform())
    with output_file(output, 0o777) as stream, FrameReader(stream, start) as reader:
        payload = Payload(stream, cache, lambda _size: None, start, reader=reader)
        payload.add(layout.groups())
        index = make_index(payload, layout)
        fields: dict[str, Any] = {"payload": payload.size, "unpacked": unpacked_size(index)}
        fields["entry_points"] = [{"name": "demo", "command": FULL}]
        manifest = make_manifest(prelude=start, **fields)
        change(index, manifest)
        with NewTail({**bootstrap_members(), INDEX: dump_index(index), LIBZSTD: b"no library"}) as tail:
            writer.finish(stream, payload.end, manifest, tail)
        if flip:
            os.pwrite(stream.fileno(), b"?", start + 9)
            payload.reader = FrameReader(stream, start)
            payload.reader.read(payload.frames)
        read_back(stream, output, payload)


def change_row(number: int, **fields: Any) -> Change:
    def change(index: IndexDraft, _: Manifest) -> None:
        index.files[number] = index.files[number]._replace(**fields)

    return change


def links(*pairs: tuple[bytes, bytes], command: list[list[str]] = FULL) -> Change:
    def change(index: IndexDraft, manifest: Manifest) -> None:
        index.links = [Link(*pair) for pair in pairs]
        manifest.fields["entry_points"][0]["command"] = command

    return change


def drop_program(index: IndexDraft, manifest: Manifest) -> None:
    index.files = index.files[1:]
    manifest.fields["unpacked"]["files"] -= 1


def no_gap(_: IndexDraft, manifest: Manifest) -> None:
    manifest.fields["payload"] -= 1


def add_row(path: bytes) -> Change:
    def change(index: IndexDraft, manifest: Manifest) -> None:
        index.files.append(File(0o644, 10**9, 1, 0, 1, b"-", path))
        manifest.fields["unpacked"]["files"] += 1

    return change


PROGRAM = [["prefix", "bin/it"]]
IT = b"prefix/bin/it"
MISPLACED = "its index has an invalid relocation"
REFUSED = {
    "file outside of its frame": (change_row(0, offset=5), "its index has a file that is not in its frames"),
    "path twice": (add_row(b"app/data/x"), "its index names a path twice"),
    "size": (no_gap, "it has another size than it says"),
    "relocation": (change_row(0, relocation=b"b:5:0=1.2"), MISPLACED),
    "hash of a file that is not relocated": (change_row(0, relocation=b"h:1@0"), MISPLACED),
    "missing program": (drop_program, "it has no bin/demo, which its entry point names"),
    "missing argument": (links(command=[FULL[0], ["app", "no"]]), "it has no no, which its entry point names"),
    "mode": (change_row(0, mode=0o644), "its entry point runs bin/demo, which is not executable"),
    "directory": (links(command=[["app", "data"]]), "it has no data, which its entry point names"),
    "link to nothing": (links((IT, b"no"), command=PROGRAM), "it has no bin/it, which its entry point names"),
    "links in a circle": (links((IT, b"it"), command=PROGRAM), "an entry point's links lead in a circle"),
}  # fmt: skip
TAKEN = {
    "as it is": links(),
    "link": links((IT, b"../bin/demo"), command=PROGRAM),
    "link of a directory": links((b"prefix/sbin", b"bin"), command=[["prefix", "sbin/demo"]]),
    "link to the host": links((IT, b"/bin/true"), command=PROGRAM),
    "link out of the root": links((IT, b"../../../true"), command=PROGRAM),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(tmp_path: Path, what: str) -> None:
    change, words = REFUSED[what]
    output = tmp_path / "demo.coex"
    with pytest.raises(ReadBackFailed) as refused:
        write(output, FrameCache(None, 1), change)
    expected = f"{output}: is not written, because a host would refuse it ({words}); this is a fault of conda-coex"
    assert str(refused.value).startswith(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", TAKEN)
def test_taken(tmp_path: Path, what: str) -> None:
    write(tmp_path / "demo.coex", FrameCache(None, 1), TAKEN[what])
    assert (tmp_path / "demo.coex").stat().st_mode & 0o100


def test_altered_frames(tmp_path: Path) -> None:
    """A file that was altered at its source is reported with that source, and its entry in the cache is removed."""
    cache, output = FrameCache(tmp_path / "frames", 1), tmp_path / "demo.coex"
    with pytest.raises(ReadBackFailed, match="the sha256 of frame 0 is not the one in its index"):
        write(output, cache, flip=True)
    write(output, cache)
    before = output.read_bytes()
    (entry,) = (tmp_path / "frames").iterdir()
    entry.write_bytes(b"?" + entry.read_bytes()[1:])
    with pytest.raises(FramesDamaged, match="the frames kept of demo were altered; it is removed now"):
        write(output, cache)
    assert (output.read_bytes(), list((tmp_path / "frames").iterdir())) == (before, [])
    write(output, cache)
    assert output.read_bytes() == before


def test_read_before_it_has_its_place(tmp_path: Path) -> None:
    """Errors name that place; no /proc is needed, which a chroot may lack."""
    write(tmp_path / "one.coex", FrameCache(None, 1))
    output = tmp_path / "nowhere/two.coex"
    with (tmp_path / "one.coex").open("rb") as stream:
        with closing(writer.open_written(stream, output)) as written:
            assert written.path == os.fsencode(output)
            assert written.frame(0)
        assert not stream.closed
