"""Sharing work among processes: every number once, errors brought back, no process left."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from coex_bootstrap import workers
from coex_bootstrap.errors import ArchiveDamaged, CoexError, HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, List


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    # type: (Any) -> None
    monkeypatch.setattr(workers, "usable_cores", lambda: 3)


def no_child_is_left():
    # type: () -> bool
    try:
        os.waitpid(-1, os.WNOHANG)
    except OSError as error:
        return error.errno == errno.ECHILD
    return False


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 5000])
def test_every_number_once(count):
    # type: (int) -> None
    found = workers.share(count, lambda numbers: list(numbers))
    assert sorted(sum(found, [])) == list(range(count))
    assert no_child_is_left()


def test_processes_of_their_own():
    # type: () -> None
    found = workers.share(100, lambda numbers: (os.getpid(), len(list(numbers))))
    assert len({pid for pid, _ in found} - {os.getpid()}) == 3


def test_large_results():
    # type: () -> None
    found = workers.share(3, lambda numbers: [b"x" * (1 << 20) for _ in numbers])
    assert sum(map(len, found)) == 3


@pytest.mark.parametrize("alone", ["one core", "no fork", "one number"])
def test_this_process_alone(monkeypatch, alone):
    # type: (Any, str) -> None
    if alone == "one core":
        monkeypatch.setattr(workers, "usable_cores", lambda: 1)
    if alone == "no fork":
        monkeypatch.delattr(os, "fork")
    count = 1 if alone == "one number" else 10
    assert workers.share(count, lambda numbers: (os.getpid(), list(numbers))) == [(os.getpid(), list(range(count)))]


ERRORS = [ArchiveDamaged("why", b"/\xff"), HostUnfit("why", None, "do this"), CoexError("why")]


@pytest.mark.parametrize("error", ERRORS, ids=["path", "remedy", "plain"])
def test_error_of_a_worker(error):
    # type: (CoexError) -> None
    def work(numbers):
        # type: (Iterable[int]) -> None
        for number in numbers:
            if number == 7:
                raise error

    with pytest.raises(type(error)) as caught:
        workers.share(1000, work)
    assert str(caught.value) == str(error)
    assert no_child_is_left()


def end(how):
    # type: (Callable[[], Any]) -> Callable[[Iterable[int]], List[int]]
    def work(numbers):
        # type: (Iterable[int]) -> List[int]
        for number in numbers:
            if number == 7:
                how()
        return []

    return work


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_worker_that_is_killed(number):
    # type: (int) -> None
    with pytest.raises(CoexError, match="ended too early"):
        workers.share(1000, end(lambda: os.kill(os.getpid(), number)))
    assert no_child_is_left()


def test_bug_of_a_worker_is_shown(capfd):
    # type: (Any) -> None
    with pytest.raises(CoexError, match="ended too early"):
        workers.share(1000, end(lambda: 1 // 0))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_interrupt_ends_the_workers():
    # type: () -> None
    def work(numbers):
        # type: (Iterable[int]) -> None
        for number in numbers:
            if number == 7:
                os.kill(parent, signal.SIGINT)
                signal.pause()

    parent = os.getpid()
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.share(100000, work)
    finally:
        signal.signal(signal.SIGINT, old)
    assert no_child_is_left()


def test_interrupt_within_fork_waits_until_the_child_is_known(monkeypatch):
    # type: (Any) -> None
    started, fork = [], os.fork

    def interrupted_fork():
        # type: () -> int
        child = fork()
        if child:
            started.append(child)
            os.kill(os.getpid(), signal.SIGINT)
        return child

    monkeypatch.setattr(os, "fork", interrupted_fork)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.share(1000, end(signal.pause))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, old)
    assert len(started) == 3
    assert no_child_is_left()


def test_worker_without_a_parent_is_silent():
    # type: () -> None
    code = """
import os, sys
from coex_bootstrap import workers
workers.usable_cores = lambda: 3
def work(numbers):
    for number in numbers:
        if number == 7:
            os.kill(parent, 9)
    return b"x" * (1 << 20)
parent = os.getpid()
workers.share(1000, work)
"""
    environ = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(os.path.abspath(workers.__file__))))
    process = subprocess.Popen([sys.executable, "-B", "-c", code], env=environ, stderr=subprocess.PIPE)
    said = process.communicate()[1]
    assert (process.returncode, said) == (-signal.SIGKILL, b"")
