"""A signal ends a block of the main thread and the process, and nothing is left, wherever the signal comes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from conda_coex.cli.signals import interruptible
from conda_coex.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Does the work of a build in small, once for each place at which CPython looks for signals: at the beginning of a
# function, after a call, and at a jump back. A child gets a signal there, and ends as any Python does.
EVERYWHERE = """
import dis, os, signal, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
from conda_coex.cli.signals import interruptible
from conda_coex.errors import Interrupted
LIBRARY = ("threading", "concurrent.futures.thread", "concurrent.futures._base", "contextlib", "tempfile", "subprocess")
LOOKS = {code for name, code in dis.opmap.items() if name.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))}

def work():
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(time.sleep, 0.002) for _ in range(4)]:
            future.result()
        subprocess.run(["true"])
    thread = threading.Thread(target=time.sleep, args=(0.002,))
    thread.start()
    thread.join()

def trace(visit):
    before = {}
    def local(frame, event, arg):
        if event == "return":
            before.pop(frame, None)
        elif event == "opcode":
            looks = before.get(frame) in LOOKS
            before[frame] = frame.f_code.co_code[frame.f_lasti]
            if looks:
                visit((frame.f_globals["__name__"], frame.f_code.co_name, frame.f_lasti))
        return local
    def enter(frame, event, arg):
        if frame.f_globals.get("__name__") in LIBRARY:
            frame.f_trace_opcodes = True
            return local
    sys.settrace(enter)

def interrupted_at(place):
    def visit(here):
        if here == place:
            sys.settrace(None)
            signal.raise_signal(signal.SIGHUP)
    try:
        with interruptible():
            trace(visit)
            work()
            sys.settrace(None)
    except Interrupted:
        sys.exit(77)

places = {}
trace(lambda place: places.setdefault(place))
work()
sys.settrace(None)
seen = set()
for place in places:
    child = os.fork()
    if not child:
        sys.stderr = open(os.devnull, "w")
        interrupted_at(place)
        sys.exit(0)
    for _ in range(10000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.002)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        sys.exit("hangs after a signal at %s:%s:%d" % place)
    status = os.waitstatus_to_exitcode(status)
    if status not in (0, 77):
        sys.exit("ends with %d after a signal at %s:%s:%d" % (status, *place))
    seen.add(status)
print(len(places), 77 in seen)
"""


def test_everywhere(tmp_path: Path) -> None:
    """Except that some places are not reached in each run: threads go at their own pace."""
    done = subprocess.run(
        [sys.executable, "-c", EVERYWHERE], env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    number, ended = done.stdout.split()
    assert int(number) > 100
    assert ended == "True"
    assert list(tmp_path.iterdir()) == []


def interrupted(work: Callable[[], object]) -> Interrupted:
    """Return the error of work in a block."""
    with pytest.raises(Interrupted) as caught, interruptible():
        work()
    return caught.value


def test_wait_for_another_thread_is_interrupted() -> None:
    never: Future[None] = Future()

    def work() -> None:
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGTERM)).start()
        never.result()

    assert interrupted(work).status == 128 + signal.SIGTERM


def test_thread_that_ends_is_waited_for() -> None:
    """Python would take it for ended after an exception here."""
    ended = []

    def end() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGHUP)
        time.sleep(0.1)
        ended.append(True)

    def work() -> None:
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()

    interrupted(work)
    assert ended


def test_second_signal_does_not_disturb_the_end() -> None:
    """A terminal that closes sends SIGHUP twice."""
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            cleaned.append(True)

    assert interrupted(work).status == 128 + signal.SIGHUP
    assert cleaned


def test_interruption_that_code_has_swallowed() -> None:
    """The next signal is a first one."""

    def work() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)

    interrupted(work)


def test_error_after_a_signal_is_of_the_signal() -> None:
    """conda turns some into its own errors."""

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise OSError("cannot be read") from error

    assert interrupted(work).status == 128 + signal.SIGINT


class Deleted:
    """Sends a signal when it is deleted: an exception there would be lost."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGHUP)


def test_signal_in_a_finalizer() -> None:

    def work() -> None:
        Deleted()
        time.sleep(60)

    interrupted(work)


def test_signal_at_the_end_of_the_block() -> None:
    interrupted(Deleted)


def test_late_second_signal_ends_at_once() -> None:
    """A person is tired of waiting for the end."""
    script = (
        "import signal\nfrom conda_coex.cli import stopper\nfrom conda_coex.cli.signals import interruptible\n"
        "stopper.GRACE = -1\nwith interruptible():\n  try:\n    signal.raise_signal(signal.SIGTERM)\n"
        "  finally:\n    signal.raise_signal(signal.SIGTERM)\n    print('waits')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


def test_handlers_are_given_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with interruptible():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_handlers_of_conda_do_not_replace_ours() -> None:
    from conda import conda_signal_handler
    from conda.common.signals import signal_handler

    with interruptible():
        ours = signal.getsignal(signal.SIGTERM)
        with signal_handler(conda_signal_handler):
            assert signal.getsignal(signal.SIGTERM) == ours
    with signal_handler(conda_signal_handler):
        assert signal.getsignal(signal.SIGTERM) is conda_signal_handler
