"""States in which a caller may leave a process, and the state that the entry point gets."""

import os
import signal
import subprocess
import sys

import coex_bootstrap
import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Tuple

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(coex_bootstrap.__file__)))


def run(code, prepare=None):
    # type: (str, Any) -> Tuple[int, bytes]
    """Run code in a Python of its own, whose process `prepare` changes first; return its status and its report."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True) if hasattr(os, "set_inheritable") else None

    def begin():
        # type: () -> None
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a shell's background job ignores some
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        if prepare is not None:
            prepare()

    text = "import os, signal, sys\nfrom coex_bootstrap.base.process import Interrupted, Process\n"
    text += "REPORT = %d\n%s" % (writing, code)
    process = subprocess.Popen(
        [sys.executable, "-c", text], preexec_fn=begin, close_fds=False, env=dict(os.environ, PYTHONPATH=FOLDER)
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    return process.wait(), said


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]], ids=str)
def test_closed_streams_are_taken_and_given_back(closed):
    # type: (List[int]) -> None
    code = """
Process()
sys.stderr.write("into nothing")
taken = os.open(os.devnull, os.O_RDONLY)
os.write(REPORT, b"%d," % (taken > 2))
child = "import os, sys\\nfor number in (0, 1, 2):\\n    try: os.fstat(number)\\n    except OSError: os.write({}, b'%d' % number)"
os.execv(sys.executable, [sys.executable, "-c", child.format(REPORT)])
"""

    def close():
        # type: () -> None
        for number in closed:
            os.close(number)

    assert run(code, close) == (0, b"1," + "".join(map(str, closed)).encode("ascii"))


def test_children_can_be_waited_for_and_are_ignored_again():
    # type: () -> None
    code = """
import subprocess
process = Process()
os.write(REPORT, b"%d," % subprocess.call([sys.executable, "-c", "import sys; sys.exit(3)"]))
process.give_back()
os.write(REPORT, b"%d" % (signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN))
"""
    assert run(code, lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)) == (0, b"3,1")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_is_raised_once_and_ends(name):
    # type: (str) -> None
    code = """
process = Process()
try:
    os.kill(os.getpid(), signal.{0})
    signal.pause()
except Interrupted as interrupted:
    os.kill(os.getpid(), signal.SIGTERM)
    os.write(REPORT, b"removing")
    process.end(interrupted)
""".format(name)
    assert run(code) == (-getattr(signal, name), b"removing")


def test_ignored_signal_stays_ignored():
    # type: () -> None
    code = "Process()\nos.kill(os.getpid(), signal.SIGHUP)\nos.write(REPORT, b'goes on')"
    assert run(code, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) == (0, b"goes on")


def test_a_worker_removes_nothing():
    # type: () -> None
    code = """
process = Process()
child = os.fork()
if not child:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except Interrupted:
        os.write(REPORT, b"wrong")
os.write(REPORT, b"%d" % os.waitpid(child, 0)[1])
"""
    assert run(code) == (0, b"256")
