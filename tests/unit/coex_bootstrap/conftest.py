"""Fixtures of the bootstrap's tests: a directory as bytes, which the bootstrap takes, shells, a clean environment."""

import pytest
from coex_bootstrap.base import compat

from unit.coex_bootstrap.caller import forget_caller
from unit.coex_bootstrap.programs import program

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
    return {b"PATH": b"/usr/local/bin:/usr/bin:/bin", b"HOME": b"/dev/null/home", b"LC_ALL": b"C"}


def pytest_addoption(parser):
    # type: (Any) -> None
    help_text = "ask sh alone: what shells read is the same text, whichever Python has written it"
    parser.addoption("--sh-alone", action="store_true", help=help_text)


def pytest_generate_tests(metafunc):
    # type: (Any) -> None
    if "shell" in metafunc.fixturenames:
        shells = SHELLS[:1] if metafunc.config.getoption("--sh-alone") else SHELLS
        metafunc.parametrize("shell", shells, ids=" ".join, indirect=True)


@pytest.fixture
def shell(request):
    # type: (Any) -> List[str]
    """Return the command of each shell; one that this machine does not have is skipped, and said so."""
    words = list(request.param)
    if program(words[0]) is None:
        pytest.skip("this machine has no " + words[0])
    return words
