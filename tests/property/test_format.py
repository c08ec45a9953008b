"""A written file is read back; any other bytes, as index or manifest, are refused with an error."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coex_bootstrap.base.errors import ArchiveDamaged, FormatUnknown, HostUnfit
from coex_bootstrap.format.archive import PRELUDE_START, Archive
from coex_bootstrap.format.index import Directory, File, Frame, Link
from coex_bootstrap.format.index_read import load_index
from coex_bootstrap.format.index_write import IndexDraft, dump_index
from coex_bootstrap.format.manifest import FRAME_LIMIT, NEEDED, Manifest, entry_files, load_manifest
from coex_bootstrap.format.tail import read_tail
from coex_bootstrap.start.entry_choice import command_words, set_line
from coex_bootstrap.start.host import check_host
from hypothesis import given
from hypothesis import strategies as st

from conda_coex.archive.new_tail import NewTail

names = st.binary(min_size=1, max_size=8).filter(lambda name: not set(name) & set(b"/\0") and name not in (b".", b".."))
words = st.binary(min_size=1, max_size=20).map(lambda word: word.replace(b"\0", b"-"))
letters = st.characters(codec="utf-8", exclude_characters="\0\n\t")
prefixes = st.text(letters, min_size=1, max_size=20).map(str.encode)  # placeholders are text of a paths.json
modes = st.integers(0, 0o7777).map(lambda mode: mode & ~0o022)  # as builders write them
seconds = st.integers(-(1 << 40), 1 << 40)
times = st.builds(lambda second, rest: second * 10**9 + rest, seconds, st.one_of(st.just(0), st.integers(1, 999999999)))
frame_places = st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 20))


@st.composite
def indexes(draw: st.DrawFn) -> IndexDraft:
    """Return a possible index: paths once, files in the order of their frames, only hashes of existing files."""
    index = IndexDraft()
    index.placeholders = draw(st.lists(prefixes, max_size=3))
    sizes = draw(st.lists(st.integers(0, FRAME_LIMIT), min_size=1, max_size=4))
    index.frames = [Frame(*draw(frame_places), size, b"0" * 64) for size in sizes]
    directories = [b"app", b"prefix"]
    for name in draw(st.lists(names, unique=True, max_size=4)):
        directories.append(draw(st.sampled_from(directories)) + b"/d" + name)
    index.directories = [Directory(draw(modes), path) for path in directories]
    files = []
    for name in draw(st.lists(names, unique=True, max_size=6)):
        path = draw(st.sampled_from(directories)) + b"/f" + name
        frame = draw(st.integers(0, len(sizes) - 1))
        offset = draw(st.integers(0, sizes[frame]))
        size = draw(st.integers(0, sizes[frame] - offset))
        if not size:
            frame = offset = 0
        relocation = draw(st.one_of(st.just(b"-"), words.filter(lambda word: not word.startswith(b"h"))))
        files.append(File(draw(modes), draw(times), frame, offset, size, relocation, path))
    index.files = sorted(files, key=lambda file: file.frame)
    for name in draw(st.lists(names, unique=True, max_size=3)):
        index.links.append(Link(draw(st.sampled_from(directories)) + b"/l" + name, draw(words)))
    return index


@given(indexes())
def test_index_round_trip(index: IndexDraft) -> None:
    data = dump_index(index)
    loaded = load_index(data)
    assert dump_index(loaded) == data
    assert list(loaded.files) == list(index.files)
    assert (loaded.frames, loaded.links, loaded.directories) == (index.frames, index.links, index.directories)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


COMMAND = [
    ["prefix", "bin/demo"], ["text", "--x"], ["expanded", "${COEX_APP}/x:${PWD}"], ["module", "src:a.b"],
    ["function", "a:b"],
]  # fmt: skip
FIELDS = {
    "format": 1, "digest": "0" * 64, "name": "demo", "platform": "linux-64", "date": 0, "prefix_limit": None,
    "entry_points": [{"name": "demo", "command": COMMAND, "imports": ["app", "app/src"]}], "libzstd": None,
    "packages": [{"name": "p", "version": "1", "build": "0", "compressed": 1, "unpacked": 2, "files": 3}],
    "requires": {"__glibc": [">=2.17"]}, "post_link": [{"name": "p", "version": "1", "build_number": 0}],
    "compile": {"python": "bin/python3.11", "sources": ["lib/a.py"]}, "prelude": 1, "payload": 1,
    "unpacked": {"files": 1, "bytes": 1}, "env": [{"name": "A", "value": "", "default": True}],
}  # fmt: skip


OPTIONAL: dict[str, object] = {"pip": [], "portable": {}, "keep_env": []}


@given(st.dictionaries(st.text(), json_values))
def test_manifest_round_trip(fields: dict[str, object]) -> None:
    manifest = Manifest({**fields, **OPTIONAL, **FIELDS})
    assert FIELDS.keys() > NEEDED.keys()
    assert load_manifest(manifest.dumps()).fields == manifest.fields


def places(value: object) -> list[list[object]]:
    """Return the way to every value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [[], *([key, *rest] for key, below in inner for rest in places(below))]


@given(st.data(), st.sampled_from([place for place in places(FIELDS) if place]))
def test_manifest_with_one_value_altered(data: st.DataObject, place: list[object]) -> None:
    """An accepted index is safe to use: only errors of ours are raised."""
    fields = copy.deepcopy(FIELDS)
    *way, last = place
    inner: Any = fields
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(json_values | st.sampled_from(["..", "/", "a/../..", "a\nb", "\0", "\ud800", 1 << 70, -1]))
    with contextlib.suppress(ArchiveDamaged, FormatUnknown):
        manifest = load_manifest(json.dumps(fields).encode())
        assert b"/" not in manifest.root_name
        with contextlib.suppress(HostUnfit):
            check_host(manifest)
        command = b"".join(command_words(manifest.entry_points[0]["command"], b"/root"))
        assert b"\0" not in command
        assert b"/.." not in set_line({**manifest.entry_points[0], "command": []}, b"/root")
        assert b"/.." not in b"".join(entry_files(manifest))
        time.gmtime(manifest.date)
        assert all("/" not in script["name"] for script in manifest.post_link)


@st.composite
def altered(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return bytes that are nearly `whole`: with pieces taken out, put in, or doubled."""
    data = whole
    for _ in range(draw(st.integers(1, 4))):
        start, stop = sorted([draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))])
        put = draw(st.binary(max_size=8) | st.sampled_from([b"", b"\0", b"\n", b"/..", data[start:stop] * 2]))
        data = data[:start] + put + (data[stop:] if draw(st.booleans()) else data[start:])
    return data


WHOLE = IndexDraft()
WHOLE.frames = [Frame(0, 10, 10, b"0" * 64)]
WHOLE.directories = [Directory(0o755, path) for path in (b"app", b"prefix", b"prefix/bin")]
WHOLE.files = [
    File(0o644, 12000000001, 0, 0, 5, b"-", b"prefix/bin/x"),
    File(0o644, 10**9, 0, 5, 5, b"t:0:", b"app/y"),
]
WHOLE.links = [Link(b"prefix/l", b"../target")]
TAIL = NewTail({"index": dump_index(WHOLE), "coex.json": b"{}", "other": b"x" * 20}).zip_bytes(0)


@given(st.one_of(st.binary(), st.binary().map(b"coex-index 1\n".__add__), altered(dump_index(WHOLE))))
def test_index_of_any_bytes(data: bytes) -> None:
    with contextlib.suppress(ArchiveDamaged, FormatUnknown):
        for row in load_index(data).files:
            assert row.path.startswith((b"prefix/", b"app/"))
            assert b".." not in row.path.split(b"/")


@given(st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode())))
def test_manifest_of_any_bytes(data: bytes) -> None:
    with contextlib.suppress(ArchiveDamaged, FormatUnknown):
        load_manifest(data)


@given(st.one_of(st.binary(), altered(TAIL)))
def test_tail_of_any_bytes(data: bytes) -> None:
    with contextlib.suppress(ArchiveDamaged):
        read_tail(io.BytesIO(data))


@given(st.one_of(st.binary(), altered(TAIL)))
def test_archive_of_any_bytes(data: bytes) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "x")
        path.write_bytes(PRELUDE_START + data)
        with contextlib.suppress(ArchiveDamaged, FormatUnknown):
            Archive(os.fsencode(path)).close()
