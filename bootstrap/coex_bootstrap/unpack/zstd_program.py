"""Decode frames with a zstd program, one process a frame: slow, but it is there on some hosts without a library."""

import os
import subprocess
import threading

from ..base.errors import ArchiveDamaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Tuple


def run_each(name):
    # type: (str) -> Callable[[bytes, int], bytes]
    """Return a function that decodes a frame with the program; it may return one byte more than expected."""
    with open(os.devnull, "rb") as nothing:
        subprocess.check_output([name, "--version"], stdin=nothing, stderr=subprocess.STDOUT)

    def decode(frame, size):
        # type: (bytes, int) -> bytes
        process = subprocess.Popen(
            [name, "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        content, why = _communicate(process, frame, size + 1)
        if process.returncode and len(content) <= size:
            raise ArchiveDamaged("a frame cannot be decoded: %s" % " ".join(why.decode("ascii", "replace").split()))
        return content

    return decode


def _communicate(process, frame, limit):
    # type: (subprocess.Popen[bytes], bytes, int) -> Tuple[bytes, bytes]
    """Return up to `limit` bytes that a program decodes from a frame, and its messages: a frame may expand without end."""
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin and stdout and stderr, "three pipes"

    def feed():
        # type: () -> None
        try:
            with stdin:
                stdin.write(frame)
        except EnvironmentError:  # it has stopped reading
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    with stdout:
        content = stdout.read(limit)
    with stderr:
        why = stderr.read()
    feeder.join()
    process.wait()
    return content, why
