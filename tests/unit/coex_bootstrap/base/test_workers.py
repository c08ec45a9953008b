"""Sharing work among processes: every number once, errors brought back, no process left."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from coex_bootstrap.base import workers
from coex_bootstrap.base.errors import ArchiveDamaged, CoexError, HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator, List


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


def test_workers_that_end_early_end_no_verb():
    # type: () -> None
    """A pipe holds fewer numbers than these, and a verb lets SIGPIPE end it when it prints."""

    def fail(numbers):
        # type: (Iterable[int]) -> None
        raise HostUnfit("why")

    child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            workers.share(1 << 17, fail)
        except HostUnfit:
            os._exit(6 + (signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL))
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 7 << 8


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_worker_that_is_killed(number):
    # type: (int) -> None
    with pytest.raises(CoexError, match="ended too early"):
        workers.share(1000, end(lambda: os.kill(os.getpid(), number)))
    assert no_child_is_left()


def test_bug_of_a_worker_is_shown(capfd, monkeypatch):
    # type: (Any, Any) -> None
    for trace in ("", "1"):
        monkeypatch.setenv("COEX_TRACE", trace)
        with pytest.raises(CoexError, match="ZeroDivisionError"):
            workers.share(1000, end(lambda: 1 // 0))
        assert ("Traceback" in capfd.readouterr().err) == bool(trace)


def test_a_system_that_refuses_to_describe_descriptors(monkeypatch, capfd):
    # type: (Any, Any) -> None
    """The fdopen of Python 2.7 asks fcntl(2), which a sandbox may refuse; an error may hold any text."""
    class Words(str):
        pass

    def refuse(*_):
        # type: (*object) -> None
        raise EnvironmentError(errno.EIO, Words("refused"))

    monkeypatch.setattr(os, "fdopen", refuse)
    with pytest.raises(CoexError, match="^refused$"):
        workers.share(1000, end(refuse))
    monkeypatch.undo()  # capfd needs it at its end
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def untraced():
    # type: () -> Iterator[None]
    """Switch off the measuring of coverage: it holds a lock for a moment in each call, and an interrupt would leave it locked."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


@pytest.mark.usefixtures("untraced")
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


@pytest.mark.usefixtures("untraced")
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
from coex_bootstrap.base import workers
workers.usable_cores = lambda: 3
def work(numbers):
    for number in numbers:
        if number == 7:
            os.kill(parent, 9)
    return b"x" * (1 << 20)
parent = os.getpid()
workers.share(1000, work)
"""
    environ = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(workers.__file__)))))
    process = subprocess.Popen([sys.executable, "-B", "-c", code], env=environ, stderr=subprocess.PIPE)
    said = process.communicate()[1]
    assert (process.returncode, said) == (-signal.SIGKILL, b"")


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_as_many_processes_as_are_allowed(monkeypatch, allowed):
    # type: (Any, int) -> None
    def fork():
        # type: () -> int
        left.append(1)
        if len(left) > allowed:
            raise OSError(errno.EAGAIN, "refused")
        return really()

    left, really = [], os.fork  # type: List[int], Callable[[], int]
    monkeypatch.setattr(os, "fork", fork)
    before = len(os.listdir("/dev/fd"))
    found = workers.share(100, lambda numbers: (os.getpid(), list(numbers)))
    assert sorted(sum([numbers for _, numbers in found], [])) == list(range(100))
    assert len(found) == max(1, allowed)
    assert (found[0][0] == os.getpid()) is (allowed == 0)
    assert len(os.listdir("/dev/fd")) == before
    assert no_child_is_left()


def test_few_descriptors(monkeypatch):
    # type: (Any) -> None
    import resource

    monkeypatch.setattr(workers, "usable_cores", lambda: 64)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = set(map(int, os.listdir("/dev/fd")))
    free = [number for number in range(len(used) + 13) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[12], hard))
    try:
        found = workers.share(100, lambda numbers: list(numbers))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sorted(sum(found, [])) == list(range(100))
    assert 1 < len(found) < 64


@pytest.mark.parametrize("cores", [1, 3])
def test_beats_meanwhile(monkeypatch, cores):
    # type: (Any, int) -> None
    monkeypatch.setattr(workers, "usable_cores", lambda: cores)
    beats = []  # type: List[int]
    workers.share(10, lambda numbers: list(numbers), lambda: beats.append(os.getpid()))
    assert len(beats) >= 10
    assert set(beats) == {os.getpid()}


def test_workers_end_with_their_parent():
    # type: () -> None
    """The numbers that were offered are not all taken by processes that nobody waits for."""
    reading, writing = os.pipe()

    def work(numbers):
        # type: (Iterable[int]) -> None
        for number in numbers:
            os.write(writing, b"%d," % number)
            while os.getppid() == parent[0]:
                if number == 0:
                    os.kill(parent[0], signal.SIGKILL)

    parent = [0]
    child = os.fork()
    if not child:
        parent[0] = os.getpid()
        workers.share(10000, work)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        taken = stream.read().split(b",")[:-1]
    assert len(taken) <= 3
