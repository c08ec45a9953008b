"""Find the programs of this machine that tests start."""

import os

from coex_bootstrap.base import compat
from coex_bootstrap.base.shell import find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


def program(name):
    # type: (str) -> Optional[bytes]
    """Return the path of a program of this machine; None if it has none of this name."""
    return find_program(name.encode("ascii"), {b"PATH": compat.path_bytes(os.environ.get("PATH", ""))})
