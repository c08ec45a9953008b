"""The fixture of tests of verbs."""

import pytest

from unit.coex_bootstrap.demo_archive import write_demo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict


@pytest.fixture
def archive(place, environ):
    # type: (bytes, Dict[bytes, bytes]) -> bytes
    """Return a small archive of one package; `environ` has a store for it."""
    return write_demo(place, environ)
