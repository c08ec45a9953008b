"""The line on a terminal that shows how far frames are decoded: it moves, fits, and is gone before the entry point runs."""

import errno
import fcntl
import os
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Callable, Iterable, Optional, Tuple, Union

    from ..format.archive import Archive
    from .zstd import Decoder

SIZE = struct.Struct("<I")
DELAY = 0.3  # seconds before the line is shown
STEP = 0.1


class Line(object):
    """Counts the decoded bytes of all processes through a pipe, and shows them by a thread that starts after them."""

    def __init__(self, archive, doing):
        # type: (Archive, str) -> None
        self.is_shown = True
        self.archive, self.doing = archive, doing
        self.done = self.width = self.left_out = 0
        self.thread = None  # type: Optional[threading.Thread]
        self.is_begun = False
        self.reading = self.writing = -1
        self.began = time.time()

    def counted(self, decoder):
        # type: (Decoder) -> Decoder
        """Return a decoder that reports each frame; it passes over a full pipe, because the reader is only late."""
        self.reading, self.writing = os.pipe()
        for stream in (self.reading, self.writing):
            fcntl.fcntl(stream, fcntl.F_SETFL, fcntl.fcntl(stream, fcntl.F_GETFL) | os.O_NONBLOCK)

        def decode(frame, size):
            # type: (bytes, int) -> Union[bytes, memoryview]
            content = decoder(frame, size)
            try:
                if self.is_shown:
                    os.write(self.writing, SIZE.pack(size))
            except EnvironmentError as error:
                if error.errno != errno.EAGAIN:
                    raise
            return content

        return decode

    def leave_out(self, frames):
        # type: (Iterable[int]) -> None
        """Do not count on frames that need not be decoded."""
        self.left_out = sum(self.archive.index.frames[number].content for number in frames)

    def beating(self, beat):
        # type: (Callable[[], None]) -> Callable[[], None]
        """Return the function to call meanwhile: its first call, when all processes exist, starts the line."""

        def start():
            # type: () -> None
            if not self.is_begun:
                self.is_begun = True
                self._begin()
            beat()

        return start

    def _begin(self):
        # type: () -> None
        """Start the thread; without it, no line is shown."""
        import threading

        self.total, self.factor = self._measure()
        self.ended = threading.Event()
        thread = threading.Thread(target=self._show)
        thread.daemon = True
        try:
            thread.start()
        except Exception:  # a limit of this user or process; its error depends on the version of Python
            return
        self.thread = thread

    def _measure(self):
        # type: () -> Tuple[float, float]
        """Return about how many bytes of files have to be written, and the bytes for one byte of a frame.

        Equal files share one.
        """
        frames = sum(frame.content for frame in self.archive.index.frames)
        factor = float(sum(self.archive.index.files.sizes)) / max(frames, 1)
        return (frames - self.left_out) * factor, factor

    def _show(self):
        # type: () -> None
        self.ended.wait(DELAY)
        while not self.ended.is_set():
            self._count()
            spent = time.time() - self.began
            done = min(self.done * self.factor, self.total)  # a frame of records is decoded again at the end
            line = fitting(self.doing, done, self.total, spent, columns())
            _write("\r" + line.ljust(self.width))
            self.width = len(line)
            self.ended.wait(STEP)

    def _count(self):
        # type: () -> None
        try:
            data = os.read(self.reading, 1 << 16)
        except EnvironmentError:  # nothing new
            return
        self.done += sum(SIZE.unpack(data[n : n + SIZE.size])[0] for n in range(0, len(data), SIZE.size))

    def stop(self):
        # type: () -> None
        """End the line, and erase it."""
        if not self.is_shown:
            return
        self.is_shown = False
        if self.thread is not None:
            self.ended.set()
            self.thread.join()
            if self.width:
                _write("\r" + " " * self.width + "\r")
        for stream in (self.reading, self.writing):
            if stream >= 0:
                os.close(stream)


def fitting(doing, done, total, spent, room):
    # type: (str, float, float, float, int) -> str
    """Return the longest text for less than so many columns: a line that wraps cannot be erased."""
    percent = "%d %%" % (100 * done / max(total, 1))
    lines = [
        "coex: %s, %.1f of %.1f MB, %.1f s" % (doing, done / 1e6, total / 1e6, spent),
        "coex: %s, %s" % (doing, percent), "coex: %s" % percent, percent,
    ]
    return [line for line in lines if len(line) < room or line == percent][0]


def columns():
    # type: () -> int
    """Return the width of the terminal now; 80 if it is unknown."""
    import termios

    try:
        return struct.unpack("4H", fcntl.ioctl(2, termios.TIOCGWINSZ, b"\0" * 8))[1] or 80
    except (EnvironmentError, struct.error):
        return 80


def _write(text):
    # type: (str) -> None
    try:
        os.write(2, text.encode("ascii"))
    except EnvironmentError:
        pass  # the terminal is gone, the work is not
