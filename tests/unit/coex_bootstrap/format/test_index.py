"""The index: a written one is read; a table that could write outside a root, or twice, is refused."""

import struct

import pytest
from coex_bootstrap.base.errors import ArchiveDamaged, FormatUnknown
from coex_bootstrap.format.index import COLUMNS, TEXT, Link
from coex_bootstrap.format.index_read import load_index
from coex_bootstrap.format.index_write import IndexDraft, dump_index

from unit.coex_bootstrap.building import add_frames, file_row, make_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

SHA = b"0" * 64
BASE = {
    "frame_offset": [0, 20], "frame_size": [20, 20], "frame_content": [10, 10], "frame_sha256": [SHA, SHA],
    "directory_path": [b"app", b"prefix", b"prefix/lib"], "directory_mode": [0o755, 0o755, 0o755],
    "file_directory": [1], "file_name": [b"x"], "file_mode": [0o644], "file_seconds": [0], "file_nanoseconds": [0],
    "file_frame": [0], "file_offset": [0], "file_size": [1],
}  # type: Dict[str, List[Any]]


def encode(**changes):
    # type: (**List[Any]) -> bytes
    """Return an index of BASE with some columns changed."""
    columns = dict(BASE, **changes)
    data = b"coex-index 1\n"
    for name, kind in COLUMNS:
        values = columns.get(name, [])
        if kind == TEXT:
            column = b"".join(value + b"\0" for value in values)
        else:
            column = struct.pack("<%d%s" % (len(values), kind), *values)
        data += ("%s %d\n" % (name, len(column))).encode("ascii") + column
    return data


def full_index():
    # type: () -> IndexDraft
    index = make_index(
        files=[
            file_row(b"prefix/bin/tool", 0, 0, 3, b"e:bin/python3.11", 0o4755),
            file_row(b"prefix/with blanks and\nnewline", 0, 3, 2, mtime_ns=12000000034),
            file_row(b"prefix/before", 0, 3, 2, mtime_ns=-2 * 10**9),
            file_row(b"prefix/empty", 0),
            file_row(b"prefix/\xff\xfe", 1, 0, 9, b"t:0:0=1+5!"),
        ],
        links=[Link(b"prefix/lib64", b"lib"), Link(b"prefix/out", b"/etc/my file")],
        directories=[b"app/empty"],
        placeholders=[b"/a b/placeholder", b"/other"],
    )
    add_frames(index, [b"12345", b"123456", b"123"])
    return index


def test_round_trip():
    # type: () -> None
    index = full_index()
    loaded = load_index(dump_index(index))
    assert dump_index(loaded) == dump_index(index)
    assert list(loaded.files) == index.files
    assert (loaded.placeholders, loaded.frames) == (index.placeholders, index.frames)
    assert (loaded.directories, loaded.links) == (index.directories, index.links)


def test_empty():
    # type: () -> None
    index = make_index()
    assert dump_index(load_index(dump_index(index))) == dump_index(index)


def test_text_is_the_documented_one():
    # type: () -> None
    index = load_index(encode())
    assert [tuple(row) for row in index.files] == [(0o644, 0, 0, 0, 1, b"-", b"prefix/x")]
    assert dump_index(index) == encode()


def test_rows_of_a_frame():
    # type: () -> None
    files = load_index(dump_index(full_index())).files  # type: Any
    assert [files.rows_of(number) for number in range(3)] == [(0, 4), (4, 5), (5, 5)]


def files(*names, **changes):
    # type: (*bytes, **List[Any]) -> Dict[str, List[Any]]
    """Return the columns of empty files of these names in `prefix`."""
    columns = dict((name, values * len(names)) for name, values in BASE.items() if name.startswith("file_"))
    columns.update(file_name=list(names), file_size=[0] * len(names))
    columns.update(changes)
    return columns


NAMES = [b"", b".", b"..", b"a/b", b"../x", b"/x", b"x/", b"lib", b"/"]
PATHS = [
    b"../x", b"prefix/../x", b"prefix/../../x", b"/etc/x", b"/", b"", b"x", b"prefixx/y", b"prefix//x", b"prefix/./x",
    b"prefix/x/", b"prefix/..", b"./prefix/x", b"prefix/missing/x", b"start", b"app/../start", b"..", b".", b"prefix",
]


@pytest.mark.parametrize("name", NAMES)
def test_refuses_a_name_that_leaves_its_directory(name):
    # type: (bytes) -> None
    with pytest.raises(ArchiveDamaged):
        load_index(encode(**files(b"fine", name)))


@pytest.mark.parametrize("path", PATHS)
def test_refuses_a_link_outside(path):
    # type: (bytes) -> None
    with pytest.raises(ArchiveDamaged):
        load_index(encode(link_path=[path], link_target=[b"target"]))


@pytest.mark.parametrize("path", PATHS)
def test_refuses_a_directory_outside(path):
    # type: (bytes) -> None
    with pytest.raises(ArchiveDamaged):
        load_index(encode(directory_path=[b"app", b"prefix", path], directory_mode=[0o755] * 3))


REFUSED = {
    "no such directory": {"file_directory": [3]},
    "parent after its child": {"directory_path": [b"app", b"prefix/lib", b"prefix"]},
    "directory behind a link": dict(
        directory_path=[b"app", b"prefix", b"prefix/l/d"], link_path=[b"prefix/l"], link_target=[b"/etc"]
    ),
    "link behind a link": {"link_path": [b"prefix/l", b"prefix/l/m"], "link_target": [b"/etc", b"x"]},
    "file and link": {"link_path": [b"prefix/x"], "link_target": [b"y"]},
    "link and directory": {"link_path": [b"prefix/lib"], "link_target": [b"y"]},
    "link twice": {"link_path": [b"app/l", b"app/l"], "link_target": [b"y", b"y"]},
    "file twice": files(b"x", b"x"),
    "link without target": {"link_path": [b"prefix/l"], "link_target": [b""]},
    "fewer targets than links": {"link_path": [b"prefix/l"], "link_target": []},
    "fewer names than files": {"file_name": []},
    "more modes than files": {"file_mode": [0o644, 0o644]},
    "relocated file without relocation": {"relocated_file": [0]},
    "mode of a file has a type": {"file_mode": [0o100644]},
    "mode of a directory has a type": {"directory_mode": [0o755, 0o755, 0o40755]},
    "no such frame": {"file_frame": [2]},
    "frames out of order": files(b"a", b"b", file_frame=[1, 0]),
    "over the end of its frame": {"file_offset": [5], "file_size": [6]},
    "larger than its frame": {"file_size": [11]},
    "large file that ends within its last frame": {"file_size": [15], "large_file": [0]},
    "large file that is larger than all frames": {"file_size": [30], "large_file": [0]},
    "large file that begins within a frame": {"file_size": [20], "file_offset": [1], "large_file": [0]},
    "large file without frames": {"file_frame": [1], "file_size": [20], "large_file": [0]},
    "empty file without a frame": files(b"x", frame_offset=[], frame_size=[], frame_content=[], frame_sha256=[]),
    "no such large file": {"large_file": [1]},
    "no such relocated file": {"relocated_file": [1], "relocated_relocation": [b"e:bin/python"]},
    "frame over the limit": {"frame_content": [10, 16777217]},
    "fewer sizes than frames": {"frame_size": [20]},
}  # type: Dict[str, Dict[str, List[Any]]]


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_refuses(what):
    # type: (str) -> None
    with pytest.raises(ArchiveDamaged):
        load_index(encode(**REFUSED[what]))


def test_takes_a_file_of_whole_frames():
    # type: () -> None
    index = load_index(encode(file_size=[20], large_file=[0]))
    assert [row.size for row in index.files] == [20]


def test_takes_equal_files_of_the_same_frames():
    # type: () -> None
    """Any number of them, with any modes, and relocated alike."""
    three = dict(files(b"a", b"b", b"c", file_size=[20] * 3, large_file=[0, 1, 2]), file_mode=[0o644, 0o755, 0o400])
    assert [row.size for row in load_index(encode(**three)).files] == [20] * 3
    relocated = dict(three, relocated_file=[0, 1, 2], relocated_relocation=[b"t:0:0=1"] * 3)
    assert [row.relocation for row in load_index(encode(**relocated)).files] == [b"t:0:0=1"] * 3
    for wrong in (
        dict(three, file_size=[20, 20, 10]), dict(three, file_size=[20, 10, 20]), dict(three, file_frame=[0, 0, 1]),
        dict(relocated, relocated_relocation=[b"t:0:0=1", b"t:0:0=1", b"t:0:0=2"]),
        dict(three, relocated_file=[1], relocated_relocation=[b"t:0:0=1"]),
    ):
        with pytest.raises(ArchiveDamaged):
            load_index(encode(**wrong))


def test_truncated_anywhere():
    # type: () -> None
    data = dump_index(full_index())
    for size in range(len(data)):
        with pytest.raises((ArchiveDamaged, FormatUnknown)):
            load_index(data[:size])


BAD = {
    "empty": b"",
    "another beginning": b"x" + encode(),
    "more behind it": encode() + b"x",
    "a line more": encode() + b"more 0\n",
    "another column": encode().replace(b"file_mode 4\n", b"file_rode 4\n"),
    "no length": encode().replace(b"file_mode 4\n", b"file_mode\n"),
    "negative length": encode().replace(b"file_mode 4\n", b"file_mode -4\n"),
    "length with a sign": encode().replace(b"file_mode 4\n", b"file_mode +4\n"),
    "half a number": encode().replace(b"file_mode 4\n\xa4\x01\0\0", b"file_mode 3\n\xa4\x01\0"),
    "text without end": encode().replace(b"file_name 2\nx\0", b"file_name 2\nxx"),
    "length beyond the end": encode().replace(b"link_target 0\n", b"link_target 99999999999999999999\n"),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_bytes_that_are_not_an_index(what):
    # type: (str) -> None
    assert BAD[what] != encode()
    with pytest.raises(ArchiveDamaged):
        load_index(BAD[what])


def test_another_version():
    # type: () -> None
    with pytest.raises(FormatUnknown) as caught:
        load_index(b"coex-index 2\nsomething else\0")
    assert "coex format 2 " in str(caught.value)
