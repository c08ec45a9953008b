"""Name processes among those of all hosts, HOST-PID-START, and find out whether one has ended."""

import errno
import os
import sys

from ..base.compat import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


def this_host():
    # type: () -> bytes
    """Return a name of this host, 16 hexadecimal digits, from its host name, its boot, and the namespace of its process ids."""
    words = [os.uname()[1].encode("utf-8", "replace")]
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as stream:
            words.append(stream.read().strip())
        words.append(os.readlink(b"/proc/self/ns/pid"))
    except EnvironmentError:
        pass
    return sha256(b"\n".join(words)).hexdigest()[:16].encode("ascii")


def started(pid):
    # type: (int) -> Optional[bytes]
    """Return the start of a process of this host, in ticks of its clock; empty if it has ended, None if unknown."""
    if sys.platform == "darwin":
        from .ps import started_by_ps

        return started_by_ps(pid)
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()  # proc(5): the name may hold anything
        return b"" if fields[0] in (b"Z", b"X") else fields[19]
    except (EnvironmentError, IndexError):
        return None


def this_process():
    # type: () -> bytes
    """Return HOST-PID-START, which names this process among those of all hosts."""
    pid = os.getpid()
    return b"-".join((this_host(), str(pid).encode("ascii"), started(pid) or b"0"))


def gone(identity, host):
    # type: (bytes, bytes) -> Optional[bool]
    """Return whether the process of an identity has ended; None if `host` cannot know that, such as for another host."""
    try:
        where, pid, start, _ = identity.split(b"-")
        if where != host:
            return None
        os.kill(int(pid), 0)
    except ValueError:
        return None
    except EnvironmentError as error:
        return error.errno == errno.ESRCH
    now = started(int(pid))
    return now is not None and now != start and start != b"0"
