"""Whether a host fits: its platform, the virtual packages, conda's version constraints, what overrides them."""

import os
import platform
import sys

import pytest
from coex_bootstrap import host
from coex_bootstrap.errors import HostUnfit

from bootstrap.building import make_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


@pytest.mark.parametrize(
    ("version", "constraint", "met"),
    [
        ("2.31", "", True),
        ("2.31", "*", True),
        ("2.31", ">=2.17", True),
        ("2.31", ">=2.31", True),
        ("2.31", ">=2.32", False),
        ("2.31", ">=2.17,<3.0.a0", True),
        ("3.1", ">=2.17,<3.0.a0", False),
        ("2.9", ">=2.17", False),
        ("2.31", ">2.31", False),
        ("2.31.1", ">2.31", True),
        ("2.31", "<=2.31", True),
        ("2.31", "<2.31", False),
        ("2.31", "==2.31", True),
        ("2.31.0", "==2.31", True),
        ("2.31", "2.31", True),
        ("2.31", "2.30", False),
        ("2.31", "!=2.31", False),
        ("2.31", "!=2.30", True),
        ("12.4", "12.*", True),
        ("12.4", "=12", True),
        ("12.4", "=12.5", False),
        ("12.4", "!=12.*", False),
        ("11.8", "!=12.*", True),
        ("12.4", ">=12.*", True),
        ("11.8", ">=12.*", False),
        ("12.4", "~=12.2", True),
        ("13.0", "~=12.2", False),
        ("12.1", "~=12.2", False),
        ("11.8", "<11|>=12", False),
        ("12.0", "<11|>=12", True),
        ("10.2", "<11|>=12", True),
        ("0", "0", True),
        ("6.1.0", ">=4.18 build", True),
        ("2.31", "2.17.* build*", False),
    ],
)
def test_matches(version, constraint, met):
    # type: (str, str, bool) -> None
    assert host.matches(version, constraint) is met


def test_a_host_that_fits():
    # type: () -> None
    host.check_host(make_manifest(requires={"__unix": [""], "__unknown": [">=1"], "__archspec": ["1 x86_64"]}))


def test_another_platform():
    # type: () -> None
    with pytest.raises(HostUnfit) as caught:
        host.check_host(make_manifest(platform="linux-z80"))
    assert str(caught.value) == "this archive is for linux-z80, this host is " + host.host_platform()


@pytest.mark.parametrize(
    ("system", "machine", "found"),
    [
        ("linux", "x86_64", "linux-64"),
        ("linux2", "x86_64", "linux-64"),
        ("linux", "aarch64", "linux-aarch64"),
        ("linux", "i686", "linux-32"),
        ("linux", "ppc64le", "linux-ppc64le"),
        ("darwin", "x86_64", "osx-64"),
        ("darwin", "arm64", "osx-arm64"),
        ("linux", "mips", "linux-mips"),
        ("freebsd13", "amd64", "freebsd13-64"),
    ],
)
def test_host_platform(monkeypatch, system, machine, found):
    # type: (Any, str, str, str) -> None
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(os, "uname", lambda: ("", "", "6.1.0", "", machine))
    assert host.host_platform() == found


def test_a_32_bit_python_is_a_32_bit_host(monkeypatch):
    # type: (Any) -> None
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "uname", lambda: ("", "", "6.1.0", "", "x86_64"))
    monkeypatch.setattr(sys, "maxsize", (1 << 31) - 1)
    assert host.host_platform() == "linux-32"


def test_rosetta(monkeypatch):
    # type: (Any) -> None
    monkeypatch.setattr(host, "host_platform", lambda: "osx-arm64")
    host.check_host(make_manifest(platform="osx-64"))
    with pytest.raises(HostUnfit):
        host.check_host(make_manifest(platform="linux-64"))


@pytest.mark.parametrize(
    ("override", "constraint", "lack"),
    [
        ("2.17", ">=2.28", "this archive needs __glibc >=2.28, this host has 2.17"),
        ("2.28", ">=2.28", None),
        ("", ">=2.28", "this archive needs __glibc >=2.28, this host has none"),
        ("", "", "this archive needs __glibc, this host has none"),
        ("1", "", None),
    ],
)
def test_override(monkeypatch, override, constraint, lack):
    # type: (Any, str, str, Optional[str]) -> None
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", override)
    manifest = make_manifest(requires={"__glibc": [constraint]})
    if lack is None:
        host.check_host(manifest)
        return
    with pytest.raises(HostUnfit) as caught:
        host.check_host(manifest)
    assert str(caught.value) == lack + "; CONDA_OVERRIDE_GLIBC=VERSION starts it all the same"


def test_virtual_packages_of_this_host(monkeypatch):
    # type: (Any) -> None
    for name in ("GLIBC", "LINUX", "UNIX", "OSX", "CUDA"):
        monkeypatch.delenv("CONDA_OVERRIDE_" + name, raising=False)
    assert host.virtual_package("__unix") == "0"
    assert host.virtual_package("__unknown") is None
    if sys.platform.startswith("linux"):
        assert host.matches(host.virtual_package("__linux") or "", ">=2.6")
        assert host.virtual_package("__osx") is None
    if platform.libc_ver()[0] == "glibc":
        assert host.matches(host.virtual_package("__glibc") or "", ">=2.5,<3")
