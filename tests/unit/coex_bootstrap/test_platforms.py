"""Code that asks for the system: each place is reached by a test that sets another one."""

import os
import platform
import re
import subprocess
import sys
from collections import namedtuple

import pytest
from coex_bootstrap.start import host
from coex_bootstrap.store.ladder import stores
from coex_bootstrap.tools.jupyter_data import data_directory
from coex_bootstrap.unpack.shebang import longest_line

from unit.coex_bootstrap.building import CARRIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Options = namedtuple("Options", "prefix sys_prefix")
ASKS = re.compile(br"\bsys\.platform\b|\bplatform\.(?:system|machine|mac_ver)\b|\bos\.uname\b")
# How often each module asks, and the tests that answer in place of the system.
PLACES = {
    "start/host.py": (9, "start/test_host.py and this module"),
    "start/microarchitecture.py": (2, "start/test_host.py"),
    "start/rosetta.py": (3, "start/test_rosetta.py"),
    "start/run.py": (1, "start/test_rosetta.py"),
    "store/file_system.py": (3, "store/test_file_system.py and store/test_store.py"),
    "store/identity.py": (2, "store/test_identity.py"),
    "store/ladder.py": (1, "this module"),
    "tools/jupyter_data.py": (1, "this module"),
    "unpack/clone.py": (1, "unpack/test_clone.py"),
    "unpack/codesign.py": (1, "unpack/test_codesign.py"),
    "unpack/link_frames.py": (2, "unpack/test_clone.py"),
    "unpack/shebang.py": (1, "this module"),
}


def test_every_place_is_known():
    # type: () -> None
    code = dict((name.partition("/")[2], text) for name, text in CARRIED.items() if name.endswith(".py"))
    lines = dict((name, re.sub(br"(?m)^\s*(?:#|\"\"\").*$", b"", text)) for name, text in code.items())
    found = dict((name, len(ASKS.findall(text))) for name, text in lines.items() if ASKS.search(text))
    assert found == dict((name, count) for name, (count, _) in PLACES.items())


@pytest.mark.parametrize(("system", "place"), [
    ("darwin", b"/home/me/Library/Caches/coex"), ("linux", b"/home/me/.cache/coex"), ("freebsd13", b"/home/me/.cache/coex"),
])
def test_store_in_the_cache(monkeypatch, system, place):
    # type: (Any, str, bytes) -> None
    monkeypatch.setattr("coex_bootstrap.store.ladder.file_systems", lambda paths: [(b"apfs", [])] * len(list(paths)))
    monkeypatch.setattr(sys, "platform", system)
    assert stores({b"HOME": b"/home/me"})[0].path == place
    assert stores({b"HOME": b"/home/me", b"XDG_CACHE_HOME": b"/c"})[0].path == b"/c/coex"


@pytest.mark.parametrize(("system", "place"), [
    ("darwin", b"/home/me/Library/Jupyter"), ("linux", b"/home/me/.local/share/jupyter"),
])
def test_data_of_jupyter(monkeypatch, system, place):
    # type: (Any, str, bytes) -> None
    monkeypatch.setattr(sys, "platform", system)
    options = Options(None, False)
    assert data_directory(options, {b"HOME": b"/home/me"}) == place  # type: ignore[arg-type]


@pytest.mark.parametrize(("system", "limit"), [("darwin", 512), ("linux", 127), ("linux2", 127)])
def test_length_of_a_line(system, limit):
    # type: (str, int) -> None
    assert longest_line(system) == limit


@pytest.mark.parametrize(("reported", "version"), [("14.5", "14.5"), ("10.15.7", "10.15.7"), ("", None), ("10.16", "15.1")])
def test_version_of_macos(monkeypatch, reported, version):
    # type: (Any, str, Any) -> None
    """A Python that was built for older systems is told 10.16; sw_vers knows better."""
    def sw_vers(command, env, stdin):
        # type: (Any, Any, Any) -> bytes
        assert (command, env["SYSTEM_VERSION_COMPAT"]) == (["/usr/bin/sw_vers", "-productVersion"], "0")
        return b"15.1\n"

    monkeypatch.delenv("CONDA_OVERRIDE_OSX", raising=False)
    monkeypatch.setattr(platform, "mac_ver", lambda: (reported, ("", "", ""), ""))
    monkeypatch.setattr(subprocess, "check_output", sw_vers)
    assert host.virtual_package("__osx") == version


@pytest.mark.parametrize(("system", "name"), [("linux", "__linux"), ("freebsd14", "__freebsd")])
def test_versions_of_kernels(monkeypatch, system, name):
    # type: (Any, str, str) -> None
    for each in ("LINUX", "FREEBSD"):
        monkeypatch.delenv("CONDA_OVERRIDE_" + each, raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(os, "uname", lambda: ("", "", "14.1-RELEASE", "", ""))
    versions = dict((each, host.virtual_package(each)) for each in ("__linux", "__freebsd"))
    assert versions == {"__linux": None, "__freebsd": None, name: "14.1"}
