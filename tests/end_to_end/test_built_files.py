"""All files come out byte for byte: equal files, empty files, long records, and packages that were replaced."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.archives import Archive, Coex, only_root
from end_to_end.own_channel import put, workshop
from testbed.package import PLACEHOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout

FRAME = 4 << 20
RUN = ("--entrypoint", "./show.sh")


def data_of(size: int) -> bytes:
    """Return bytes that do not get smaller, always the same."""
    return Random(size).randbytes(size)


def ask(archive: Path, store: Path, *words: str) -> dict[str, Any]:
    done = Archive(archive).run(*words, "--json", store=store, env={"COEX_TOOLS": "1"})
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "show.sh").write_text("#!/bin/sh\necho started\n")
    return tmp_path


@pytest.fixture
def twins(testbed: Layout, work: Path) -> tuple[Path, tuple[str, ...]]:
    """Return a package with equal files of every kind, and the option for its channel."""
    made = workshop(testbed, work).noarch("twin")
    plain, placed = data_of(FRAME + 1), bytearray(data_of(2 * FRAME + 5))
    text = PLACEHOLDER.encode() + b"/lib\0"
    placed[FRAME - 20 : FRAME - 20 + len(text)] = text
    for name, mode in (("a", 0o644), ("b", 0o755), ("c", 0o600)):
        made.data(f"share/{name}.bin", plain, mode)
        made.data(f"share/{name}.placed", bytes(placed), mode)
        made.data(f"share/{name}.frame", data_of(FRAME), mode)
    return made.root, put(work / "channel", [made])


def test_equal_files_of_several_frames(
    coex: Coex, conda: Conda, channel: tuple[str, ...], twins: tuple[Path, tuple[str, ...]], work: Path
) -> None:
    """The result equals conda's own installation at the same place; every verb reads the archive."""
    source, more = twins
    for name in ("first", "again"):  # the second from the frames that the first has kept
        coex(work, "-q", *RUN, "-o", f"{name}.coex", *more, packages=("twin", "zstd"))
        store = work / f"store-{name}"
        assert Archive(work / f"{name}.coex").start(store=store) == "started\n"
    prefix = only_root(work / "store-first") / "prefix"
    check_twins(source, prefix)
    moved = prefix.rename(prefix.with_name("moved"))
    conda("create", "-q", "-y", "--copy", "--offline", "-p", prefix, *channel, *more, "twin", "zstd")
    names = [f"share/{path.name}" for path in (source / "share").iterdir()]
    assert filecmp.cmpfiles(prefix, moved, names, shallow=False) == (names, [], [])
    shutil.rmtree(prefix)
    moved.rename(prefix)
    assert ask(work / "first.coex", work / "store-first", "verify")["root"]["differences"] == []
    victims = [prefix / "share/b.placed", prefix / "share/c.bin"]
    before = [path.read_bytes() for path in victims]
    for path in victims:
        path.write_bytes(b"")
    repaired = ask(work / "first.coex", work / "store-first", "repair")["repaired"]
    assert repaired == ["prefix/share/b.placed", "prefix/share/c.bin"]
    assert [path.read_bytes() for path in victims] == before
    conda("coex", "inspect", "--sizes", work / "first.coex")
    assert "share/b.bin" in Archive(work / "first.coex").start("files", store=work, env={"COEX_TOOLS": "1"})
    conda("coex", "repack", work / "first.coex", "--env", "A=b", "-o", work / "other.coex")
    assert Archive(work / "other.coex").start(store=work / "store-first") == "started\n"  # beside the other's root
    ask(work / "other.coex", work / "x", "unpack", "-p", str(work / "unpacked"))
    check_twins(source, work / "unpacked")


def check_twins(source: Path, prefix: Path) -> None:
    for path in sorted((source / "share").iterdir()):
        made = prefix / "share" / path.name
        assert made.stat().st_mode & 0o7777 == path.stat().st_mode & 0o7755
        if path.suffix != ".placed":
            assert filecmp.cmp(path, made, shallow=False)
    assert (prefix / "share/a.placed").read_bytes() == (prefix / "share/b.placed").read_bytes()


def test_equal_files_of_a_live_environment(
    conda: Conda, channel: tuple[str, ...], twins: tuple[Path, tuple[str, ...]], work: Path
) -> None:
    """Files of nobody, hard links to one file, and those of the package, which have the prefix in them."""
    source, more = twins
    prefix = work / "live"
    conda("create", "-q", "-y", "--offline", "-p", prefix, *channel, *more, "twin", "zstd")
    (prefix / "mine").mkdir()
    for name in "ab":
        (prefix / "mine" / name).write_bytes(data_of(FRAME + 7))
    os.link(prefix / "share/a.bin", prefix / "share/linked.bin")
    os.link(prefix / "mine/a", prefix / "mine/c")
    conda("coex", "pack", "-y", "--from-prefix", prefix, "--fast", *RUN, "-o", "live.coex", cwd=work)
    assert Archive(work / "live.coex").start(store=work / "store") == "started\n"
    root = only_root(work / "store") / "prefix"
    check_twins(source, root)
    for name in ("mine/a", "mine/b", "mine/c", "share/linked.bin"):
        assert filecmp.cmp(prefix / name, root / name, shallow=False)


def test_packages_of_empty_files(coex: Coex, testbed: Layout, work: Path) -> None:
    """Packages of only empty files, only links, or no files.

    As the first, between others, as the last, and together.
    """
    made = []
    for name in ("aaa", "bbb", "ccc", "ddd", "zzz"):
        package = workshop(testbed, work).noarch(name)
        if name in ("aaa", "ccc", "zzz"):
            package.data(f"share/{name}/one", b"")
            package.data(f"share/{name}/two", b"", 0o755)
        elif name == "bbb":
            package.link("share/bbb", "aaa")
        else:
            package.data("share/ddd/full", b"x")
        made.append(package)
    more = put(work / "channel", made)
    for number, names in enumerate([("aaa",), ("bbb",), ("aaa", "ccc"), ("aaa", "bbb", "ccc", "ddd", "zzz")]):
        coex(work, "-q", *RUN, "-o", "out.coex", *more, packages=(*names, "zstd"))
        store = work / f"store-{number}"
        assert Archive(work / "out.coex").start(store=store) == "started\n"
        share = only_root(store) / "prefix/share"
        found = [path for path in share.rglob("*") if path.name in ("one", "two")]
        empty = {path.parent.name for path in found if not path.stat().st_size}
        assert empty == {name for name in names if name in ("aaa", "ccc", "zzz")}
        assert not ask(work / "out.coex", store, "verify")["root"]["differences"]


def test_record_longer_than_a_frame(coex: Coex, conda: Conda, testbed: Layout, work: Path) -> None:
    """A package of some ten thousand files has such a record, and the sha256 of relocated files in it."""
    package = workshop(testbed, work).noarch("many")
    for number in range(9000):
        package.text(f"share/many/{'long-name-' * 12}{number}.h", "")
    package.text("etc/many.conf", f"place={PLACEHOLDER}\n")
    more = put(work / "channel", [package])
    coex(work, "-q", *RUN, "-o", "many.coex", *more, packages=("many", "zstd"))
    assert Archive(work / "many.coex").start(store=work / "store") == "started\n"
    prefix = only_root(work / "store") / "prefix"
    record = prefix / "conda-meta/many-1.0-0.json"
    assert record.stat().st_size > FRAME
    rows = {row["_path"]: row for row in json.loads(record.read_text())["paths_data"]["paths"]}
    found = subprocess.run(["sha256sum", prefix / "etc/many.conf"], capture_output=True, text=True, check=True)
    assert rows["etc/many.conf"]["sha256_in_prefix"] == found.stdout.split()[0]
    files = ask(work / "many.coex", work / "store", "files", "--package", "many-*")["files"]
    assert len(files) == 9002
    assert json.loads(conda("list", "--json", "-p", prefix, "many").stdout)[0]["version"] == "1.0"


def test_records_of_files_that_others_overwrite(
    coex: Coex, conda: Conda, channel: tuple[str, ...], testbed: Layout, work: Path
) -> None:
    """The sha256 in them are conda's: of a package's own file, also if it is not there, is behind a link, or stays."""
    place = f"place={PLACEHOLDER}\n"
    names = ("first", "later", "linking", "through", "wrong")
    first, later, linking, through, wrong = (workshop(testbed, work).noarch(name) for name in names)
    for name in ("by-text", "by-link", "by-relocated", "own", "below/in"):
        first.text(f"etc/{name}.conf", place)
    later.text("etc/by-text.conf", "no place\n")
    later.link("etc/by-link.conf", "own.conf")
    later.text("etc/by-relocated.conf", place * 2)
    later.text("etc/below", "over a directory\n")
    linking.text("lib/real/a.txt", "a")
    linking.link("lib64", "lib")
    through.text("lib64/real/b.txt", place)
    through.depends = ["linking"]
    for name, data in {"text": b"no place", "script": b"#!/bin/sh\n", "binary": b"\0bin", "empty": b""}.items():
        wrong.data(f"share/wrong/{name}", data)
    wrong.tamper = say_that_all_are_relocated
    more = put(work / "channel", [first, later, linking, through, wrong])
    coex(work, "-q", *RUN, "-o", "out.coex", *more, packages=(*names, "zstd"))
    assert Archive(work / "out.coex").start(store=work / "store") == "started\n"
    assert ask(work / "out.coex", work / "store", "verify")["root"]["differences"] == []
    prefix = only_root(work / "store") / "prefix"
    found = {name: sums_in_prefix(prefix, name) for name in names}
    record = prefix / "conda-meta/first-1.0-0.json"
    whole = record.read_bytes()
    record.write_bytes(b"")
    ask(work / "out.coex", work / "store", "repair")
    assert record.read_bytes() == whole
    conda("coex", "repack", work / "out.coex", "--env", "A=b", "-o", work / "other.coex")
    assert Archive(work / "other.coex").start(store=work / "other") == "started\n"
    prefix.rename(work / "made")
    conda("create", "-q", "-y", "--copy", "--offline", "-p", prefix, *channel, *more, *names, "zstd")
    assert {name: sums_in_prefix(prefix, name) for name in names} == found


def say_that_all_are_relocated(root: Path) -> None:
    file = root / "info/paths.json"
    found = json.loads(file.read_text())
    for row in found["paths"]:
        row.update(prefix_placeholder=PLACEHOLDER, file_mode="binary" if row["_path"].endswith("binary") else "text")
    file.write_text(json.dumps(found))


def sums_in_prefix(prefix: Path, name: str) -> dict[str, str | None]:
    """Return the sha256 of each file of a package, by its record."""
    (record,) = prefix.glob(f"conda-meta/{name}-*.json")
    rows = json.loads(record.read_text())["paths_data"]["paths"]
    return {row["_path"]: row.get("sha256_in_prefix") for row in rows}


@pytest.mark.parametrize("content", ["B" * 10, "another size"])
def test_replaced_package_of_a_channel_that_says_otherwise(
    coex: Coex, testbed: Layout, work: Path, content: str
) -> None:
    """conda does not compare the sums of a file:// channel; the packed files are the extracted ones."""
    env = {"CONDA_PKGS_DIRS": str(work / "pkgs")}
    for number, text in enumerate(("A" * 10, content)):
        package = workshop(testbed, work / str(number)).noarch("demo")
        package.text("share/demo.txt", text)
        more = put(work / "channel", [package], index=not number)
        for path in (work / "pkgs").glob("demo-*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        coex(work, "-q", *RUN, "-o", f"{number}.coex", *more, packages=("demo", "zstd"), env=env)
        Archive(work / f"{number}.coex").start(store=work / f"store-{number}")
        prefix = only_root(work / f"store-{number}") / "prefix"
        assert (prefix / "share/demo.txt").read_text() == text


@pytest.mark.parametrize("name", ["share/demo.txt", "share/twin.txt"])
def test_package_that_was_edited_through_a_hard_link(
    coex: Coex, conda: Conda, channel: tuple[str, ...], testbed: Layout, work: Path, name: str
) -> None:
    """With the frames of an earlier build as without: it is refused; touched alone, it is packed."""
    env = {"CONDA_PKGS_DIRS": str(work / "pkgs")}
    package = workshop(testbed, work).noarch("demo")
    for each in ("share/demo.txt", "share/twin.txt"):
        package.text(each, "A" * 10)
    more = put(work / "channel", [package])

    def build() -> subprocess.CompletedProcess[str]:
        return coex(work, "-q", *RUN, "-o", "a.coex", *more, packages=("demo", "zstd"), env=env, check=False)

    conda("create", "-q", "-y", "--offline", "-p", work / "live", *channel, *more, "demo", env=env)
    file = work / "live" / name
    assert file.stat().st_nlink > 1
    for known in (False, True):
        if known:
            assert not build().returncode
            os.utime(file, (5, 5))
            assert not build().returncode
        file.write_text("B" * 10)
        refused = build()
        assert refused.returncode == 1
        assert f"{name}: differs from the record of its package" in refused.stderr
        file.write_text("A" * 10)


def test_roots_share_frames_that_begin_with_a_large_relocated_file(testbed: Layout, coex: Coex, work: Path) -> None:
    """An empty file begins in the frame of the large one: a second root links the first file, and writes the other."""
    made = workshop(testbed, work).noarch("edge")
    text = PLACEHOLDER.encode() + b"/lib\0"
    made.data("bin/empty", b"")
    made.data("share/large.bin", text + data_of(FRAME + 1) + b"\0")
    more = put(work / "channel", [made])
    store = work / "store"
    for name, app in (("first", "one"), ("second", "two")):
        (work / "app.txt").write_text(app)
        coex(work, "-q", *RUN, "-o", f"{name}.coex", *more, "show.sh", "app.txt", packages=("edge", "zstd"))
        assert Archive(work / f"{name}.coex").start(store=store) == "started\n"
        assert ask(work / f"{name}.coex", store, "verify", "--root")["root"]["differences"] == []
