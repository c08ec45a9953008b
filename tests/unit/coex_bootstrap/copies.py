"""Run code of the bootstrap in a copy of this process: as separate as a Python of its own, and much cheaper."""

import os
import sys
import tempfile
import traceback

from coex_bootstrap.base import compat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Tuple


def run_copy(environ, work):
    # type: (Dict[bytes, bytes], Callable[[], int]) -> Tuple[int, bytes, bytes]
    """Return status, stdout and stderr of `work()` in a copy of this process with this environment.

    A status below zero is the number of the signal that ended the copy.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _become(environ, (out, error), work)
        _, status = os.waitpid(pid, 0)
        texts = []
        for stream in (out, error):
            stream.seek(0)
            texts.append(stream.read())
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)), texts[0], texts[1]


def _become(environ, streams, work):
    # type: (Dict[bytes, bytes], Tuple[Any, Any], Callable[[], int]) -> None
    """Run `work` and end this process in any case: pytest would go on in the copy."""
    status = 70
    try:
        os.environ.clear()
        os.environ.update((compat.native(name), compat.native(value)) for name, value in environ.items())
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
            stream.close()
        if compat.PY2:
            sys.stdout, sys.stderr = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w", 0)
        else:
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
            sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        status = work()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        text = traceback.format_exc()
        os.write(2, text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    finally:
        os._exit(status)
