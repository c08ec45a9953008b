"""Read the output of other processes, and call a function every few seconds meanwhile."""

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List

PAUSE = 2  # seconds, at most, between two calls


def nothing():
    # type: () -> None
    """Do nothing: the `beat` of a caller that needs none."""


def read_all(stream, beat):
    # type: (int, Callable[[], None]) -> bytes
    """Return all bytes of a pipe until its end; `beat` is called at least every PAUSE seconds. Raises OSError."""
    pieces = []  # type: List[bytes]
    while True:
        beat()
        if not _is_readable(stream):
            continue
        piece = os.read(stream, 1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _is_readable(stream):
    # type: (int) -> bool
    import select  # a small archive is unpacked without a pipe

    try:
        if not hasattr(select, "poll"):
            return bool(select.select([stream], [], [], PAUSE)[0])
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        return bool(poll.poll(PAUSE * 1000))
    except (OSError, select.error) as error:
        if error.args[0] != errno.EINTR:
            raise
        return False
