"""Kept frames that are not whole, or not this user's alone, are made again, and give the same bytes."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from coex_bootstrap.format.relocation import of_hashes

from conda_coex.archive.frame_cache import END, MARK, FrameCache, open_entry
from conda_coex.archive.payload import Payload
from conda_coex.errors import FramesDamaged
from conda_coex.root.content import Content, relocation_of
from conda_coex.root.layout import Group
from conda_coex.root.source import InMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OTHER = 54332  # a user that no machine has
NOTHING = b'"name": "NAME", "owner": "", "frames": [], "origins": [], "places": [[], [], [], []], "edits": {}'
WORDS = b"the text of a file " * 100


def build(directory: Path, data: bytes = WORDS, identity: str = "demo-1.0-0 of these files") -> bytes:
    """Return the payload of a package of one file."""
    group = Group("demo-1.0-0", identity, of_package=True)
    group.all_files = group.files = [Content("prefix/a", 0o644, 10**9, InMemory(data), len(data))]
    with tempfile.TemporaryFile() as stream:
        return written(stream, directory, [group])


def written(stream: IO[bytes], directory: Path, groups: list[Group]) -> bytes:
    payload = Payload(stream, FrameCache(directory, 3), lambda _size: None)
    payload.add(groups)
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
    assert (entry.read_bytes(), state.st_uid, state.st_mode & 0o7777) == (kept, os.geteuid(), 0o644)
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


def test_other_content_of_the_same_name(tmp_path: Path) -> None:
    """A package of the same name, version and build with other files is another one, whose frames are kept too."""
    first = build(tmp_path)
    other = build(tmp_path, WORDS.upper(), "demo-1.0-0 of other files")
    assert other != first
    assert build(tmp_path) == first
    assert len(list(tmp_path.glob("*.frames"))) == 2


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
    group.all_files = group.files = [*files.values(), Content("prefix/a", 0o644, 10**9, InMemory(WORDS), len(WORDS))]
    slots = [(("demo-1.0-0", item.path), 64 * number) for number, item in enumerate(files.values())]
    record = InMemory(bytes(128))
    meta.all_files = meta.files = [Content("prefix/r", 0o644, 10**9, record, 128, relocation=of_hashes(slots))]
    with tempfile.TemporaryFile() as stream:
        return written(stream, directory, [group, meta])


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


def test_leftover_that_cannot_be_removed(tmp_path: Path) -> None:
    """A build goes on; leftovers of a day ago are removed."""
    (tmp_path / ".a.frames.1").mkdir()
    (tmp_path / ".b.frames.1").write_bytes(b"")
    (tmp_path / ".c.frames.1").write_bytes(b"")
    for name in (".a.frames.1", ".b.frames.1"):
        os.utime(tmp_path / name, (0, 0))
    FrameCache(tmp_path, 3).sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.frames.1", ".c.frames.1"]
