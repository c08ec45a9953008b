"""What a start needs of its own process, whatever the caller left of it, and what the entry point gets back."""

import fcntl
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """A signal that ends this process asked for its end; what was half made is removed first."""


class Process(object):
    """Open standard streams, children that can be waited for, signals as exceptions: until `give_back`."""

    def __init__(self):
        # type: () -> None
        self.pid = os.getpid()
        self._fill_streams()
        self._ignores_children = is_ignored(signal.SIGCHLD)
        if self._ignores_children:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._caught = {}  # type: Dict[int, object]
        for name in ENDING:
            number = getattr(signal, name)
            if not is_ignored(number):
                self._caught[number] = signal.signal(number, self._interrupt)

    def _fill_streams(self):
        # type: () -> None
        """Take the place of a closed standard stream, or the next open file would be it; an exec closes it again."""
        for number in (0, 1, 2):
            try:
                os.fstat(number)
            except OSError:
                opened = os.open(os.devnull, os.O_RDWR)
                fcntl.fcntl(opened, fcntl.F_SETFD, fcntl.fcntl(opened, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
        if sys.stderr is None:
            sys.stderr = open(os.devnull, "w")  # Python 3, where it was closed

    def _interrupt(self, number, frame):
        # type: (int, object) -> None
        if os.getpid() != self.pid:  # a worker: its parent removes what is to be removed
            os._exit(1)
        for other in self._caught:  # a second one would interrupt that
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    def end(self, interrupted):
        # type: (Interrupted) -> None
        """End as the signal would have ended this process."""
        number = interrupted.args[0]
        signal.signal(number, signal.SIG_DFL)
        os.kill(self.pid, number)

    def give_back(self):
        # type: () -> None
        """Restore what survives an exec."""
        if self._ignores_children:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def is_ignored(number):
    # type: (int) -> bool
    """Return whether the caller had a signal ignored; PyPy does not ask the system that, but proc(5) can be."""
    known = signal.getsignal(number)
    if "__pypy__" not in sys.builtin_module_names or known != signal.SIG_DFL:
        return known in (signal.SIG_IGN, None)
    try:
        with open("/proc/self/status") as stream:
            masks = [line.split()[1] for line in stream if line.startswith("SigIgn:")]
    except EnvironmentError:
        return False
    return bool(int(masks[0], 16) >> (number - 1) & 1) if masks else False
