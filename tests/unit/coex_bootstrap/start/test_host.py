"""Whether a host fits: its platform, the virtual packages, conda's version constraints, and overrides."""

import os
import platform
import sys

import pytest
from coex_bootstrap.base.errors import HostUnfit
from coex_bootstrap.start import host, microarchitecture

from unit.coex_bootstrap.building import make_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional


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


def family():
    # type: () -> str
    return sorted(microarchitecture.own_names())[0]


def test_a_host_that_fits():
    # type: () -> None
    host.check_host(make_manifest(requires={"__unix": [""], "__unknown": [">=1"], "__archspec": ["1 " + family()]}))


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


LEVEL_3 = (
    u"processor\t: 0\nflags\t\t: fpu mmx sse sse2 pni cx16 ssse3 sse4_1 sse4_2 popcnt lahf_lm abm avx avx2 bmi1 bmi2 f16c "
    u"fma movbe xsave\nbugs\t\t: avx512f\n\nprocessor\t: 1\nflags\t\t: fpu\n"
)


@pytest.fixture
def processor(monkeypatch, tmp_path):
    # type: (Any, Any) -> Any
    """Return a function that gives this host a machine and a text of proc(5)."""
    monkeypatch.delenv("CONDA_OVERRIDE_ARCHSPEC", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")

    def give(machine, text):
        # type: (str, Optional[str]) -> None
        monkeypatch.setattr(os, "uname", lambda: ("Linux", "", "6.1.0", "", machine))
        path = tmp_path / "cpuinfo"
        if text is not None:
            path.write_bytes(text.encode("utf-8"))
        monkeypatch.setattr(microarchitecture, "CPUINFO", str(path))

    return give


@pytest.mark.parametrize(
    ("constraint", "override", "found"),
    [
        ("1 x86_64", None, None),
        ("1 x86_64_v2", None, None),
        ("1 x86_64_v3", None, None),
        ("1 x86_64_v4", None, "x86_64_v3"),
        ("1 core2", None, None),
        ("1 haswell", None, "x86_64_v3"),  # it has no aes here
        ("1 *", None, None),
        ("1", None, None),
        ("", None, None),
        ("=1=x86_64_v4", None, "x86_64_v3"),
        ("1.* *_v4", None, "x86_64_v3"),
        ("1.* x86_64_v*", None, None),
        ("1 nobody_knows", None, None),
        ("1 x86_64_v4", "x86_64_v4", None),
        ("1 x86_64_v4", "zen4", None),
        ("1 x86_64", "zen4", None),
        ("1 x86_64_v3", "x86_64_v2", "x86_64_v2"),
        ("1 x86_64_v2", "nobody_knows", "nobody_knows"),
        ("1 nobody_knows", "nobody_knows", None),
        ("1 nobody_knows", "zen4", "zen4"),
        ("1 x86_64", "", "none"),
    ],
)
def test_archspec(processor, monkeypatch, constraint, override, found):
    # type: (Any, Any, str, Optional[str], Optional[str]) -> None
    processor("x86_64", LEVEL_3)
    if override is not None:
        monkeypatch.setenv("CONDA_OVERRIDE_ARCHSPEC", override)
    manifest = make_manifest(requires={"__archspec": [constraint]}, platform="linux-64")
    if found is None:
        host.check_host(manifest)
        return
    with pytest.raises(HostUnfit) as caught:
        host.check_host(manifest)
    words = "this archive needs __archspec %s, this host has %s; CONDA_OVERRIDE_ARCHSPEC=%s starts it all the same"
    assert str(caught.value) == words % (constraint, found, constraint.split()[-1].split("=")[-1])


@pytest.mark.parametrize("text", [None, u"", u"processor\t: 0\n", u"\xff"])
def test_archspec_of_a_host_that_does_not_tell(processor, text):
    # type: (Any, Optional[str]) -> None
    processor("x86_64", text)
    host.check_host(make_manifest(requires={"__archspec": ["1 x86_64_v4"]}, platform="linux-64"))


@pytest.mark.parametrize(
    ("machine", "text", "wanted", "found"),
    [
        ("aarch64", u"Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n", "cortex_a72", None),
        ("aarch64", u"Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n", "neoverse_n1", "cortex_a72"),
        ("aarch64", u"Features\t: fp asimd\n", "aarch64", None),
        ("aarch64", u"Features\t: fp asimd\n", "armv8.2a", None),
        ("ppc64le", u"cpu\t\t: POWER9 (raw), altivec supported\n", "power8le", None),
        ("ppc64le", u"cpu\t\t: POWER9 (raw), altivec supported\n", "power9le", None),
        ("ppc64le", u"cpu\t\t: POWER9 (raw), altivec supported\n", "power10le", "power9le"),
        ("ppc64le", u"cpu\t\t: POWER9 (raw), altivec supported\n", "ppc64le", None),
    ],
)
def test_archspec_of_other_machines(processor, machine, text, wanted, found):
    # type: (Any, str, str, str, Optional[str]) -> None
    processor(machine, text)
    assert microarchitecture.unmet_by("1 " + wanted) == found


@pytest.mark.parametrize(
    ("said", "wanted", "found"),
    [
        ({"machdep.cpu.brand_string": "Apple M2 Pro\n"}, "m2", None),
        ({"machdep.cpu.brand_string": "Apple M2 Pro\n"}, "m3", None),  # the same flags
        ({"machdep.cpu.brand_string": "Apple M1\n"}, "m2", "m1"),
        ({"machdep.cpu.brand_string": "Apple M11\n"}, "m4", None),
        ({"machdep.cpu.features": "FPU MMX SSE SSE2 SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT\n",
          "machdep.cpu.extfeatures": "LAHF\n"}, "x86_64_v2", None),
        ({"machdep.cpu.features": "FPU MMX SSE\n"}, "x86_64_v2", "x86_64"),
        ({}, "x86_64_v4", None),
    ],
)
def test_archspec_of_macos(monkeypatch, said, wanted, found):
    # type: (Any, Dict[str, str], str, Optional[str]) -> None
    machine = "arm64" if "Apple" in str(said) else "x86_64"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "uname", lambda: ("Darwin", "", "22.1.0", "", machine))
    monkeypatch.setattr(microarchitecture, "_sysctl", lambda name: said.get(name, ""))
    assert microarchitecture.unmet_by("1 " + wanted) == found


def test_version_that_our_hosts_do_not_have():
    # type: () -> None
    for name in ("__win", "__freebsd"):
        if not sys.platform.startswith("freebsd"):
            with pytest.raises(HostUnfit, match="this host has none"):
                host.check_host(make_manifest(requires={name: [""]}))


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


def test_a_version_of_many_digits():
    # type: () -> None
    many = "9" * 5000
    assert not host.matches("2.36", ">=" + many)
    assert host.matches("2.36", "<=" + many)
    assert not host.matches("2.36", "==2." + many)
    with pytest.raises(HostUnfit):
        host.check_host(make_manifest(requires={"__unix": [">=" + many]}))
