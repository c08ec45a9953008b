"""Ask ps(1) for the start of a process, on a system without proc(5), such as macOS."""

import os
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

PS = "/bin/ps"


def started_by_ps(pid):
    # type: (int) -> Optional[bytes]
    """Return the start of a process in letters and digits, by ps(1), on a system without proc(5).

    ps is also asked for this process: if it may not see that one, its silence about another means nothing.
    """
    environ = dict(os.environ, LC_ALL="C", TZ="UTC")
    command = [PS, "-o", "pid=", "-o", "stat=", "-o", "lstart=", "-p", "%d,%d" % (pid, os.getpid())]
    try:
        with open(os.devnull, "r+b") as nothing:
            process = subprocess.Popen(command, env=environ, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
        lines = [line.split() for line in process.communicate()[0].splitlines()]
    except EnvironmentError:
        return None
    rows = dict((int(words[0]), words[1:]) for words in lines if words and words[0].isdigit())
    if os.getpid() not in rows:
        return None
    state = rows.get(pid, [])
    if not state or state[0].startswith(b"Z"):  # it is not there, or a zombie
        return b""
    start = b"".join(state[1:]).replace(b":", b"")
    return start if start.isalnum() else None
