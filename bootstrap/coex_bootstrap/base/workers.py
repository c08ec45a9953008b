"""Share numbered work among processes, one a usable core, and bring back what each found or failed on."""

import errno
import marshal
import os
import signal
import struct
import sys

from . import errors
from .cpu_count import usable_cores
from .errors import CoexError, unforeseen
from .pipes import nothing, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

    Work = Callable[[Iterable[int]], Any]

NUMBER = struct.Struct("<I")
LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # of fork(2) and pipe(2)


def share(count, work, beat=nothing):
    # type: (int, Work, Callable[[], None]) -> List[Any]
    """Return what `work` returns for its part of the numbers below `count`, in every process.

    That is of plain types, as marshal knows them. `beat` is called now and then meanwhile.
    Raises the CoexError that one of them raised. One process works where there is one core or no fork.
    """
    workers = min(usable_cores(), count)
    if workers < 2 or not hasattr(os, "fork"):
        return [work(_beating(count, beat))]
    numbers, feed = os.pipe()
    children = []  # type: List[Tuple[int, int]]
    try:
        with HeldSignals() as held:
            _start_some(workers, children, work, numbers, feed, held)
        os.close(numbers)
        if not children:
            os.close(feed)
            return [work(_beating(count, beat))]
        _feed(feed, count, beat)
        os.close(feed)
        outcomes = [_outcome(result, beat) for _, result in children]
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


def _beating(count, beat):
    # type: (int, Callable[[], None]) -> Iterator[int]
    for number in range(count):
        beat()
        yield number


def _start_some(wanted, children, work, numbers, feed, held):
    # type: (int, List[Tuple[int, int]], Work, int, int, HeldSignals) -> None
    """Start as many workers as are wanted, or as the limits of this user and this process allow."""
    for _ in range(wanted):
        try:
            children.append(_start(work, numbers, feed, [result for _, result in children], held))
        except OSError as error:
            if error.errno not in LIMITS:
                raise
            return


def _start(work, numbers, feed, others, held):
    # type: (Work, int, int, List[int], HeldSignals) -> Tuple[int, int]
    """Fork a worker; return its pid and the end of the pipe that its outcome comes from."""
    parent = os.getpid()
    result, report = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(result)
        os.close(report)
        raise
    if child:
        os.close(report)
        return child, result
    status = 1
    try:
        held.restore()
        for end in [feed, result] + others:
            os.close(end)
        try:
            outcome = (None, work(_taken(numbers, parent)))  # type: Tuple[Any, Any]
        except CoexError as error:
            outcome = ((type(error).__name__, error.what, error.path, error.remedy), None)
        except Exception as error:
            found = unforeseen(error)
            outcome = ((type(found).__name__, found.what, found.path, found.remedy), None)
        status = _report(report, marshal.dumps(outcome))
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type,unused-ignore]
    finally:
        os._exit(status)
    raise AssertionError("a worker went on")


def _report(report, outcome):
    # type: (int, bytes) -> int
    """Tell the parent; return the status of this worker, which is nobody's where the parent has ended."""
    try:
        with os.fdopen(report, "wb") as stream:
            stream.write(outcome)
    except EnvironmentError as error:
        if error.errno != errno.EPIPE:
            raise
        return 1
    return 0


def _taken(numbers, parent):
    # type: (int, int) -> Iterator[int]
    """Yield the numbers that this worker takes, while its parent lives; a read of four bytes of a pipe is atomic."""
    while True:
        data = os.read(numbers, NUMBER.size)
        if not data:
            return
        if os.getppid() != parent:
            os._exit(1)
        yield NUMBER.unpack(data)[0]


def _feed(feed, count, beat):
    # type: (int, int, Callable[[], None]) -> None
    """Offer every number; the end comes early where no worker is left to take one."""
    try:
        for number in range(count):
            beat()
            os.write(feed, NUMBER.pack(number))
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise


def _outcome(result, beat):
    # type: (int, Callable[[], None]) -> Tuple[Any, Any]
    """Return (error, found) of one worker; a worker that said nothing was ended from outside."""
    said = read_all(result, beat)
    if not said:
        return CoexError("a process that unpacks ended too early", remedy="is there enough memory?"), None
    failure, found = marshal.loads(said)
    return getattr(errors, failure[0])(*failure[1:]) if failure else None, found
