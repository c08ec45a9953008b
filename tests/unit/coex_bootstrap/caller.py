"""Give the tests the process of a fresh login shell, for any caller."""

import os
import pwd
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

# Set by a caller for programs of its own, and read by the shells, condas, Pythons and archives that tests start.
PREFIXES = ("BASH", "COEX", "CONDA", "LC_", "PYTHON", "XDG_", "_CE_")
NAMES = (
    "CDPATH", "CLICOLOR_FORCE", "COLUMNS", "ENV", "FORCE_COLOR", "LANG", "LANGUAGE", "LINES", "NO_COLOR", "POSIXLY_CORRECT",
    "PY_COLORS", "SOURCE_DATE_EPOCH", "TZ", "VIRTUAL_ENV",
)  # fmt: skip
NEEDED = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")  # the first finds these tests, the second is set by host_tests
# Python itself ignores these, and no other.
IGNORED = (signal.SIGPIPE, getattr(signal, "SIGXFSZ", None), getattr(signal, "SIGXFZ", None))
UNCATCHABLE = (signal.SIGKILL, signal.SIGSTOP)


def forget_caller():
    # type: () -> None
    """Reset the inherited state of this process: ignored and blocked signals, its umask, variables."""
    for number in ignored_signals():
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if "PyPy" in sys.version:  # it calls an inherited SIG_IGN the default
        for number in set(_numbers()) - set(IGNORED + UNCATCHABLE):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    for name in list(os.environ):
        if (name.startswith(PREFIXES) and name not in NEEDED) or name in NAMES:
            del os.environ[name]
    os.environ.setdefault("HOME", pwd.getpwuid(os.geteuid()).pw_dir)


def ignored_signals():
    # type: () -> List[int]
    """Return the numbers of the signals that this process ignores and Python has not ignored itself."""
    return [number for number in sorted(set(_numbers()) - set(IGNORED)) if signal.getsignal(number) is signal.SIG_IGN]


def _numbers():
    # type: () -> List[int]
    return [getattr(signal, name) for name in dir(signal) if name.startswith("SIG") and name[3] != "_"]
