"""Stand between sshfs and sftp-server, and count the requests: `sftp_counter.py SERVER COUNT`, with more words unread.

COUNT is a file of two little-endian numbers of 8 bytes, kept up to date: all requests, and those that move contents.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

CONTENTS = (5, 6)  # SSH_FXP_READ and SSH_FXP_WRITE of draft-ietf-secsh-filexfer-02


def forward(source: int, target: int) -> None:
    """Copy all bytes, then close the target."""
    while piece := os.read(source, 1 << 16):
        write(target, piece)
    os.close(target)


def write(target: int, piece: bytes) -> None:
    """Write all of a piece."""
    while piece:
        piece = piece[os.write(target, piece) :]


def count(source: int, target: int, counter: mmap.mmap) -> None:
    """Copy requests, and count them: each begins with its size as four bytes, and its type (section 3)."""
    left, head, numbers = 0, b"", [0, 0]
    while piece := os.read(source, 1 << 16):
        place = 0
        while place < len(piece):
            if left:
                step = min(left, len(piece) - place)
                left, place = left - step, place + step
                continue
            step = min(5 - len(head), len(piece) - place)
            head, place = head + piece[place : place + step], place + step
            if len(head) == 5:
                size, kind = struct.unpack(">IB", head)
                left, head = size - 1, b""
                numbers = [numbers[0] + 1, numbers[1] + (kind in CONTENTS)]
        counter[:16] = struct.pack("<2Q", *numbers)
        write(target, piece)
    os.close(target)


def main() -> int:
    """Run the server until sshfs ends."""
    server = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if server.stdin is None or server.stdout is None:
        return 1
    with Path(sys.argv[2]).open("r+b") as stream, mmap.mmap(stream.fileno(), 16) as counter:
        back = threading.Thread(target=forward, args=(server.stdout.fileno(), 1), daemon=True)
        back.start()
        count(0, server.stdin.fileno(), counter)
        return server.wait()


if __name__ == "__main__":
    sys.exit(main())
