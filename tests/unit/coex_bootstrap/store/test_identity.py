"""Names of processes: of this one, of one that has ended, of one of another host, and by ps(1) on macOS."""

import os
import subprocess
import sys

import pytest
from coex_bootstrap.store import ps
from coex_bootstrap.store.identity import gone, started, this_host, this_process

from unit.coex_bootstrap.building import dead_process, wait_until, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def test_gone():
    # type: () -> None
    host, me = this_host(), this_process()
    assert gone(me + b"-00", host) is False
    assert gone(me + b"-00", b"another") is None
    assert gone(dead_process() + b"-00", host) is True
    assert gone(b"no identity", host) is None
    assert gone(host + b"-x-y-z", host) is None
    assert gone(host + b"-1-0-00", host) is False


# A ps as of macOS: of process 1, of a zombie, and of the one that asks, which is its parent.
PS_OF_MACOS = b"""\
#!/bin/sh
[ "$*" = "-o pid= -o stat= -o lstart= -p $NUMBER,$PPID" ] && [ "$LC_ALL:$TZ" = C:UTC ] || exit 2
case $NUMBER in
  1) echo "    1 Ss   Thu Nov 26 08:01:02 2026    " ;;
  2) echo "    2 Z    Thu Nov 26 08:01:03 2026    " ;;
  4) echo "    4 Ss   ../x" ;;
esac
[ $NUMBER = 5 ] || echo "$PPID S+   Thu Nov 26 09:10:11 2026    "
"""


@pytest.mark.parametrize(("pid", "found"), [
    (1, b"ThuNov260801022026"), (2, b""), (3, b""), (4, None), (5, None), (None, b"ThuNov260910112026"),
])
def test_starts_by_ps(place, monkeypatch, pid, found):
    # type: (bytes, Any, Any, Any) -> None
    """A process that is not there has ended; nothing is known if ps does not even see the process that asks."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ps, "PS", write(place + b"/ps", PS_OF_MACOS, 0o755))
    monkeypatch.setenv("NUMBER", str(pid or os.getpid()))
    assert started(pid or os.getpid()) == found


def test_no_ps(place, monkeypatch):
    # type: (bytes, Any) -> None
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ps, "PS", place + b"/none")
    assert started(os.getpid()) is None
    assert this_process().endswith(b"-0")


def test_ps_of_this_system(monkeypatch):
    # type: (Any) -> None
    """A child runs, has ended and waits for its parent, and is gone."""
    monkeypatch.setattr(sys, "platform", "darwin")
    own = started(os.getpid())
    if own is None:
        pytest.skip("this machine has no /bin/ps that knows lstart")
    assert own == started(os.getpid()) != b""
    child = subprocess.Popen([sys.executable, "-c", "input() if str is not bytes else raw_input()"], stdin=subprocess.PIPE)
    start = started(child.pid) or b""
    identity = b"-".join([this_host(), str(child.pid).encode("ascii"), start, b"0"])
    assert start.isalnum()
    assert gone(identity, this_host()) is False
    assert gone(identity.replace(start, b"WedNov250000002026"), this_host()) is True  # the id is another process's now
    child.kill()
    wait_until(lambda: bool(gone(identity, this_host())), "a zombie")
    assert started(child.pid) == b""
    child.communicate()
    assert started(child.pid) == b""
