"""Make files beside the output of an image, for its layers, until they are in it."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from ..errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack
    from pathlib import Path


def new_files(output: Path, stack: ExitStack) -> Callable[[], IO[bytes]]:
    """Return a function that makes files without a name, beside the output, until the stack is closed."""

    def make() -> IO[bytes]:
        stream = tempfile.TemporaryFile(dir=output.resolve().parent, prefix=".coex-", buffering=0)  # noqa: SIM115
        return stack.enter_context(BesideOutput(stream, output))

    return make


class BesideOutput(io.BufferedRandom):
    """A file beside the output, which raises OutputError if it cannot be written: the disk may be full."""

    def __init__(self, stream: io.FileIO, output: Path) -> None:
        super().__init__(stream)
        self._output = output

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]  # of Python 3.12: Buffer
        """Write bytes."""
        with self._naming():
            return super().write(data)

    def flush(self) -> None:
        """Write the bytes that are in memory."""
        with self._naming():
            super().flush()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"a layer cannot be written beside it: {error.strerror}"
            raise OutputError(what, os.fsencode(self._output)) from error
