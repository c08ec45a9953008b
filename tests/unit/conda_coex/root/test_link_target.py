"""Links of a root lead where the file system says they lead."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conda_coex.root.content import Link
from conda_coex.root.link_target import MOST_LINKS, TooManyLinks, is_below, leaving_links, resolve_links

parts = st.sampled_from(["prefix", "app", "a", "b", ".", "..", "", "../.."])
texts = st.lists(parts, min_size=1, max_size=4).map("/".join).filter(bool)
places = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(st.builds("{}/{}".format, st.sampled_from(["prefix", "app"]), places), texts, max_size=5)


def make_links(top: Path, links: dict[str, str]) -> dict[str, str]:
    """Make links below a directory; return those that could be made: no link has another one behind it."""
    made = {}
    for path, target in sorted(links.items()):
        place = top / path
        if os.path.lexists(place) or any(str(parent) in made for parent in Path(path).parents):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
        made[path] = target
    return made


def inside(top: Path, path: str) -> str | None:
    """Return a path without links relative to `top`, None if it is outside."""
    return os.path.relpath(path, top) if f"{path}/".startswith(f"{top}/") else None


def is_circle(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(trees, texts)
@example({"prefix/a": "b", "prefix/b": "../app"}, "prefix/a/x")
@example({"prefix/a": "b/b", "app/a": "../prefix/a"}, "app/a/../a")  # `..` behind a link: that of its target
@example({"prefix/a": "/prefix/b"}, "prefix/a")
@example({"prefix/a": "a"}, "prefix/a/x")
@example({"prefix/a": "../../b"}, "prefix/a")
def test_resolved_as_by_the_file_system(links: dict[str, str], path: str) -> None:
    with TemporaryDirectory() as scratch:
        top = Path(os.path.realpath(scratch), "root")  # no path comes back once it has left: none of them names it
        made = make_links(top, links)
        try:
            found = resolve_links(path, made.get)
            at = resolve_links(path, made.get, last=False)
        except TooManyLinks:
            assert any(is_circle(top / each) for each in (path, *made))
            return
        assert (found if found != "" else ".") == inside(top, os.path.realpath(top / path))
        directory, name = os.path.split(path)
        if at is not None and name not in ("", ".", ".."):
            assert at == inside(top, os.path.realpath(top / directory) + f"/{name}")


@pytest.mark.parametrize(
    ("links", "leaving"),
    [
        ({"prefix/a": "b", "prefix/b": "/etc"}, ["prefix/b"]),  # a link to a link stays inside
        ({"prefix/a": "../app", "app/a": "../..", "app/b": "../prefix"}, ["app/a"]),
        ({"prefix/a": ".", "prefix/b/c": ".."}, []),
        ({"prefix/a": "/etc", "prefix/b": "a/passwd"}, ["prefix/a", "prefix/b"]),
        ({"prefix/a": "../app/b/c", "app/b": "../prefix/d/d", "prefix/e": "../app/b/../../.."}, ["prefix/e"]),
        ({"prefix/a": "b/x", "prefix/b": "a/x"}, []),  # a circle is not outside
    ],
)
def test_leaving_links(tmp_path: Path, links: dict[str, str], leaving: list[str]) -> None:
    """The file system resolves the directory of each target, and finds the same links outside."""
    top = Path(os.path.realpath(tmp_path), "root")
    made = make_links(top, links)
    assert made == links
    outside = []
    for path, target in made.items():
        directory, name = os.path.split(f"{(top / path).parent}/{target}" if target[0] != "/" else target)
        directory, name = (f"{directory}/{name}", "") if name in ("", ".", "..") else (directory, name)
        place = f"{os.path.realpath(directory)}/{name}"
        if not f"{place}/".startswith((f"{top}/app/", f"{top}/prefix/")) and not is_circle(top / path):
            outside.append(path)
    found = [link.path for link in leaving_links([Link(*pair) for pair in made.items()], "prefix", "app")]
    assert found == sorted(outside) == leaving


def test_chain_of_links() -> None:
    """As many links are followed as the kernel follows."""
    with TemporaryDirectory() as scratch:
        links = {f"prefix/{number}": str(number + 1) for number in range(MOST_LINKS + 1)}
        top = Path(scratch)
        assert make_links(top, links) == links
        (top / f"prefix/{MOST_LINKS + 1}").touch()
        assert not is_circle(top / "prefix/1")
        assert resolve_links("prefix/1", links.get) == f"prefix/{MOST_LINKS + 1}"
        if sys.platform == "linux":
            assert is_circle(top / "prefix/0")
        with pytest.raises(TooManyLinks):
            resolve_links("prefix/0", links.get)


def test_below() -> None:
    assert is_below("prefix", "prefix")
    assert is_below("prefix/a", "app", "prefix")
    assert not is_below("prefixes", "prefix")
    assert not is_below(None, "prefix")
