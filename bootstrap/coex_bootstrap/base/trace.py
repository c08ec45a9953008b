"""Print the duration of each stage of a start to standard error, if COEX_TRACE is set."""

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

VARIABLE = b"COEX_TRACE"


class Trace(object):
    """A clock that is read after each stage; it prints nothing unless COEX_TRACE is set."""

    def __init__(self, environ):
        # type: (Dict[bytes, bytes]) -> None
        self.is_on = environ.get(VARIABLE, b"") not in (b"", b"0")
        self.last = self.first = time.time()

    def done(self, stage):
        # type: (str) -> None
        """Print the milliseconds since the stage before."""
        if self.is_on:
            now = time.time()
            sys.stderr.write("coex: %s %.1f ms\n" % (stage, (now - self.last) * 1000))
            sys.stderr.flush()
            self.last = now

    def say(self, text):
        # type: (str) -> None
        """Print a line that is not of a stage."""
        if self.is_on:
            sys.stderr.write("coex: %s\n" % text)
            sys.stderr.flush()

    def total(self):
        # type: () -> None
        """Print the milliseconds of all stages, and the Python."""
        if self.is_on:
            version = ".".join(str(part) for part in sys.version_info[:3])
            spent = (time.time() - self.first) * 1000
            sys.stderr.write("coex: total %.1f ms on Python %s, %s\n" % (spent, version, sys.executable))
            sys.stderr.flush()  # an exec loses buffered text
