"""The leftovers of a killed process are removed, and nothing that another user puts in their place."""

import os

import pytest
from coex_bootstrap.store import destination
from coex_bootstrap.store.destination import Destination, mark_unfinished, remove_unfinished

from unit.coex_bootstrap.building import dead_process, read, write
from unit.coex_bootstrap.other_users import give_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = pytest.mark.parametrize("how", [b" made", b" filled"])


def identity(path):
    # type: (bytes) -> bytes
    state = os.stat(path)
    return ("%d %d" % (state.st_dev, state.st_ino)).encode("ascii")


def leave(place, said):
    # type: (bytes, bytes) -> bytes
    """Make the work directory of a dead process."""
    left = place + b"/.env.coex-" + dead_process() + b"-00"
    write(left + b"/unfinished", said)
    return left


@pytest.fixture
def env(place):
    # type: (bytes) -> bytes
    """Return a directory that is half made, beside one of this user's that is not."""
    write(place + b"/full/mine", b"mine")
    write(place + b"/env/half", b"")
    return place + b"/env"


@KINDS
def test_names_of_begun_directories(place, env, how):
    # type: (bytes, bytes, bytes) -> None
    leave(place, identity(env) + how)
    write(env + b"/sub/file", b"", 0o400)
    remove_unfinished([env])
    assert os.listdir(place + b"/full") == [b"mine"]
    assert sorted(os.listdir(place)) == ([b"full"] if how == b" made" else [b"env", b"full"])
    assert how == b" made" or os.listdir(env) == []


@KINDS
def test_a_directory_that_takes_its_place(place, env, monkeypatch, how):
    # type: (bytes, bytes, Any, bytes) -> None
    leave(place, identity(env) + how)
    real = destination.open_directory

    def swap(path, *words):
        # type: (bytes, *Any) -> int
        if path == env:
            os.rename(env, place + b"/aside")
            os.rename(place + b"/full", env)
        return real(path, *words)

    monkeypatch.setattr(destination, "open_directory", swap)
    remove_unfinished([env])
    assert read(env + b"/mine") == b"mine"
    assert os.listdir(place + b"/aside") == [b"half"]


@KINDS
@pytest.mark.parametrize("whose", ["owner", "mode", "link"])
def test_a_leftover_that_is_swapped_for_that_of_another_user(place, env, monkeypatch, whose, how):
    # type: (bytes, bytes, Any, str, bytes) -> None
    """It names a directory that nobody began."""
    left = leave(place, b"")
    write(place + b"/planted/unfinished", identity(env) + how)
    give_away(place + b"/planted", whose)
    real = destination.open_directory

    def swap(path, *words):
        # type: (bytes, *Any) -> int
        if path == left:
            os.rename(left, place + b"/aside")
            os.rename(place + b"/planted", left)
        return real(path, *words)

    monkeypatch.setattr(destination, "open_directory", swap)
    remove_unfinished([env])
    assert os.path.exists(place + b"/aside/unfinished")
    assert os.path.exists(env + b"/half")


@pytest.mark.parametrize("filled", [True, False])
def test_withdraws_only_the_placed_directory(place, filled):
    # type: (bytes, bool) -> None
    if filled:
        os.mkdir(place + b"/env")
    at = Destination(place + b"/env")
    work = at.new_work()
    write(work + b"/prefix/file", b"")
    mark_unfinished(work, [at.identity(work + b"/prefix")])
    at.place(work + b"/prefix")
    os.rename(place + b"/env", place + b"/aside")
    write(place + b"/env/mine", b"mine")
    at.withdraw()
    assert os.listdir(place + b"/env") == [b"mine"]
    os.rename(place + b"/env", place + b"/other")
    os.rename(place + b"/aside", place + b"/env")
    at.withdraw()
    at.remove_works()
    assert (os.listdir(place + b"/env") if filled else os.listdir(place)) == ([] if filled else [b"other"])


def test_files_of_others_stay(place, env):
    # type: (bytes, bytes) -> None
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(write(env + b"/theirs", b""), 12345, -1)
    leave(place, identity(env) + b" filled")
    remove_unfinished([env])
    assert os.listdir(env) == [b"theirs"]


def test_a_directory_of_another_user_was_not_made(place, env):
    # type: (bytes, bytes) -> None
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    leave(place, identity(env) + b" made")
    os.chown(env, 12345, -1)
    remove_unfinished([env])
    assert os.listdir(env) == [b"half"]
