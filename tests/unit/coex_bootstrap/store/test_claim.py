"""The claim of a root: one of many has it, the dead lose it, on this host at once and on others when they are silent."""

import errno
import os
import time

import pytest
from coex_bootstrap.store import claim as module
from coex_bootstrap.store.claim import STALE, Claim, last_change
from coex_bootstrap.store.identity import started, this_process

from unit.coex_bootstrap.building import dead_process, wait_until, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HAS_PROC = os.path.exists("/proc/self/stat")


def never():
    # type: () -> bool
    return False


def nothing():
    # type: () -> None
    """Say nothing."""


@pytest.fixture
def root(place):
    # type: (bytes) -> bytes
    return place + b"/" + b"0" * 24


def taken(root):
    # type: (bytes) -> Claim
    claim = Claim(root)
    assert claim.wait(never, nothing)
    return claim


def waits(claim):
    # type: (Claim) -> bool
    """Return whether a claim is not to be had: its process would wait until the root is ready."""
    looks = []  # type: list[int]

    def ready():
        # type: () -> bool
        looks.append(1)
        return len(looks) > module.EVERY + 1

    return not claim.wait(ready, nothing)


def test_is_for_one(place, root):
    # type: (bytes, bytes) -> None
    first, second = taken(root), Claim(root)
    assert first.held()
    assert waits(second)
    assert not second.held()
    first.release()
    assert second.wait(never, nothing)
    assert (first.held(), second.held()) == (False, True)
    second.release()
    assert os.listdir(place) == []


@pytest.mark.parametrize("odd", [errno.EPERM, errno.EACCES, errno.EBUSY])
def test_a_server_with_errors_of_its_own(place, root, monkeypatch, odd):
    # type: (bytes, bytes, Any, int) -> None
    """It says so of each rename over a directory, an empty one too."""
    real = os.rename

    def rename(old, new):
        # type: (bytes, bytes) -> None
        if os.path.isdir(new):
            raise OSError(odd, os.strerror(odd))
        real(old, new)

    monkeypatch.setattr(os, "rename", rename)
    first, second = taken(root), Claim(root)
    assert waits(second)
    assert first.held()
    first.release()
    os.mkdir(root + b".claim")  # of one who was killed between two steps
    assert second.wait(never, nothing)
    second.release()
    assert os.listdir(place) == []


@pytest.mark.parametrize("left", [None, b"", b"/ended"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT, errno.EIO])
def test_a_rename_that_never_succeeds_ends_it(root, monkeypatch, number, left):
    # type: (bytes, Any, int, Any) -> None
    """Nobody has the claim, or one who was killed."""
    if left == b"/ended":
        write(root + b".claim/" + dead_process() + b"-00", b"")
    elif left is not None:
        os.mkdir(root + b".claim")

    def rename(old, new):
        # type: (bytes, bytes) -> None
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(time, "sleep", sleeps(30))
    with pytest.raises(EnvironmentError) as caught:
        Claim(root).wait(never, nothing)
    assert caught.value.errno == number


def sleeps(most):
    # type: (float) -> Any
    """Return a sleep that takes no time, and that fails after so many seconds."""
    slept = [0.0]

    def sleep(seconds):
        # type: (float) -> None
        slept[0] += seconds
        assert slept[0] < most, "it waits for nobody"

    return sleep


def test_an_owner_that_nobody_can_see_ends_it(root, monkeypatch):
    # type: (bytes, Any) -> None
    taken(root)
    real = os.listdir
    monkeypatch.setattr(time, "sleep", sleeps(30))
    monkeypatch.setattr(os, "listdir", lambda path: [] if path == root + b".claim" else real(path))
    with pytest.raises(EnvironmentError):
        Claim(root).wait(never, nothing)


def test_an_owner_that_works_is_waited_for(root, monkeypatch):
    # type: (bytes, Any) -> None
    """For as long as it takes, also if a look fails now and then."""
    first, real, looks = taken(root), os.listdir, []  # type: Any, Any, list[int]

    def listdir(path):
        # type: (bytes) -> Any
        looks.append(1)
        if len(looks) % 3:  # a look lists it a second time if that fails
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    def ready():
        # type: () -> bool
        return len(looks) > 100

    monkeypatch.setattr(module, "this_process", lambda: b"0123456789abcdef-1-5")
    second = Claim(root)
    monkeypatch.setattr(time, "sleep", sleeps(1000))
    monkeypatch.setattr(os, "listdir", listdir)
    assert not second.wait(ready, nothing)
    assert first.held()


def test_a_released_claim_whose_file_stays_is_taken_over(root, monkeypatch):
    # type: (bytes, Any) -> None
    """Its process is alive, and may try again in the same place."""
    first = taken(root)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", lambda path: None)
        first.release()
    assert first.held()
    second = taken(root)
    assert (first.held(), second.held()) == (False, True)


def test_is_kept(root):
    # type: (bytes) -> None
    claim = taken(root)
    assert claim.wait(never, nothing)
    assert claim.held()


def test_release_by_a_waiting_process_leaves_the_claim(place, root):
    # type: (bytes, bytes) -> None
    first, second = taken(root), Claim(root)
    assert waits(second)
    second.release()
    assert first.held()
    assert len(os.listdir(place)) == 1


def test_says_once_that_it_waits(root, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(module, "NOTICE", 0)
    said = []  # type: list[int]
    taken(root)
    looks = iter([False] * 4 + [True])
    assert not Claim(root).wait(lambda: next(looks), lambda: said.append(1))
    assert said == [1]


def test_of_a_dead_process_is_taken_over_at_once(place, root):
    # type: (bytes, bytes) -> None
    write(root + b".claim/" + dead_process() + b"-00", b"")
    claim = taken(root)
    assert claim.held()
    claim.release()
    assert os.listdir(place) == []


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOENT, errno.EPERM])
def test_a_server_that_does_a_rename_and_loses_its_answer(place, root, monkeypatch, error):
    # type: (bytes, bytes, Any, int) -> None
    """It does so with the claim itself, and with the file of a dead owner."""
    real = os.rename

    def rename(old, new):
        # type: (bytes, bytes) -> None
        real(old, new)
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "rename", rename)
    claim = taken(root)
    assert claim.held()
    claim.release()
    write(root + b".claim/" + dead_process() + b"-00", b"")
    claim = taken(root)
    assert claim.held()
    claim.release()
    assert os.listdir(place) == []


@pytest.mark.skipif(not HAS_PROC, reason="this host has no /proc")
def test_of_a_process_whose_id_is_anothers_now(root):
    # type: (bytes) -> None
    host, pid, start = this_process().split(b"-")
    write(root + b".claim/" + b"-".join([host, pid, str(int(start) - 1).encode("ascii"), b"00"]), b"")
    assert taken(root).held()


def test_of_a_child_that_nobody_waited_for(root):
    # type: (bytes) -> None
    child = os.fork()
    if not child:
        os._exit(0 if Claim(root).wait(never, nothing) else 1)
    if HAS_PROC:
        wait_until(lambda: not started(child), "the end of the child")
    else:
        os.waitpid(child, 0)
    assert taken(root).held()
    if HAS_PROC:
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("owner", [b"0123456789abcdef-1-5-00", b"what nobody here writes"])
def test_of_another_host(root, owner):
    # type: (bytes, bytes) -> None
    path = write(root + b".claim/" + owner, b"")
    assert waits(Claim(root))
    recently = time.time() - STALE + 20
    os.utime(path, (recently, recently))
    assert waits(Claim(root))
    long_ago = time.time() - STALE - 20
    os.utime(path, (long_ago, long_ago))
    assert taken(root).held()


def test_of_a_time_that_is_yet_to_come(root, monkeypatch):
    # type: (bytes, Any) -> None
    """A host without a battery for its clock was switched off while it unpacked. Its boot makes it another host."""
    path = write(root + b".claim/0123456789abcdef-1-5-00", b"")
    os.utime(path, (4000000000, 4000000000))
    claim = Claim(root)
    assert waits(claim)
    os.utime(path, None)  # its owner works
    assert waits(claim)
    os.utime(path, (4000000000, 4000000000))
    claim._seen = dict((seen, now - STALE) for seen, now in claim._seen.items())
    assert not waits(claim)
    assert claim.held()


def test_of_this_host_that_is_silent(root):
    # type: (bytes) -> None
    first = taken(root)
    os.utime(first.mark, (1000000000, 1000000000))
    second = taken(root)
    assert (first.held(), second.held()) == (False, True)
    first.release()
    assert second.held()


def test_is_refreshed_now_and_then(root):
    # type: (bytes) -> None
    claim = taken(root)
    os.utime(claim.mark, (1000000000, 1000000000))
    claim.beat()
    assert last_change(claim.mark) == 1000000000
    claim._beaten -= module.BEAT
    claim.beat()
    assert (last_change(claim.mark) or 0) > 1000000000


def test_a_claim_that_is_taken_over_is_fresh(root):
    # type: (bytes) -> None
    write(root + b".claim/0123456789abcdef-1-5-00", b"")
    os.utime(root + b".claim/0123456789abcdef-1-5-00", (1000000000, 1000000000))
    assert (last_change(taken(root).mark) or 0) > 1000000000


def test_claim_that_a_cleaner_took(root):
    # type: (bytes) -> None
    first, second = taken(root), Claim(root)
    second._prepare()
    os.unlink(second.own + b"/" + second.identity)
    os.rmdir(second.own)
    assert waits(second)
    os.unlink(first.mark)  # an empty claim is nobody's
    assert not first.held()
    assert second.wait(never, nothing)
