"""An entry whose description has another value than builders write is made again, and gives the same bytes."""

from __future__ import annotations

import functools
import json
import tempfile
import zlib
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.format.relocation import of_hashes

from conda_coex.archive.cache_entry import open_entry
from conda_coex.archive.entry_description import END, MARK
from conda_coex.archive.frame_cache import FrameCache
from conda_coex.archive.payload import Payload
from conda_coex.root.content import Content, relocation_of
from conda_coex.root.layout import Group
from conda_coex.root.source import InMemory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACEHOLDER = "/opt/" + "placeholder_" * 6
OTHERS = (None, True, -1, 1.5, 1 << 70, "x", "\ud800", [], [None], {}, {"x": None})  # values of every type of JSON


def relocated(directory: Path) -> bytes:
    """Return the payload of a package of a text and a program that name its prefix, and of a record of both."""
    texts = {"text": f"#!{PLACEHOLDER}/bin/sh\n".encode(), "binary": f"\0{PLACEHOLDER}/lib\0{PLACEHOLDER}\0".encode()}
    group, meta = Group("demo-1.0-0", "demo"), Group("conda-meta", "records")
    files = {
        kind: Content(f"prefix/{kind}", 0o644, 10**9, InMemory(data), len(data), None, relocation_of(PLACEHOLDER, kind))
        for kind, data in texts.items()
    }
    group.all_files = group.files = [*files.values(), Content("prefix/a", 0o644, 10**9, InMemory(b"a text"), 6)]
    slots = [(("demo-1.0-0", item.path), 64 * number) for number, item in enumerate(files.values())]
    record = InMemory(bytes(128))
    meta.all_files = meta.files = [Content("prefix/r", 0o644, 10**9, record, 128, relocation=of_hashes(slots))]
    with tempfile.TemporaryFile() as stream:
        payload = Payload(stream, FrameCache(directory, 3), lambda _size: None)
        payload.add([group, meta])
        assert payload.reader.altered(payload.frames) is None
        return stream.read()


def places(value: object) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every value in a JSON document, the document itself first."""
    yield ()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from ((key, *place) for place in places(item))


def put(document: object, place: tuple[str | int, ...], value: object) -> object:
    """Return a document with another value at a place."""
    if not place:
        return value
    copy = list(document) if isinstance(document, list) else dict(document)
    copy[place[0]] = put(copy[place[0]], place[1:], value)
    return copy


def is_alike(one: object, other: object) -> bool:
    """Return whether values have the same type, and Python takes neither for the other."""
    return type(one) is type(other) or (isinstance(one, int) and isinstance(other, int) and 0 <= other < 2)


def test_every_field_of_another_type(tmp_path: Path) -> None:
    """An entry with a right checksum, whose description has a value of another type anywhere, is made again."""
    payload = relocated(tmp_path)
    tried = 0
    for path in sorted(tmp_path.glob("*.frames")):
        kept = path.read_bytes()
        length = END.unpack(kept[-END.size :])[0]
        frames, text = kept[: -END.size - length], kept[-END.size - length : -END.size]
        document = json.loads(text)
        assert document["edits"] or document["slots"]
        for place in places(document):
            old = functools.reduce(lambda value, key: value[key], place, document)
            for other in OTHERS:
                is_time = other == -1 and place[:2] == ("places", 3)  # before 1970
                if is_time or (is_alike(old, other) and other not in (-1, 1 << 70)):
                    continue
                altered = json.dumps(put(document, place, other)).encode()
                path.write_bytes(frames + altered + END.pack(len(altered), zlib.crc32(altered), MARK))
                assert open_entry(path) is None, (place, other)
                tried += 1
        assert relocated(tmp_path) == payload
        assert path.read_bytes() == kept
    assert tried > 300


@pytest.mark.parametrize(("kind", "item"), [("text", [3]), ("text", [3, 0, 0]), ("binary", [9, 3])])
def test_edits_of_another_kind(tmp_path: Path, kind: str, item: list[int]) -> None:
    payload = relocated(tmp_path)
    path = next(path for path in tmp_path.glob("*.frames") if b'"edits":{}' not in path.read_bytes())
    kept = path.read_bytes()
    length = END.unpack(kept[-END.size :])[0]
    document = json.loads(kept[-END.size - length : -END.size])
    document["edits"][f"prefix/{kind}"][0][1] = [item]
    altered = json.dumps(document).encode()
    path.write_bytes(kept[: -END.size - length] + altered + END.pack(len(altered), zlib.crc32(altered), MARK))
    assert relocated(tmp_path) == payload
    assert path.read_bytes() == kept
