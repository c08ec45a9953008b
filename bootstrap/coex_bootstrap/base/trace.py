"""Say on stderr how long each stage of a start took, when COEX_TRACE is set."""

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

VARIABLE = b"COEX_TRACE"


class Trace(object):
    """A clock that is read after each stage; silent unless the environment asks for it."""

    def __init__(self, environ):
        # type: (Dict[bytes, bytes]) -> None
        self.wanted = environ.get(VARIABLE, b"") not in (b"", b"0")
        self.last = self.first = time.time()

    def done(self, stage):
        # type: (str) -> None
        """Print the milliseconds since the stage before."""
        if self.wanted:
            now = time.time()
            sys.stderr.write("coex: %s %.1f ms\n" % (stage, (now - self.last) * 1000))
            sys.stderr.flush()
            self.last = now

    def total(self):
        # type: () -> None
        """Print the milliseconds of all stages, and what Python they ran on."""
        if self.wanted:
            version = ".".join(str(part) for part in sys.version_info[:3])
            spent = (time.time() - self.first) * 1000
            sys.stderr.write("coex: total %.1f ms on Python %s, %s\n" % (spent, version, sys.executable))
            sys.stderr.flush()  # what is buffered when another program takes over this process is lost
