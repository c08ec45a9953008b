"""End as a program of the system does: by signals, after everything is cleaned up, and with any streams."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..errors import Interrupted
from .stopper import Stopper

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted if one of SIGNALS ends the block, also if conda turned the signal into another error.

    A signal that the caller has ignored, as nohup does, stays ignored.
    """
    stopper = Stopper()
    usual = (signal.SIG_DFL, signal.default_int_handler)
    replaced: dict[signal.Signals, object] = {}
    try:
        with _without_handlers_of_conda():
            for number in SIGNALS:
                if signal.getsignal(number) in usual:
                    replaced[number] = signal.signal(number, stopper.handle)
            yield
    except BaseException as error:
        if stopper.has_raised or isinstance(error, KeyboardInterrupt):
            raise Interrupted(stopper.number or signal.SIGINT) from error
        raise
    finally:
        stopper.end()
        for number, handler in replaced.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
    if stopper.number is not None and not stopper.has_raised:
        raise Interrupted(stopper.number)


@contextlib.contextmanager
def _without_handlers_of_conda() -> Iterator[None]:
    """Keep conda from its own handlers, which raise anywhere."""
    from conda.common import signals

    names, signals.INTERRUPT_SIGNALS = signals.INTERRUPT_SIGNALS, ()
    try:
        yield
    finally:
        signals.INTERRUPT_SIGNALS = names


def open_closed_streams() -> None:
    """Give this process the streams that its caller has closed: conda writes to them unseen."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115


def let_conda_say(error: BaseException) -> None:
    """Prepare for the end with an error, which conda prints.

    If nobody reads, this process ends as a signal ends any program in a pipe whose reader, such as `head`, has read
    enough. Only now: while a build downloads, a connection that breaks must be an error. And if conda's document on
    the error cannot be written, that is not reported.
    """
    from conda.base.context import context

    if (isinstance(error, BrokenPipeError) and _nobody_reads(1, 2)) or (context.json and _nobody_reads(1)):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    last = _LastWords(sys.stdout)
    last.write("")  # with the output of conda until now
    if context.json:
        sys.stdout = last


def _nobody_reads(*descriptors: int) -> bool:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


class _LastWords(io.TextIOBase):
    """A stream for output that may be lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python tries once more at its end
        return len(text)
