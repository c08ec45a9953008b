"""Which boot of the host a root was made in, and when that is a reason to look at it."""

import os
import subprocess

import pytest
from coex_bootstrap.store import boot

from unit.coex_bootstrap.building import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OTHER = b"00000000-0000-4000-8000-000000000000"


@pytest.fixture
def root(place, monkeypatch):
    # type: (bytes, Any) -> bytes
    """Return a root on a local disk, with a `start` that has the line of this boot."""
    if not boot.this_boot():
        pytest.skip("this system has no number for its boot")
    monkeypatch.setattr(boot, "file_system", lambda path: (b"ext4", []))
    os.makedirs(place + b"/root")
    make_start(place + b"/root")
    return place + b"/root"


def make_start(root):
    # type: (bytes) -> None
    line = boot.boot_line(root, write)
    assert line
    write(root + b"/used", b"")
    write(root + b"/start", line + b"echo started\n")


def shell_starts(root):
    # type: (bytes) -> bool
    code = b'_coex_kept=; . "$1"; echo gave up'
    said = subprocess.check_output([b"/bin/sh", b"-c", code, b"sh", root + b"/start"])
    assert said in (b"started\ngave up\n", b"gave up\n")
    return said.startswith(b"started")


def test_root_of_this_boot(root):
    # type: (bytes) -> None
    assert not boot.in_doubt(root)
    assert shell_starts(root)


def test_root_of_another_boot(root, monkeypatch):
    # type: (bytes, Any) -> None
    """Python and the shell agree, until it was looked at."""
    with monkeypatch.context() as patched:
        patched.setattr(boot, "this_boot", lambda: OTHER)
        make_start(root)
        assert not boot.in_doubt(root)
    assert boot.in_doubt(root)
    assert not shell_starts(root)
    boot.mark_kept(root)
    assert not boot.in_doubt(root)
    assert shell_starts(root)


def test_root_that_was_used_a_while_after_it_was_made(root, monkeypatch):
    # type: (bytes, Any) -> None
    with monkeypatch.context() as patched:
        patched.setattr(boot, "this_boot", lambda: OTHER)
        make_start(root)
    late = os.stat(root + b"/kept").st_mtime + 1
    os.utime(root + b"/used", (late, late))
    assert not boot.in_doubt(root)
    assert shell_starts(root)
