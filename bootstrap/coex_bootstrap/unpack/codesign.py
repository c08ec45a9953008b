"""Sign binaries again that relocation has changed: osx-arm64 starts none whose signature is broken."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

BATCH = 500  # files in one command line


def codesign(paths):
    # type: (List[bytes]) -> None
    """Sign rewritten binaries again, as conda does on osx-arm64: its output and failures are ignored."""
    import subprocess

    command = [b"/usr/bin/codesign", b"-s", b"-", b"-f"]
    with open(os.devnull, "r+b") as nothing:
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            subprocess.call(command + batch, stdin=nothing, stdout=nothing, stderr=nothing)
