"""Compile functions of another system's C library, to be called with its arguments."""

import subprocess

import pytest

from unit.coex_bootstrap.building import write


def compile_library(place, source):
    # type: (bytes, str) -> str
    """Return the path of a shared library; the test is skipped if this machine has no C compiler."""
    path = place + b"/library"
    write(path + b".c", source.encode("ascii"))
    try:
        subprocess.check_call(["cc", "-shared", "-fPIC", "-w", "-o", path + b".so", path + b".c"])
    except OSError:
        pytest.skip("this machine has no cc")
    return (path + b".so").decode("ascii")
