"""Let a signal end a build as an exception does: everything cleans up, and the status says which signal it was."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

from .errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted where one of SIGNALS ends what is inside, also where conda made an error of it.

    A signal that the caller has ignored, as nohup does, stays ignored.
    """
    from conda.exceptions import CondaSignalInterrupt

    usual = (signal.SIG_DFL, signal.default_int_handler)
    replaced = {number: signal.signal(number, _stop) for number in SIGNALS if signal.getsignal(number) in usual}
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(next(iter(error.args), signal.SIGINT)) from error
    except CondaSignalInterrupt as error:
        raise Interrupted(error.dump_map()["signum"]) from error
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    # no Exception and no SystemExit: conda goes on after some of those
    raise KeyboardInterrupt(number)
