"""Share numbered work among processes, one for each usable core, and collect their results and errors."""

import errno
import marshal
import os
import struct
import sys

from . import errors
from .compat import leave_garbage, signal
from .cpu_count import usable_cores
from .errors import CoexError, unforeseen
from .pipes import nothing, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Callable, Dict, Iterable, Iterator, List, Optional, Tuple, Type, TypeVar

    Result = TypeVar("Result")
    Work = Callable[[Iterable[int]], Result]

NUMBER = struct.Struct("<I")
LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # of fork(2) and pipe(2)


def share(count, work, beat=nothing, alone=False):
    # type: (int, Work[Result], Callable[[], None], bool) -> List[Result]
    """Return the results of `work`, one for each process; each gets a part of the numbers below `count`.

    A result has only types that marshal writes. `beat` is called every few seconds. There is one process, this one, if
    it does the work `alone`, may use only one core or cannot fork. Raises the CoexError that one of them raised.
    """
    processes = 1 if alone else min(usable_cores(), count)
    if processes < 2 or not hasattr(os, "fork"):
        return [work(_beating(count, beat))]
    numbers, feed = os.pipe()
    children = []  # type: List[Tuple[int, int]]
    try:
        with DelayedSignals() as delayed:
            _start_some(processes, children, work, numbers, feed, delayed)
        os.close(numbers)
        if not children:
            os.close(feed)
            return [work(_beating(count, beat))]
        _feed(feed, count, beat)
        os.close(feed)
        results = []  # type: List[Result]
        failures = [_collect(pipe, beat, results) for _, pipe in children]
    except BaseException:
        for child, _ in children:
            os.kill(child, 9)
        raise
    finally:
        for child, pipe in children:
            os.close(pipe)
            os.waitpid(child, 0)
    for failure in failures:
        if failure is not None:
            raise failure
    return results


class DelayedSignals(object):
    """Delays the signals that end a start until all workers are known: one within fork(2) would lose its child."""

    def __init__(self):
        # type: () -> None
        self.handlers = {}  # type: Dict[int, Callable[[int, Optional[FrameType]], object]]
        self.caught = []  # type: List[int]

    def __enter__(self):
        # type: () -> DelayedSignals
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            handler = signal.getsignal(number)
            if callable(handler):
                self.handlers[number] = handler
                signal.signal(number, lambda number, frame: self.caught.append(number))
        return self

    def __exit__(self, *raised):
        # type: (*object) -> None
        self.restore()
        for number in self.caught:
            os.kill(os.getpid(), number)

    def restore(self):
        # type: () -> None
        """Give the signals their handlers again."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def _beating(count, beat):
    # type: (int, Callable[[], None]) -> Iterator[int]
    for number in range(count):
        beat()
        yield number


def _start_some(count, children, work, numbers, feed, delayed):
    # type: (int, List[Tuple[int, int]], Work[Result], int, int, DelayedSignals) -> None
    """Append (pid, pipe) of `count` workers to `children`, fewer if the limits of this user or process demand it."""
    for _ in range(count):
        try:
            children.append(_start(work, numbers, feed, [pipe for _, pipe in children], delayed))
        except OSError as error:
            if error.errno not in LIMITS:
                raise
            return


def _start(work, numbers, feed, others, delayed):
    # type: (Work[Result], int, int, List[int], DelayedSignals) -> Tuple[int, int]
    """Fork a worker; return its pid and the end of a pipe from which its outcome is read."""
    parent = os.getpid()
    pipe, report = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(pipe)
        os.close(report)
        raise
    if child:
        os.close(report)
        return child, pipe
    status = 1
    try:
        delayed.restore()
        leave_garbage()  # to look at an object changes it: a page of memory that is then no longer shared with the parent
        for end in [feed, pipe] + others:
            os.close(end)
        try:
            outcome = (None, work(_take(numbers, parent)))  # type: Tuple[object, object] # of types that marshal writes
        except CoexError as error:
            outcome = (_parts(error), None)
        except Exception as error:
            outcome = (_parts(unforeseen(error)), None)
        status = _report(report, marshal.dumps(outcome))  # type: ignore[arg-type,unused-ignore]
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type,unused-ignore]
    finally:
        os._exit(status)
    raise AssertionError("a worker went on")


def _parts(error):
    # type: (CoexError) -> Tuple[str, str, Optional[bytes], Optional[str]]
    """Return the name of an error's class, and its arguments: the parent makes the error again from these."""
    return type(error).__name__, error.what, error.path, error.remedy


def _report(report, outcome):
    # type: (int, bytes) -> int
    """Write the outcome for the parent; return the exit status of this worker."""
    try:
        while outcome:
            outcome = outcome[os.write(report, outcome) :]
    except EnvironmentError as error:
        if error.errno != errno.EPIPE:  # the parent has ended
            raise
        return 1
    return 0


def _take(numbers, parent):
    # type: (int, int) -> Iterator[int]
    """Yield numbers that no other worker gets, while the parent lives; a read of four bytes from a pipe is atomic."""
    while True:
        data = os.read(numbers, NUMBER.size)
        if not data:
            return
        if os.getppid() != parent:
            os._exit(1)
        yield NUMBER.unpack(data)[0]


def _feed(feed, count, beat):
    # type: (int, int, Callable[[], None]) -> None
    """Write every number for the workers; stop early if all of them have ended."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # verbs let it end them, for readers that stop early
    try:
        for number in range(count):
            beat()
            os.write(feed, NUMBER.pack(number))
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
    finally:
        signal.signal(signal.SIGPIPE, before)


def _collect(pipe, beat, results):
    # type: (int, Callable[[], None], List[Result]) -> Optional[CoexError]
    """Append the result of one worker to `results`, or return its error; a worker without an outcome was killed."""
    data = read_all(pipe, beat)
    if not data:
        return CoexError("a process that unpacks ended too early", remedy="is there enough memory?")
    failure, result = marshal.loads(data)
    if failure:
        kind = getattr(errors, failure[0])  # type: Type[CoexError]
        return kind(*failure[1:])
    results.append(result)
    return None
