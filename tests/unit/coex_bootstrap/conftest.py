"""Fixtures of the bootstrap's tests: a directory as bytes, which the bootstrap takes, shells, a clean environment."""

import os
import subprocess

import pytest
from coex_bootstrap.base import compat

from unit.coex_bootstrap.caller import forget_caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

forget_caller()

SHELLS = (["sh"], ["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"], ["zsh", "--emulate", "sh"], ["mksh"])


@pytest.fixture
def place(tmp_path):
    # type: (Any) -> bytes
    """Return an empty directory."""
    return compat.path_bytes(str(tmp_path))


@pytest.fixture
def environ():
    # type: () -> Dict[bytes, bytes]
    """Return an environment of a caller who has set nothing."""
    return {b"PATH": b"/usr/local/bin:/usr/bin:/bin", b"HOME": b"/nonexistent", b"LC_ALL": b"C"}


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request):
    # type: (Any) -> List[str]
    """Return the command of each shell; one that this machine does not have is skipped, and said so."""
    try:
        with open(os.devnull, "r+b") as nothing:
            subprocess.check_call(request.param + ["-c", ":"], stdin=nothing, stdout=nothing, stderr=nothing)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine has no " + " ".join(request.param))
    return list(request.param)
