"""Which paths an image has: links, whiteouts, and tars that nobody should make."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import BaseRefused
from conda_coex.image import tree as trees
from conda_coex.image.tree import DIRECTORY, LINK, OTHER, Tree
from unit.conda_coex.image.bases import tar_of

if TYPE_CHECKING:
    from collections.abc import Callable


def tree_of(*tars: bytes) -> Tree:
    tree = Tree()
    for tar in tars:
        tree.add(io.BytesIO(tar), b"base")
    return tree


def test_links() -> None:
    links = {"bin": "usr/bin", "usr/bin/sh": "/usr/bin/dash", "lib64": "../usr/lib64", "a": "b", "b": "a", "o": "/etc"}
    tree = tree_of(tar_of({"./usr/bin/dash": b"", "usr/lib64/ld-linux.so": b""}, links))
    assert tree.has("bin/sh")
    assert tree.has("/usr/bin/sh")
    assert not tree.has("bin/bash")
    assert not tree.has("a/x")
    assert not tree.has("o")
    kinds = [tree.kind(path, follow=False) for path in ("bin", "usr/bin/dash", "opt", "")]
    assert kinds == [LINK, OTHER, None, DIRECTORY]
    assert list(tree.names_in("lib64", "usr/lib64", "a")) == ["ld-linux.so"]  # a link out of the root leads nowhere


def test_whiteouts() -> None:
    below = tar_of({"a/x": b"", "a/y": b"", "b/x": b"", "b/c/z": b"", "d": b"", "e/f/g": b""})
    above = tar_of({"a/.wh.x": b"", "b/.wh..wh..opq": b"", "b/new": b"", ".wh.d": b"", ".wh.e": b""})
    tree = tree_of(below, above)
    paths = ("a/x", "a/y", "b/x", "b/c/z", "b/new", "d", "e/f/g")
    assert [tree.has(path) for path in paths] == [False, True, False, False, True, False, False]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names(form: int) -> None:
    name, target = "d" * 90 + "/" + "n" * 60, "t" * (90 if form == tarfile.USTAR_FORMAT else 200)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers={"comment": "x"}) as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        tar.addfile(entry)
        entry = tarfile.TarInfo(target)
        entry.size = 700
        tar.addfile(entry, io.BytesIO(b"x" * 700))
        tar.addfile(tarfile.TarInfo("last"))
    found = {entry.name: entry.linkname for entry in trees.entries(io.BytesIO(buffer.getvalue()), b"base")}
    assert found == {name: target, target: "", "last": ""}


def cut(data: bytes) -> bytes:
    return data[:700]


def altered(data: bytes) -> bytes:
    return data[:10] + b"!" + data[11:]


def long_header(_: bytes) -> bytes:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 2 << 20
    return entry.tobuf() + b"x" * (2 << 20)


def with_record(name: bytes, value: bytes) -> bytes:
    record = b" " + name + b"=" + value + b"\n"
    size = next(size for size in range(len(record), len(record) + 9) if len(str(size)) + len(record) == size)
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = b"x", size
    return entry.tobuf() + str(size).encode() + record + b"\0" * (-size % 512) + tarfile.TarInfo("y").tobuf()


def bad_size(_: bytes) -> bytes:
    return with_record(b"size", b"-12")


def size_of_no_digits(_: bytes) -> bytes:
    return with_record(b"size", "\N{SUPERSCRIPT TWO}".encode())


def size_of_many_digits(_: bytes) -> bytes:
    return with_record(b"size", b"1" * 5000)


def deep(_: bytes) -> bytes:
    """Each of its directories would be remembered, with its whole path."""
    return with_record(b"path", b"a/" * 100_000)


def long_target(_: bytes) -> bytes:
    return with_record(b"linkpath", b"a" * 5000)


@pytest.mark.parametrize("change", [
    cut, altered, long_header, bad_size, size_of_no_digits, size_of_many_digits, deep, long_target,
])  # fmt: skip
def test_no_tars(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BaseRefused, match="cannot be the base of the image"):
        tree_of(change(tar_of({"x": b"y" * 1000})))


def test_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_NAMES", 5)
    with pytest.raises(BaseRefused, match="more than 5 files"):
        tree_of(tar_of({str(number): b"" for number in range(6)}))


def test_too_many_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_NAMES", 5)
    with pytest.raises(BaseRefused, match="more than 5 files"):
        tree_of(tar_of({"a/b/c/d/e/f": b""}))


def test_too_long_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_CHARACTERS", 100)
    with pytest.raises(BaseRefused, match="too long names"):
        tree_of(tar_of({"a" * 60: b"", "b" * 60: b""}))


def test_headers_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_HEADERS", 5)
    with pytest.raises(BaseRefused, match="more than 5 headers"):
        tree_of(with_record(b"path", b"z")[:1024] * 5 + tar_of({}))
    assert tree_of(with_record(b"path", b"z")[:1024] * 4 + tar_of({})).has("") is True


def test_records_of_odd_lengths() -> None:
    """A wrong length ends the list; the records before it count."""
    for odd in (b"1" * 5000 + b" x=y\n", b"0 x=y\n", b"999 x=y\n", b"x"):
        record = b"10 path=z\n" + odd
        entry = tarfile.TarInfo("x")
        entry.type, entry.size = b"x", len(record)
        tree = tree_of(entry.tobuf() + record + b"\0" * (-len(record) % 512) + tarfile.TarInfo("y").tobuf())
        assert tree.has("z")
        assert not tree.has("y")


def test_names_that_leave_the_root_stay_in_the_tree() -> None:
    tree = tree_of(tar_of({"../../bin/sh": b"", "/etc/passwd": b""}))
    assert tree.has("bin/sh")
    assert tree.has("etc/passwd")
