"""Share numbered work among processes, one a usable core, and bring back what each found or failed on."""

import errno
import marshal
import os
import signal
import struct
import sys

from . import errors
from .errors import CoexError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

    Work = Callable[[Iterable[int]], Any]

NUMBER = struct.Struct("<I")


def usable_cores():
    # type: () -> int
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        try:
            return max(1, int(os.sysconf("SC_NPROCESSORS_ONLN")))
        except (ValueError, OSError):
            return 1


def share(count, work):
    # type: (int, Work) -> List[Any]
    """Return what `work` returns for its part of the numbers below `count`, in every process.

    That is of plain types, as marshal knows them.
    Raises the CoexError that one of them raised. One process works where there is one core or no fork.
    """
    workers = min(usable_cores(), count)
    if workers < 2 or not hasattr(os, "fork"):
        return [work(range(count))]
    numbers, feed = os.pipe()
    children = []  # type: List[Tuple[int, int]]
    try:
        with HeldSignals() as held:
            for _ in range(workers):
                children.append(_start(work, numbers, feed, [result for _, result in children], held))
        os.close(numbers)
        _feed(feed, count)
        os.close(feed)
        outcomes = [_outcome(result) for _, result in children]
    except BaseException:
        for child, _ in children:
            os.kill(child, 9)
        raise
    finally:
        for child, result in children:
            os.close(result)
            os.waitpid(child, 0)
    for failure, _ in outcomes:
        if failure is not None:
            raise failure
    return [found for _, found in outcomes]


class HeldSignals(object):
    """Keeps the signals that end a start until all workers are known: one raised within fork would lose its child."""

    def __init__(self):
        # type: () -> None
        self.handlers = {}  # type: Dict[int, Any]
        self.seen = []  # type: List[int]

    def __enter__(self):
        # type: () -> HeldSignals
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                self.handlers[number] = signal.getsignal(number)
                signal.signal(number, lambda number, frame: self.seen.append(number))
        return self

    def __exit__(self, *raised):
        # type: (*object) -> None
        self.restore()
        for number in self.seen:
            os.kill(os.getpid(), number)

    def restore(self):
        # type: () -> None
        for number, handler in self.handlers.items():
            signal.signal(number, handler)


def _start(work, numbers, feed, others, held):
    # type: (Work, int, int, List[int], HeldSignals) -> Tuple[int, int]
    """Fork a worker; return its pid and the end of the pipe that its outcome comes from."""
    result, report = os.pipe()
    child = os.fork()
    if child:
        os.close(report)
        return child, result
    status = 1
    try:
        held.restore()
        for end in [feed, result] + others:
            os.close(end)
        try:
            outcome = (None, work(_taken(numbers)))  # type: Tuple[Any, Any]
        except CoexError as error:
            outcome = ((type(error).__name__, error.what, error.path, error.remedy), None)
        with os.fdopen(report, "wb") as stream:
            stream.write(marshal.dumps(outcome))
        status = 0
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) and getattr(error, "errno", None) != errno.EPIPE:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type,unused-ignore]
    finally:
        os._exit(status)
    raise AssertionError("a worker went on")


def _taken(numbers):
    # type: (int) -> Iterator[int]
    """Yield the numbers that this worker takes; a read of four bytes of a pipe is atomic."""
    while True:
        data = os.read(numbers, NUMBER.size)
        if not data:
            return
        yield NUMBER.unpack(data)[0]


def _feed(feed, count):
    # type: (int, int) -> None
    """Offer every number; the end comes early where no worker is left to take one."""
    try:
        for number in range(count):
            os.write(feed, NUMBER.pack(number))
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise


def _outcome(result):
    # type: (int) -> Tuple[Any, Any]
    """Return (error, found) of one worker; a worker that said nothing was ended from outside."""
    pieces = []
    while True:
        piece = os.read(result, 1 << 16)
        if not piece:
            break
        pieces.append(piece)
    if not pieces:
        return CoexError("a process that unpacks ended too early", remedy="is there enough memory?"), None
    failure, found = marshal.loads(b"".join(pieces))
    return getattr(errors, failure[0])(*failure[1:]) if failure else None, found
