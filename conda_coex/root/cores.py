"""Share the cores of the builder between sources to compile, which come first, and frames to compress."""

from __future__ import annotations

import contextlib
from concurrent.futures import CancelledError
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cores:
    """A number of cores, each taken by one piece of work at a time; more would only empty each other's caches.

    A package is compiled as a whole, so sources come first: a large one that is left for the end keeps one core busy
    while the others are idle.
    """

    def __init__(self, number: int) -> None:
        self._free, self._to_compile, self._ended = number, 0, False
        self._changed = Condition()

    @contextlib.contextmanager
    def to_compile(self) -> Iterator[None]:
        """Take a core, as soon as one is free; raises CancelledError after `end`."""
        with self._changed:
            self._to_compile += 1
            self._changed.wait_for(lambda: self._ended or self._free > 0)
            self._to_compile -= 1
            self._take()
        yield from self._taken()

    @contextlib.contextmanager
    def to_compress(self) -> Iterator[None]:
        """Take a core that nothing waits for to compile; raises CancelledError after `end`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._free > self._to_compile)
            self._take()
        yield from self._taken()

    def end(self) -> None:
        """Let no more work begin, because the build has failed: its threads end when their present work is done."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self) -> None:
        if self._ended:
            raise CancelledError
        self._free -= 1

    def _taken(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()
