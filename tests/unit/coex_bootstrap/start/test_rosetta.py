"""A Python for Intel on a Mac with an Apple processor: an archive for arm64 continues in another one, and says so."""

import os
import sys

import pytest
from coex_bootstrap.base import compat
from coex_bootstrap.base.errors import HostUnfit
from coex_bootstrap.start import rosetta, run
from coex_bootstrap.start.host import check_host

from unit.coex_bootstrap.building import make_index, make_manifest, write, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

HERE = compat.path_bytes(sys.executable)
# It says whether a program has code for arm64: those do that a test lists.
ARCH = b"#!/bin/sh\nshift\ngrep -qxF -- \"$1\" %s/for-arm64 || exit 1\necho arm64\n"


class Done(Exception):
    """The process has become another."""


class Mac(object):
    """A Mac in a directory, with the programs that a test puts there; it is the process of a start, too."""

    def __init__(self, place, monkeypatch):
        # type: (bytes, Any) -> None
        self.place, self.executed = place, []  # type: bytes, List[Any]
        self.python = place + b"/homebrew/python3"
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(os, "uname", lambda: ("Darwin", "", "22.1.0", "", "x86_64"))
        monkeypatch.setattr(os, "execve", self.execute)
        for name in ("ARCH", "SYSCTL", "XCODE_SELECT", "SYSTEM_PYTHON"):
            monkeypatch.setattr(rosetta, name, place + b"/" + name.encode("ascii"))
        monkeypatch.setattr(rosetta, "PYTHONS", [place + b"/missing", self.python])
        write(rosetta.ARCH, ARCH % place, 0o755)
        self.has_apple_processor(b"1")
        self.native()

    def execute(self, *words):
        # type: (*Any) -> None
        self.executed.append(words)
        raise Done

    def give_back(self):
        # type: () -> None
        self.executed.append("given back")

    def has_apple_processor(self, answer):
        # type: (bytes) -> None
        write(rosetta.SYSCTL, b"#!/bin/sh\n[ \"$*\" = '-n hw.optional.arm64' ] && echo %s\n" % answer, 0o755)

    def native(self, *pythons):
        # type: (*bytes) -> None
        """Have these Pythons run on arm64, and no others."""
        write(self.place + b"/for-arm64", b"\n".join(pythons))

    def has_developer_tools(self):
        # type: () -> None
        write(rosetta.XCODE_SELECT, b"#!/bin/sh\necho /Library/Developer/CommandLineTools\n", 0o755)


@pytest.fixture
def mac(place, monkeypatch):
    # type: (bytes, Any) -> Mac
    return Mac(place, monkeypatch)


def test_this_python_if_it_is_for_both(mac):
    # type: (Mac) -> None
    mac.native(HERE, mac.python)
    assert rosetta.find_native_python("osx-arm64") == HERE


def test_another_python(mac):
    # type: (Mac) -> None
    mac.native(mac.python, rosetta.SYSTEM_PYTHON)
    assert rosetta.find_native_python("osx-arm64") == mac.python


def test_python_of_the_system_with_developer_tools_only(mac):
    # type: (Mac) -> None
    mac.native(rosetta.SYSTEM_PYTHON)
    assert rosetta.find_native_python("osx-arm64") is None
    mac.has_developer_tools()
    assert rosetta.find_native_python("osx-arm64") == rosetta.SYSTEM_PYTHON


def test_no_other_python(mac):
    # type: (Mac) -> None
    assert rosetta.find_native_python("osx-arm64") is None
    with pytest.raises(HostUnfit) as caught:
        check_host(make_manifest(platform="osx-arm64"))
    said = "this archive is for osx-arm64, this host is osx-64; start it with a Python for arm64: name one in COEX_PYTHON"
    assert str(caught.value) == said


@pytest.mark.parametrize(("platform", "machine", "apple"), [
    ("osx-64", "x86_64", b"1"), ("linux-64", "x86_64", b"1"), ("osx-arm64", "arm64", b"1"), ("osx-arm64", "x86_64", b"0"),
])
def test_nothing_to_do(mac, monkeypatch, platform, machine, apple):
    # type: (Mac, Any, str, str, bytes) -> None
    mac.native(HERE, mac.python)
    mac.has_apple_processor(apple)
    monkeypatch.setattr(os, "uname", lambda: ("Darwin", "", "22.1.0", "", machine))
    assert rosetta.find_native_python(platform) is None


@pytest.mark.parametrize("other", [True, False])
def test_start(mac, environ, place, capsys, other):
    # type: (Mac, Dict[bytes, bytes], bytes, Any, bool) -> None
    python = mac.python if other else HERE
    mac.native(python)
    archive = place + b"/demo.coex"
    write_archive(archive, make_index(), platform="osx-arm64")
    with pytest.raises(Done):
        run.run(archive, [b"a", b"-b"], environ, mac)  # type: ignore[arg-type]
    words = [rosetta.ARCH, b"-arm64", python, b"-E", b"-s", b"-S", archive, b"a", b"-b"]
    assert mac.executed == ["given back", (rosetta.ARCH, words, environ)]
    note = "coex: note: %s is for Intel processors; %s starts this archive\n" % (compat.one_line(HERE), compat.one_line(python))
    assert (note in capsys.readouterr().err) == other
