"""Raise KeyboardInterrupt for a signal, but not in places from which Python's library cannot recover.

An exception in the middle of `Thread.start`, or behind a lock that was just taken, leaves a thread that waits for ever,
and a process that never ends. One in `Thread.join` makes Python forget a running thread (bpo-46726), and one in a
`__del__` is lost.
"""

from __future__ import annotations

import contextlib
import dis
import os
import signal
import subprocess
import sys
import threading
import time
from _thread import start_new_thread
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

PAUSE = 0.01  # seconds until the next look at the place
GRACE = 5  # seconds in which further signals change nothing, as a terminal sends several when it closes
# Modules that hold locks, or have made things that nobody owns yet: with all that they call, or at their own steps.
WITH_LOCKS = {"concurrent.futures._base", "concurrent.futures.thread", "queue", "tempfile", "threading"}
WITH_LOCKS |= {"_weakrefset", "weakref"}
BETWEEN_STEPS = {"contextlib", "importlib._bootstrap", "importlib._bootstrap_external", "_frozen_importlib"}
WAIT = threading.Condition.wait.__code__


def _calls(code: CodeType, method: str) -> Iterator[int]:
    """Yield the offsets of the calls of a method."""
    name = None
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            name = instruction.argval
        elif instruction.opname.startswith("CALL") and name == method:
            yield instruction.offset


# Not even while they wait, such as for a thread that begins.
NEVER = {each.__code__ for each in (threading.Thread.start, threading.Thread.join, ThreadPoolExecutor.submit)}
NEVER.add(subprocess.Popen.__init__.__code__)
WAITS = set(_calls(WAIT, "acquire"))  # here a condition waits, without its lock, and takes it again after an exception


class Stopper:
    """The signals of one block of the main thread: the first one ends it."""

    def __init__(self) -> None:
        self.number: int | None = None  # of the first signal
        self._raised: float | None = None  # the time
        self._sending, self._over = threading.Lock(), False

    @property
    def has_raised(self) -> bool:
        """Whether the signal has become an exception."""
        return self._raised is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt for the first signal, now or soon; end this process by one that comes much later."""
        if self._raised is not None and time.monotonic() - self._raised > GRACE:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if _is_handled():
            return
        self.number = self.number or number
        if not can_stop(frame):
            with contextlib.suppress(RuntimeError):  # of a system without room for a thread
                start_new_thread(self._send_again, (number,))  # `Thread` takes locks, which may be held here
                return
        self._raised = time.monotonic()
        # no Exception and no SystemExit: conda goes on after some of those
        raise KeyboardInterrupt(self.number)

    def _send_again(self, number: int) -> None:
        time.sleep(PAUSE)
        with self._sending:
            if not self._over:
                signal.pthread_kill(threading.main_thread().ident or 0, number)

    def end(self) -> None:
        """Send no signal again."""
        with self._sending:
            self._over = True


def _is_handled() -> bool:
    """Return whether the block is cleaned up after a KeyboardInterrupt."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def can_stop(frame: FrameType | None) -> bool:
    """Return whether an exception may be raised in a frame of the main thread."""
    waits = frame is not None and frame.f_code is WAIT and frame.f_lasti in WAITS
    if frame is not None and (_module(frame) in BETWEEN_STEPS or frame.f_code is subprocess.run.__code__):
        return False
    while frame is not None:
        if frame.f_code in NEVER or frame.f_code.co_name == "__del__" or (_module(frame) in WITH_LOCKS and not waits):
            return False
        frame = frame.f_back
    return True


def _module(frame: FrameType) -> object:
    return frame.f_globals.get("__name__")
