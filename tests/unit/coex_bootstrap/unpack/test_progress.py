"""The line of a first start: on a terminal alone, it counts the work of other processes, and is erased."""

import os
import threading
import time

import pytest
from coex_bootstrap.unpack import progress_line
from coex_bootstrap.unpack.progress import show_progress
from coex_bootstrap.unpack.progress_line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List


class Frames(object):
    """An archive of two frames of a million bytes."""

    content = 1000000

    @property
    def index(self):
        # type: () -> Any
        return self

    @property
    def frames(self):
        # type: () -> List[Any]
        return [self, self]

    @property
    def files(self):
        # type: () -> Frames
        return self

    sizes = [1500000, 2500000]  # of files, some of which are equal and share frames


@pytest.fixture
def written(monkeypatch):
    # type: (Any) -> List[str]
    """Return the output, on a terminal."""
    written = []  # type: List[str]
    monkeypatch.setattr(progress_line, "_write", written.append)
    monkeypatch.setattr(progress_line, "DELAY", 0)
    monkeypatch.setattr(progress_line, "STEP", 0.01)
    monkeypatch.setattr(os, "isatty", lambda stream: stream == 2)
    return written


def test_counts_the_work_of_a_child(written):
    # type: (List[str]) -> None
    shown = Line(Frames(), "unpacking")  # type: ignore[arg-type]
    decode = shown.counted(lambda frame, size: frame)
    beats = []  # type: List[int]
    child = os.fork()
    if not child:
        assert decode(b"frame", 1000000) == b"frame"
        os._exit(0)
    os.waitpid(child, 0)
    shown.beating(lambda: beats.append(1))()
    for _ in range(500):
        if any(" 2.0 of 4.0 MB" in line for line in written):
            break
        time.sleep(0.01)
    pipe = os.fstat(shown.reading)
    shown.stop()
    shown.stop()
    assert any(line.startswith("\rcoex: unpacking, 2.0 of 4.0 MB, ") for line in written)
    assert written[-1].strip("\r ") == ""
    assert len(written[-1]) - 2 >= len(written[-2].strip())
    assert beats == [1]
    try:  # its number may be another file's by now
        assert os.fstat(shown.reading).st_ino != pipe.st_ino
    except EnvironmentError:
        pass


@pytest.mark.parametrize(
    ("room", "line"),
    [
        (200, "coex: verifying, 1.5 of 6.0 MB, 0.5 s"),
        (38, "coex: verifying, 1.5 of 6.0 MB, 0.5 s"),
        (37, "coex: verifying, 25 %"),
        (22, "coex: verifying, 25 %"),
        (21, "coex: 25 %"),
        (10, "25 %"),
        (1, "25 %"),
    ],
)
def test_fits_the_terminal(room, line):
    # type: (int, str) -> None
    assert progress_line.fitting("verifying", 1500000, 6000000, 0.51, room) == line


def test_nothing_to_decode(written):
    # type: (List[str]) -> None
    shown = Line(Frames(), "unpacking")  # type: ignore[arg-type]
    shown.stop()
    assert written == []
    assert progress_line.fitting("unpacking", 0, 0, 0, 20) == "coex: 0 %"


def test_no_more_threads(written, monkeypatch):
    # type: (List[str], Any) -> None
    """A limit of the user (RLIMIT_NPROC) counts them as processes: the work goes on, without a line."""
    tries = []  # type: List[object]

    def fail(thread):
        # type: (threading.Thread) -> None
        tries.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    shown = Line(Frames(), "unpacking")  # type: ignore[arg-type]
    decode = shown.counted(lambda frame, size: frame)
    beats = []  # type: List[int]
    for _ in range(3):
        shown.beating(lambda: beats.append(1))()
        assert decode(b"frame", 5) == b"frame"
    shown.stop()
    assert (len(beats), len(tries), written) == (3, 1, [])


@pytest.mark.parametrize("environ", [{b"COEX_QUIET": b"1"}, {b"COEX_TRACE": b"1"}])
def test_silent(written, environ):
    # type: (List[str], Any) -> None
    shown = show_progress(Frames(), environ)  # type: ignore[arg-type]
    decoder, beat = object(), object()
    assert shown.counted(decoder) is decoder  # type: ignore[arg-type]
    assert shown.beating(beat) is beat  # type: ignore[arg-type]
    shown.stop()
    assert written == []
