"""The files of a root after packages with the same paths: as in a prefix after conda's own linking."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conda.common.path import get_leaf_directories
from conda.gateways.disk.create import create_link
from conda.models.enums import LinkType
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conda_coex.errors import PackageRefused
from conda_coex.root.content import Content, Link, relocation_of
from conda_coex.root.layout import Group, Layout
from conda_coex.root.source import InMemory


@dataclass(frozen=True)
class Made:
    """A path of a package as it is drawn: a file, or a link if it has a target."""

    path: str
    target: str | None = None


paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
steps = st.sampled_from(["a", "b", "c", ".", ".."])
targets = st.lists(steps, min_size=1, max_size=3).map(lambda words: str(Path(*words)))
packages = st.lists(st.lists(st.builds(Made, paths, st.none() | targets), max_size=5), min_size=1, max_size=4)


def write_package(directory: Path, drawn: list[Made]) -> list[Made]:
    """Write a package's directory, and return the drawn files that one directory can have at once."""
    found = []
    for made in drawn:
        path = directory / made.path
        if any((directory / parent).is_symlink() for parent in Path(made.path).parents) or os.path.lexists(path):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:  # a file of this package is where the directory would be
            continue
        if made.target is None:
            path.write_text(f"{directory.name} {made.path}")
        else:
            path.symlink_to(made.target)
        found.append(made)
    return found


def link_as_conda_does(directory: Path, package: list[Made], prefix: Path) -> None:
    """Link a package as conda's transaction does: its leaf directories, then its files, in the package's order."""
    for short in get_leaf_directories([made.path for made in package]):
        create_link(None, str(prefix / short), LinkType.directory)
    for made in package:
        create_link(str(directory / made.path), str(prefix / made.path), LinkType.copy)


def tree(prefix: Path) -> dict[str, str]:
    """Return the content or the target at each path below a prefix, or neither."""
    found = {}
    for top, directories, names in os.walk(prefix):
        for name in (*directories, *names):
            path = Path(top, name)
            where = str(path.relative_to(prefix))
            if path.is_symlink():
                found[where] = f"-> {path.readlink()}"
            else:
                found[where] = "directory" if path.is_dir() else path.read_text()
    return found


def tree_of(layout: Layout) -> dict[str, str]:
    found = {path.removeprefix("prefix/"): "directory" for path in layout.directories if path.startswith("prefix/")}
    for path, entry in layout.entries.items():
        assert entry.path == path
        data = f"-> {entry.target}" if isinstance(entry, Link) else (entry.read() or b"").decode()
        found[path.removeprefix("prefix/")] = data
    return found


def place(layout: Layout, name: str, package: list[Made]) -> None:
    layout.place(name, [
        file(made.path, f"{name} {made.path}") if made.target is None else Link(f"prefix/{made.path}", made.target)
        for made in package
    ])  # fmt: skip


def file(path: str, text: str = "", placeholder: str | None = None) -> Content:
    relocation = relocation_of(placeholder, "text") if placeholder else None
    return Content(f"prefix/{path}", 0o644, 0, InMemory(text.encode()), len(text), relocation=relocation)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # conda leaves directories open
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(packages)
@example([[Made("a")], [Made("a")]])  # the later package wins
@example([[Made("a/b"), Made("a/c")], [Made("a")]])  # a file takes the place of a directory
@example([[Made("a")], [Made("a/b")]])  # and a directory that of a file
@example([[Made("a", "b"), Made("b/c")], [Made("a/x")]])  # through a link to a directory
@example([[Made("a", "b")], [Made("a/x")]])  # a link to nothing makes way for a directory
@example([[Made("a", "b"), Made("b/c")], [Made("a", "c")]])  # the link itself is overwritten
@example([[Made("a", "b"), Made("b", "a")], [Made("a/x")]])  # a circle
@example([[Made("a", "b"), Made("b", "c"), Made("c/x")], [Made("a/y")]])  # through a link to a link to a directory
@example([[Made("a", "b/c"), Made("b/c/x"), Made("c", "a/..")], [Made("c/y")]])  # `..` behind a link
@example([[Made("b", "c")], [Made("c/a"), Made("b/a")]])  # all directories of a package come before its files
def test_as_conda_links(drawn: list[list[Made]]) -> None:
    with TemporaryDirectory() as scratch:
        prefix, layout = Path(scratch, "prefix"), Layout()
        prefix.mkdir()
        refused = False
        for number, each in enumerate(drawn):
            package = write_package(Path(scratch, f"p{number}"), each)
            try:
                place(layout, f"p{number}", package)
            except PackageRefused:
                refused = True
                break
            try:
                link_as_conda_does(Path(scratch, f"p{number}"), package, prefix)
            except OSError:  # conda's makedirs fails below a file
                assume(False)
        assume(not refused)
        assert tree_of(layout) == tree(prefix)


def test_link_that_leads_out_is_refused_when_a_file_lies_behind_it() -> None:
    layout = Layout()
    layout.place("first", [Link("prefix/out", "../../etc")])
    with pytest.raises(PackageRefused, match="the link out of first leads out of the environment"):
        layout.place("second", [file("out/passwd")])


def test_winner_is_listed_with_its_own_package() -> None:
    layout = Layout()
    layout.place(Group("first", of_package=True), [file("both"), file("mine")])
    layout.place("second", [file("both")])
    layout.place("first", [file("late")])  # another lot of a group that there is
    found = {group.owner: [item.path for item in group.files] for group in layout.groups()}
    assert found == {"first": ["prefix/mine", "prefix/late"], "second": ["prefix/both"]}
    assert [item.path for item in layout.groups()[0].all_files] == ["prefix/both", "prefix/mine", "prefix/late"]


@pytest.mark.parametrize(("placeholder", "owners"), [(None, ["second"]), ("/holder", ["first", "second"])])
def test_group_without_a_file_left_stays_for_its_sums(placeholder: str | None, owners: list[str]) -> None:
    """conda's record of the first package has the sha256 of its relocated file, though another has overwritten it."""
    layout = Layout()
    layout.place("first", [file("both", placeholder=placeholder)])
    layout.place("second", [file("both")])
    assert [group.owner for group in layout.groups()] == owners


def test_removed_and_empty() -> None:
    layout = Layout()
    layout.place("first", [file("a/x"), file("b"), Link("prefix/l", "b")])
    layout.remove(["prefix/b", "prefix/none"])
    layout.place_app([Content("app/main", 0o644, 0, InMemory(b""), 0)], ["app/empty/deep"])
    assert list(layout.entries) == ["prefix/a/x", "prefix/l", "app/main"]
    assert layout.links() == [Link("prefix/l", "b")]
    assert layout.directories == {"prefix", "prefix/a", "app", "app/empty", "app/empty/deep"}


def test_files_that_a_group_gets_later() -> None:
    """The key of its frames named the first ones alone, so the group has none any more."""
    layout = Layout()
    group = Group("demo", "content of a")
    for path in ("prefix/a", "prefix/b"):
        layout.place(replace(group), [Content(path, 0o644, 0, InMemory(b"x"), 1)])
    (placed,) = layout.groups()
    assert (placed.identity, len(placed.all_files)) == (None, 2)
    assert group.identity == "content of a"
