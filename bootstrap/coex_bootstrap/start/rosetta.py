"""Continue in a Python for arm64 if this one is for Intel, on a Mac that has an Apple processor.

Under Rosetta the system reports an Intel processor, and libraries for arm64 cannot be loaded. The libzstd in an archive
is one of these.
"""

import os
import sys

from ..base.compat import one_line, path_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

ARM64 = "osx-arm64"
ARCH, SYSCTL, XCODE_SELECT = b"/usr/bin/arch", b"/usr/sbin/sysctl", b"/usr/bin/xcode-select"
SYSTEM_PYTHON = b"/usr/bin/python3"  # opens a dialog unless developer tools are there, as in the prelude
PYTHONS = [
    b"/opt/homebrew/bin/python3", b"/Library/Frameworks/Python.framework/Versions/Current/bin/python3",
    b"/usr/local/bin/python3", b"/opt/miniconda3/bin/python3", b"/opt/anaconda3/bin/python3",
]
PROBE = b"import json, zipfile, ctypes, os; print(os.uname()[4])"
OPTIONS = [b"-E", b"-s", b"-S"]


def find_native_python(platform):
    # type: (str) -> Optional[bytes]
    """Return a Python that can start an archive for `platform` here; None if this one can, or there is no other."""
    if platform != ARM64 or sys.platform != "darwin" or os.uname()[4] != "x86_64":
        return None
    if _output([SYSCTL, b"-n", b"hw.optional.arm64"]) != b"1":
        return None
    pythons = [path_bytes(sys.executable)] + PYTHONS  # many are for both processors
    if _output([XCODE_SELECT, b"-p"]):
        pythons.append(SYSTEM_PYTHON)
    for python in pythons:
        if _output([ARCH, b"-arm64", python] + OPTIONS + [b"-c", PROBE]) == b"arm64":
            return python
    return None


def continue_in(python, path, arguments, environ):
    # type: (bytes, bytes, List[bytes], Dict[bytes, bytes]) -> None
    """Become another Python, for arm64, that starts the same archive; says so if it is another program."""
    here = path_bytes(sys.executable)
    if python != here:
        sys.stderr.write("coex: note: %s is for Intel processors; %s starts this archive\n" % (one_line(here), one_line(python)))
        sys.stderr.flush()
    os.execve(ARCH, [ARCH, b"-arm64", python] + OPTIONS + [path] + arguments, environ)


def _output(command):
    # type: (List[bytes]) -> bytes
    """Return the output of a command; an empty one if it fails or does not exist."""
    import subprocess

    try:
        with open(os.devnull, "r+b") as nothing:
            return subprocess.check_output(command, stdin=nothing, stderr=nothing).strip()
    except (EnvironmentError, subprocess.CalledProcessError):
        return b""
