"""The right files are removed, even if another process puts others in their place meanwhile."""

import os

import pytest
from coex_bootstrap.store import directory as directory_module
from coex_bootstrap.store import removal
from coex_bootstrap.store.directory import open_directory
from coex_bootstrap.store.removal import empty, remove, remove_in_place

from unit.coex_bootstrap.building import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


@pytest.fixture(params=[True, False], ids=["by descriptor", "by working directory"], autouse=True)
def way(request, monkeypatch):
    # type: (Any, Any) -> None
    if request.param and not directory_module.KNOWS_DESCRIPTORS:
        pytest.skip("this Python takes no descriptors of directories")
    monkeypatch.setattr(directory_module, "KNOWS_DESCRIPTORS", request.param)


def make_tree(place):
    # type: (bytes) -> bytes
    """Make a tree with a directory that cannot be written to, one that cannot be read, and links out of it."""
    tree = place + b"/tree"
    for name in (b"/a/b/file", b"/a/closed/file", b"/file"):
        write(tree + name, b"", 0o400)
    os.symlink(place + b"/kept", tree + b"/a/link")
    os.symlink(b"missing", tree + b"/a/b/dangling")
    write(place + b"/kept/file", b"")
    os.chmod(tree + b"/a/closed", 0o000)
    os.chmod(tree + b"/a/b", 0o500)
    os.chmod(tree + b"/a", 0o555)
    return tree


@pytest.mark.parametrize("function", [remove, remove_in_place])
def test_a_tree(place, function):
    # type: (bytes, Callable[[bytes], None]) -> None
    here = os.getcwd()
    function(make_tree(place))
    function(place + b"/missing")
    function(place + b"/missing/too")
    assert os.listdir(place) == [b"kept"]
    assert os.listdir(place + b"/kept") == [b"file"]
    assert os.getcwd() == here


def test_a_directory_is_emptied(place):
    # type: (bytes) -> None
    tree = make_tree(place)
    os.chmod(tree + b"/file", 0o644)
    write(tree + b"/lost+found/file", b"")
    held = open_directory(tree)
    empty(held, [b"lost+found"])
    os.close(held)
    assert os.listdir(tree) == [b"lost+found"]
    assert os.listdir(tree + b"/lost+found") == [b"file"]


def test_files_of_others_stay(place):
    # type: (bytes) -> None
    if os.geteuid():
        pytest.skip("only root can give a file away")
    tree = make_tree(place)
    os.chown(tree + b"/a", 12345, -1)
    held = open_directory(tree)
    empty(held)
    os.close(held)
    assert os.listdir(tree) == [b"a"]
    assert sorted(os.listdir(tree + b"/a")) == [b"b", b"closed", b"link"]


def test_in_place_removes_the_start_first(place, monkeypatch):
    # type: (bytes, Any) -> None
    for name in (b"/start", b"/used", b"/a/file"):
        write(place + b"/root" + name, b"")
    monkeypatch.setattr(removal, "remove", lambda path: None)
    remove_in_place(place + b"/root")
    assert os.listdir(place + b"/root") == [b"a"]


@pytest.mark.parametrize("function", [remove, remove_in_place])
@pytest.mark.parametrize("name", ["a", "tree"])
def test_a_directory_that_is_swapped_for_a_link(place, monkeypatch, name, function):
    # type: (bytes, Any, str, Callable[[bytes], None]) -> None
    """Between the look at a directory and its opening another process takes it away, and has a link there."""
    tree = make_tree(place)
    os.chmod(tree + b"/a", 0o755)
    above = tree if name == "a" else place
    swapped = []
    real = removal.open_directory

    def swap(path, *arguments):
        # type: (Any, *Any) -> int
        if os.path.basename(os.fsencode(path) if not isinstance(path, bytes) else path) == name.encode("ascii"):
            if not swapped:
                os.rename(above + b"/" + name.encode("ascii"), place + b"/aside")
                os.symlink(place + b"/kept", above + b"/" + name.encode("ascii"))
            swapped.append(path)
        return real(path, *arguments)

    monkeypatch.setattr(removal, "open_directory", swap)
    try:
        function(tree)
    except EnvironmentError:
        assert function is remove_in_place
    assert swapped
    assert os.listdir(place + b"/kept") == [b"file"]


@pytest.mark.parametrize("name", [b"a", b"b"])
def test_a_directory_that_is_moved_while_it_is_emptied(place, monkeypatch, name):
    # type: (bytes, Any, bytes) -> None
    """Files are removed from the directory that was opened, even if it was moved; files in its old place stay."""
    tree = make_tree(place)
    for path in (b"/a", b"/a/b", b"/a/closed"):
        os.chmod(tree + path, 0o755)
    path = tree + (b"/a" if name == b"a" else b"/a/b")
    state, done = os.stat(path), []
    real = removal._names

    def move(descriptor):
        # type: (int) -> Any
        names = real(descriptor)
        if os.fstat(descriptor).st_ino == state.st_ino and not done:
            done.append(path)
            os.rename(path, place + b"/aside")
            os.symlink(place + b"/kept", path)
        return names

    write(place + b"/kept/b/file", b"")
    write(place + b"/kept/dangling", b"")
    monkeypatch.setattr(removal, "_names", move)
    remove(tree)
    assert done
    assert sorted(os.listdir(place + b"/kept")) == [b"b", b"dangling", b"file"]
    assert os.listdir(place + b"/kept/b") == [b"file"]
    assert os.listdir(place + b"/aside") == []
