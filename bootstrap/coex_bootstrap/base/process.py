"""Set up this process for a start in any state that the caller left it in, and restore that for the entry point."""

import os
import sys

from .compat import close_on_exec, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """A signal ends this process: unfinished files are removed first."""


class Process(object):
    """Opens closed standard streams, lets children be waited for, and raises Interrupted for signals."""

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
        """Open a closed standard stream, or the next open file would get its number; an exec closes it again."""
        for number in (0, 1, 2):
            try:
                os.fstat(number)
            except OSError:
                descriptor = os.open(os.devnull, os.O_RDWR)
                close_on_exec(descriptor)
        if sys.stderr is None:
            sys.stderr = open(os.devnull, "w")  # Python 3, if it was closed

    def _interrupt(self, number, frame):
        # type: (int, object) -> None
        if os.getpid() != self.pid:  # a worker: its parent removes unfinished files
            os._exit(1)
        for other in self._caught:  # a second signal would interrupt the removal
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    def end(self, interrupted):
        # type: (Interrupted) -> None
        """End this process by the signal that interrupted it."""
        number = interrupted.args[0]
        signal.signal(number, signal.SIG_DFL)
        os.kill(self.pid, number)

    def give_back(self):
        # type: () -> None
        """Restore the signals of the caller that an exec passes on."""
        if self._ignores_children:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def is_ignored(number):
    # type: (int) -> bool
    """Return whether the caller ignored a signal; PyPy does not know, proc(5) does."""
    handler = signal.getsignal(number)
    if "__pypy__" not in sys.builtin_module_names or handler != signal.SIG_DFL:
        return handler in (signal.SIG_IGN, None)
    try:
        with open("/proc/self/status") as stream:
            masks = [line.split()[1] for line in stream if line.startswith("SigIgn:")]
    except EnvironmentError:
        return False
    return bool(int(masks[0], 16) >> (number - 1) & 1) if masks else False
