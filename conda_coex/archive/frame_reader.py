"""Copy frames into a new archive and read all of its frames back, in threads, while the build goes on."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from threading import Lock
from typing import IO, TYPE_CHECKING

from coex_bootstrap.base.cpu_count import usable_cores
from coex_bootstrap.base.errors import ArchiveDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from coex_bootstrap.format.index import Frame

    Whole: TypeAlias = "Future[Future[list[bool]]]"  # for each of some frames, whether its bytes have its sha256
    Write: TypeAlias = Callable[[int, int], object]  # bytes, to a descriptor at an offset


class FrameReader:
    """Reads frames that are in a file from `start` on; its context ends when no thread uses the file any more."""

    def __init__(self, stream: IO[bytes], start: int) -> None:
        self._descriptor, self._start = stream.fileno(), start
        self._pool = ThreadPoolExecutor(max(1, usable_cores() - 1))  # the build itself uses a core
        self._copying = Lock()  # the system lets only one thread write to a file
        self._frames: list[Frame] = []
        self._whole: list[tuple[Sequence[Frame], Whole]] = []

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def copy(self, frames: Sequence[Frame], write: Write) -> Whole:
        """Have `write` write consecutive frames to their place, and read them back from there; `take` takes them.

        The outer future is done when they are written.
        """
        return self._pool.submit(self._copy, frames, write)

    def _copy(self, frames: Sequence[Frame], write: Write) -> Future[list[bool]]:
        if frames:
            with self._copying:
                write(self._descriptor, self._start + frames[0].offset)
        return self._pool.submit(self._are_whole, frames)

    def _are_whole(self, frames: Sequence[Frame]) -> list[bool]:
        return [self._is_whole(frame) for frame in frames]

    def _is_whole(self, frame: Frame) -> bool:
        data = os.pread(self._descriptor, frame.size, self._start + frame.offset)
        return hashlib.sha256(data).hexdigest().encode() == frame.sha256

    def take(self, frames: Sequence[Frame], whole: Whole) -> None:
        """Add frames that `copy` has copied, or will have, to those of the archive."""
        self._frames += frames
        self._whole.append((frames, whole))

    def read(self, frames: Sequence[Frame]) -> None:
        """Add frames that have been written to those of the archive."""
        written: Whole = Future()
        written.set_result(self._pool.submit(self._are_whole, frames))
        self.take(frames, written)

    def altered(self, frames: Sequence[Frame]) -> int | None:
        """Return the number of the first frame whose bytes differ from their sha256; None if all are whole.

        Raises ArchiveDamaged if the index of the archive, `frames`, has others than those that were read, and OSError.
        """
        if list(frames) != self._frames:
            raise ArchiveDamaged("its index has other frames than its payload")
        readings = [(own, written.result()) for own, written in self._whole]
        own_part: list[list[bool]] = []
        while readings and readings[-1][1].cancel():  # the threads go on with those before
            own_part.append(self._are_whole(readings.pop()[0]))
        wholes = chain(*(reading.result() for _, reading in readings), *reversed(own_part))
        return next((number for number, whole in enumerate(wholes) if not whole), None)
