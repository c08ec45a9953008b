"""Wait for what other processes say, and do something every few seconds meanwhile."""

import errno
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List

PAUSE = 2  # seconds, at most, between two calls


def nothing():
    # type: () -> None
    """Do nothing meanwhile."""


def read_all(stream, beat):
    # type: (int, Callable[[], None]) -> bytes
    """Return what comes out of a pipe until its end."""
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
