"""Leftovers of dead processes are removed, directories of running ones are not."""

import os
import subprocess
import sys

import pytest
from coex_bootstrap.store.claim import Claim
from coex_bootstrap.store.identity import this_process
from coex_bootstrap.store.leftovers import discard, in_use, set_aside, sweep
from coex_bootstrap.store.removal import remove

from unit.coex_bootstrap.building import dead_process, write
from unit.coex_bootstrap.other_users import give_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

NAME, OTHER = b"0" * 24, b"1" * 24
FOREIGN = b"0123456789abcdef-1-5"
LONG_AGO = 1000000000


@pytest.fixture
def claim(place):
    # type: (bytes) -> Claim
    claim = Claim(place + b"/" + NAME)
    assert claim.wait(lambda: False, lambda: None)
    return claim


def left_by(process, place, old=False):
    # type: (bytes, bytes, bool) -> List[bytes]
    """Make the leftovers of a process; return the names."""
    names = []
    for root in (NAME, OTHER):
        for kind in (b"work", b"claim", b"gone", b"python"):
            names.append(root + b"." + kind + b"-" + process + b"-00")
            write(place + b"/" + names[-1] + b"/below/file", b"")
            if old:
                os.utime(place + b"/" + names[-1], (LONG_AGO, LONG_AGO))
    return names


def kept(place, names, claim):
    # type: (bytes, List[bytes], Claim) -> List[bytes]
    sweep(claim)
    found = os.listdir(place)
    assert os.path.basename(claim.path) in found
    return [name for name in names if name in found]


def test_of_dead_processes(place, claim):
    # type: (bytes, Claim) -> None
    names = left_by(dead_process(), place)
    assert kept(place, names, claim) == []
    assert os.listdir(place) == [NAME + b".claim"]


def test_of_living_processes(place, claim):
    # type: (bytes, Claim) -> None
    names = left_by(this_process(), place, old=True)
    assert kept(place, names, claim) == names


def test_of_other_hosts(place, claim):
    # type: (bytes, Claim) -> None
    names = left_by(FOREIGN, place)
    mine = NAME + b".work-" + FOREIGN + b"-00"  # it has not the claim
    assert kept(place, names, claim) == [name for name in names if name != mine]


@pytest.mark.parametrize("time", [LONG_AGO, 4000000000], ids=["long ago", "the clock was set back"])
def test_of_other_hosts_long_ago(place, claim, time):
    # type: (bytes, Claim, int) -> None
    names = left_by(FOREIGN, place, old=True)
    for name in names:
        os.utime(place + b"/" + name, (time, time))
    assert kept(place, names, claim) == []


def test_claims_of_other_roots(place, claim):
    # type: (bytes, Claim) -> None
    names = []
    for digit, process in ((b"2", this_process()), (b"3", dead_process()), (b"4", FOREIGN)):
        names.append(digit * 24 + b".claim")
        write(place + b"/" + names[-1] + b"/" + process + b"-00", b"")
    assert kept(place, names, claim) == [names[0], names[2]]


def test_other_directories_stay(place, claim):
    # type: (bytes, Claim) -> None
    names = [b"other", NAME + b".else-" + dead_process() + b"-00", OTHER, NAME + b"-work-x"]
    for name in names:
        write(place + b"/" + name + b"/file", b"")
    assert kept(place, names, claim) == names


@pytest.mark.parametrize("sign", [b"start", b"used"])
def test_a_root_that_was_ready_stays_a_day(place, claim, sign):
    # type: (bytes, Claim, bytes) -> None
    name = NAME + b".gone-" + dead_process() + b"-00"
    write(place + b"/" + name + b"/" + sign, b"")
    assert kept(place, [name], claim) == [name]
    os.utime(place + b"/" + name, (LONG_AGO, LONG_AGO))
    assert kept(place, [name], claim) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this host has no /proc")
@pytest.mark.parametrize("how", ["directory", "open file"])
def test_a_root_in_use_stays(place, claim, how):
    # type: (bytes, Claim, str) -> None
    name = NAME + b".gone-" + dead_process() + b"-00"
    path = place + b"/" + name
    write(path + b"/start", b"")
    write(path + b"/app/file", b"")
    os.utime(path, (LONG_AGO, LONG_AGO))
    code = "import sys; stream = open(sys.argv[1]); sys.stdout.write('opened\\n'); sys.stdout.flush(); sys.stdin.read()"
    name_there, there = (os.devnull, path + b"/app") if how == "directory" else (path + b"/app/file", place)
    process = subprocess.Popen(
        [sys.executable, "-c", code, name_there], cwd=there, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    assert in_use(path)
    assert not in_use(path[:-1])
    assert kept(place, [name], claim) == [name]
    process.communicate()
    assert kept(place, [name], claim) == []


def test_discard_takes_it_away_from_a_writer(place, claim):
    # type: (bytes, Claim) -> None
    path = os.path.dirname(write(place + b"/half/file", b""))
    os.chmod(path, 0o500)
    discard(path, claim)
    discard(path, claim)
    assert os.listdir(place) == [NAME + b".claim"]


def test_set_aside_twice(place, claim):
    # type: (bytes, Claim) -> None
    for _ in range(2):
        path = os.path.dirname(write(claim.root + b"/file", b""))
        assert os.listdir(set_aside(path, claim)) == [b"file"]
    assert not os.path.exists(claim.root)


def test_remove(place):
    # type: (bytes) -> None
    write(place + b"/t/a/b/file", b"", 0o400)
    write(place + b"/kept/file", b"")
    os.symlink(b"../kept", place + b"/t/link")
    os.chmod(place + b"/t/a/b", 0o500)
    os.chmod(place + b"/t/a", 0o000)
    remove(place + b"/t")
    remove(place + b"/missing")
    assert os.listdir(place) == [b"kept"]
    assert os.listdir(place + b"/kept") == [b"file"]


@pytest.mark.parametrize("how", ["owner", "mode", "link"])
def test_leftovers_of_another_user_are_not_swept(place, claim, how):
    # type: (bytes, Claim, str) -> None
    """It may be a trap: a removal by its path goes where that user leads it."""
    names = left_by(dead_process(), place)
    for name in names:
        give_away(place + b"/" + name, how)
    assert kept(place, names, claim) == names
    assert all(os.path.exists(place + b"/" + name + b"/below/file") for name in names)


def test_a_link_is_removed_and_nothing_else_is_touched(place, claim):
    # type: (bytes, Claim) -> None
    write(place + b"/there/file", b"")
    os.chmod(place, 0o755)
    for function in (remove, lambda path: discard(path, claim)):
        os.symlink(b"there", place + b"/link")
        function(place + b"/link")
        assert not os.path.lexists(place + b"/link")
    assert os.listdir(place + b"/there") == [b"file"]
    assert os.stat(place).st_mode & 0o777 == 0o755
