"""The records of an environment that was built before are taken from the cache of frames, and are the same."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.base.cpu_count import usable_cores

from conda_coex.archive.entry_description import END, MARK
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.frames import pack
from conda_coex.archive.payload import Payload
from conda_coex.inputs.environment import Environment
from conda_coex.root.content import Content, relocation_of
from conda_coex.root.cores import Cores
from conda_coex.root.layout import Group, Layout
from conda_coex.root.link_rules import PackagePlan
from conda_coex.root.package import Package, PackagePath
from conda_coex.root.source import InMemory
from conda_coex.verbs.lay_out import META, compress_ahead, place_conda_meta

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coex_bootstrap.format.index import File

    from conda_coex.archive.frames import Packed, Piece

DATE = 1_700_000_000
RECORDED = "prefix/conda-meta/demo-1.0-0.json"
HOLDER, DATA = "/placeholder", b"#!/placeholder/bin/sh\n"
RECORD = {
    "name": "demo", "version": "1.0", "build": "0", "build_number": 0, "fn": "demo-1.0-0.conda",
    "channel": "https://host/channel/linux-64", "subdir": "linux-64", "url": "https://host/channel/linux-64/x",
}  # fmt: skip


def planned() -> PackagePlan:
    fields: Any = {"_path": "a", "path_type": "hardlink", "prefix_placeholder": HOLDER, "file_mode": "text"}
    path = PackagePath("a", "hardlink", HOLDER, "text", None, len(DATA), 0o644, 0, fields)
    relocation = relocation_of(HOLDER, "text")
    item = Content("prefix/a", 0o644, 0, InMemory(DATA), len(DATA), None, relocation, "a")
    package = Package(dict(RECORD), tempfile, None, (), (path,), None, None, listing="5" * 64)  # type: ignore[arg-type]
    return PackagePlan(package, (item,), (), {})


def build(cache: Path, date: int = DATE, **variables: str) -> tuple[bytes, list[File], bool]:
    """Return the payload of the records, the rows, and whether the records were kept."""
    plan, layout = planned(), Layout()
    layout.place(Group(plan.package.dist, None, of_package=True), plan.files)
    frames = FrameCache(cache, 3)
    environment = Environment("linux-64", (), ("demo",), (), {**variables})
    place_conda_meta(layout, [plan], environment, date, frames)
    (meta,) = [group for group in layout.groups() if group.owner == META]
    is_kept = meta.entry is not None
    with tempfile.TemporaryFile() as stream:
        payload = Payload(stream, frames, lambda _size: None)
        payload.add(layout.groups())
        assert payload.reader.altered(payload.frames) is None
        stream.seek(0)
        return stream.read(), payload.rows, is_kept


def entry_of(cache: Path) -> Path:
    (entry,) = cache.glob("*.frames")
    return entry


def test_kept(tmp_path: Path) -> None:
    payload, rows, is_kept = build(tmp_path)
    assert not is_kept
    assert {row.path for row in rows} == {b"prefix/a", RECORDED.encode(), b"prefix/conda-meta/history"}
    assert any(row.relocation.startswith(b"h") for row in rows)
    assert build(tmp_path) == (payload, rows, True)


def test_other_records_are_kept_beside(tmp_path: Path) -> None:
    build(tmp_path)
    assert not build(tmp_path, DATE + 1)[2]
    assert build(tmp_path)[2]
    assert len(list(tmp_path.glob("*.frames"))) == 2


def test_variables_are_not_kept(tmp_path: Path) -> None:
    first = build(tmp_path, TOKEN="secret")
    assert not list(tmp_path.iterdir())
    assert build(tmp_path, TOKEN="secret") == first


def changed(entry: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the description of an entry, which is whole again."""
    data = entry.read_bytes()
    length, _, _ = END.unpack(data[-END.size :])
    frames, text = data[: -END.size - length], data[-END.size - length : -END.size]
    description = json.loads(text)
    change(description)
    text = json.dumps(description).encode()
    entry.write_bytes(frames + text + END.pack(len(text), zlib.crc32(text), MARK))


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no slots": lambda entry: entry["slots"].clear(),
    "slots of another package": lambda entry: entry["slots"].update({RECORDED: [[["x", "a"], 9]]}),
    "slots that are no rows": lambda entry: entry["slots"].update({RECORDED: [9]}),
    "slots that are no mapping": lambda entry: entry.update(slots=[]),
    "without slots": lambda entry: entry.pop("slots"),
    "another file": lambda entry: entry["origins"].__setitem__(0, "prefix/x"),
    "a file less": lambda entry: entry["origins"].pop(),
    "columns of other lengths": lambda entry: entry["places"][0].pop(),
    "a column less": lambda entry: entry["places"].pop(),
    "columns that are no lists": lambda entry: entry.update(places=[1, 2, 3, 4]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_made_again(tmp_path: Path, what: str) -> None:
    payload, rows, _ = build(tmp_path)
    entry = entry_of(tmp_path)
    kept = entry.read_bytes()
    changed(entry, CHANGES[what])
    assert build(tmp_path) == (payload, rows, False)
    assert entry.read_bytes() == kept
    assert build(tmp_path) == (payload, rows, True)


def test_whole_but_cut(tmp_path: Path) -> None:
    payload, rows, _ = build(tmp_path)
    entry = entry_of(tmp_path)
    entry.write_bytes(entry.read_bytes()[:-1])
    assert build(tmp_path) == (payload, rows, False)


def test_of_others(tmp_path: Path) -> None:
    payload, rows, _ = build(tmp_path)
    entry_of(tmp_path).chmod(0o666)
    assert build(tmp_path) == (payload, rows, False)



@pytest.mark.parametrize("room", [True, False])
def test_nothing_is_compressed_ahead_into_a_cache_without_room(
    tmp_path: Path, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that are not kept would be compressed a second time, for the archive."""
    directory = tmp_path / "frames"
    if not room:
        directory.write_bytes(b"")  # no directory can be made there
    count, groups, packed = 8 * usable_cores(), [], []

    def pack_and_note(pieces: Sequence[Piece], level: int) -> Packed:
        packed.append(pieces)
        return pack(pieces, level)

    monkeypatch.setattr("conda_coex.archive.payload.pack", pack_and_note)
    for number in range(count):
        data = DATA + str(number).encode()
        item = Content(f"prefix/{number}", 0o644, 0, InMemory(data), len(data), hashlib.sha256(data).hexdigest())
        groups.append(Group(f"demo{number}", f"demo {number}", of_package=True, all_files=[item], files=[item]))
    compress_ahead(groups, FrameCache(directory, 3), Cores(2))
    assert len(packed) == count if room else 0 < len(packed) < count
