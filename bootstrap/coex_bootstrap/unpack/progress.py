"""Show the progress of a first start if standard error is a terminal; otherwise nothing is loaded, and nothing is done."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable, Union

    from ..format.archive import Archive
    from .progress_line import Line
    from .zstd import Decoder

VARIABLE = b"COEX_QUIET"


def is_wanted(environ):
    # type: (Dict[bytes, bytes]) -> bool
    """Return whether to show the line: on a terminal, unless the user asked for silence or for the stages."""
    is_allowed = environ.get(VARIABLE, b"") in (b"", b"0") and environ.get(b"COEX_TRACE", b"") in (b"", b"0")
    return is_allowed and os.isatty(2)


def show_progress(archive, environ, doing="unpacking"):
    # type: (Archive, Dict[bytes, bytes], str) -> Union[Line, NoLine]
    """Return a line for the work on an archive, which has not begun yet; without a terminal one that nobody sees."""
    if not is_wanted(environ):
        return NoLine()
    from .progress_line import Line

    return Line(archive, doing)


class NoLine(object):
    """A line that is not shown."""

    def counted(self, decoder):
        # type: (Decoder) -> Decoder
        """Return the decoder."""
        return decoder

    def leave_out(self, frames):
        # type: (Iterable[int]) -> None
        """Count nothing."""

    def beating(self, beat):
        # type: (Callable[[], None]) -> Callable[[], None]
        """Return the function to call meanwhile."""
        return beat

    def stop(self):
        # type: () -> None
        """Erase nothing."""
