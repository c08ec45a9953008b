"""The Python that an archive for macOS starts with: never a /usr/bin/python3 that opens a dialog instead of running."""

import os
import subprocess

import pytest
from coex_bootstrap.format.manifest import ID_LENGTH, fill_prelude

from unit.coex_bootstrap.building import CARRIED, read, write
from unit.coex_bootstrap.programs import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List

# A Python that says where it is when the prelude asks, and writes down that it ran.
PYTHON = b"""\
#!/bin/sh
echo "$0" >> %s/ran
case $5 in *"import posix"*) printf %%s "$0" ;; *) echo "started by $0" ;; esac
"""
DIALOG = b"#!/bin/sh\necho dialog >> %s/ran\nexit 1\n"
SYSTEM = (b"/usr/bin/", b"/usr/local/bin/", b"/usr/libexec/", b"/opt/", b"/Library/")


@pytest.fixture
def start(place, environ, shell):
    # type: (bytes, Dict[bytes, bytes], List[str]) -> Start
    return Start(place, environ, shell)


class Start(object):
    """Runs the prelude of an archive on a system that is below `place`, with the Pythons that a test puts there."""

    def __init__(self, place, environ, shell):
        # type: (bytes, Dict[bytes, bytes], List[str]) -> None
        self.place, self.environ, self.shell = place, environ, shell
        environ[b"PATH"] = place + b"/bin:" + place + b"/usr/bin:/nonexistent"
        environ[b"HOME"] = place + b"/home"

    def add(self, path, text=PYTHON):
        # type: (bytes, bytes) -> None
        """Put a program at a path of that system."""
        if not os.path.isdir(os.path.dirname(self.place + path)):
            os.makedirs(os.path.dirname(self.place + path))
        write(self.place + path, text % self.place if b"%s" in text else text, 0o755)

    def __call__(self, platform="osx-arm64"):
        # type: (str) -> bytes
        """Return the path of the Python that started the archive; empty if none did."""
        text = fill_prelude(CARRIED["coex_bootstrap/prelude.sh"], b"0" * ID_LENGTH, platform)
        for path in SYSTEM:
            text = text.replace(path, self.place + path)
        write(self.place + b"/demo.coex", text, 0o755)
        shell = [program(self.shell[0])] + self.shell[1:]
        process = subprocess.Popen(
            shell + [self.place + b"/demo.coex"], env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        out, error = process.communicate()
        assert (process.returncode, b"no Python with its" in error) in [(0, False), (127, True)]
        return out.strip().replace(b"started by " + self.place, b"")

    def ran(self):
        # type: () -> bytes
        path = self.place + b"/ran"
        return read(path) if os.path.exists(path) else b""


def test_no_dialog(start):
    # type: (Start) -> None
    start.add(b"/usr/bin/python3", DIALOG)
    start.add(b"/usr/bin/xcode-select", b"#!/bin/sh\nexit 2\n")
    assert start() == b""
    assert start.ran() == b""


def test_developer_tools_come_last(start):
    # type: (Start) -> None
    start.add(b"/usr/bin/python3")
    start.add(b"/usr/bin/xcode-select", b"#!/bin/sh\necho /Library/Developer/CommandLineTools\n")
    assert start() == b"/usr/bin/python3"
    start.add(b"/opt/homebrew/bin/python3")
    assert start() == b"/opt/homebrew/bin/python3"


@pytest.mark.parametrize("path", [
    b"/bin/python3", b"/bin/python3.12", b"/usr/local/bin/python3", b"/opt/homebrew/bin/python3",
    b"/Library/Frameworks/Python.framework/Versions/Current/bin/python3", b"/opt/miniconda3/bin/python3",
])
def test_pythons_beside_that_of_the_system(start, path):
    # type: (Start, bytes) -> None
    start.add(b"/usr/bin/python3", DIALOG)
    start.add(path)
    assert start() == path
    assert b"dialog" not in start.ran()


def test_python_of_conda(start):
    # type: (Start) -> None
    start.add(b"/usr/bin/python3", DIALOG)
    start.add(b"/some/base/bin/python")
    start.environ[b"CONDA_PYTHON_EXE"] = start.place + b"/some/base/bin/python"
    assert start() == b"/some/base/bin/python"


def test_named_python(start):
    # type: (Start) -> None
    """A user who names it in COEX_PYTHON knows that it runs."""
    start.add(b"/usr/bin/python3")
    start.add(b"/bin/python3")
    start.environ[b"COEX_PYTHON"] = start.place + b"/usr/bin/python3"
    assert start() == b"/usr/bin/python3"


def test_other_systems(start):
    # type: (Start) -> None
    start.add(b"/opt/miniconda3/bin/python3")
    assert start("linux-64") == b""
    start.add(b"/usr/bin/python3")
    assert start("linux-64") == b"/usr/bin/python3"
