"""Markers and tags of another platform are those that `packaging` finds where it runs on one."""

from __future__ import annotations

import platform

import pytest
from conda.base.context import context
from packaging import markers, tags

from conda_coex.pypi.target import Target

HERE = str(context._native_subdir())
OF_THE_KERNEL = ("platform_release", "platform_version")
GLIBC = platform.libc_ver()[1] or "2.17"


def test_markers_of_this_platform() -> None:
    expected = dict(markers.default_environment())
    found = Target(HERE, platform.python_version(), GLIBC).markers()
    assert found.keys() == expected.keys()
    assert {name: value for name, value in found.items() if name not in OF_THE_KERNEL} == {
        name: value for name, value in expected.items() if name not in OF_THE_KERNEL
    }


@pytest.mark.skipif(not HERE.startswith("linux"), reason="tags of glibc are those of Linux")
def test_tags_of_this_platform() -> None:
    assert Target(HERE, "3.12.1", GLIBC).platform_tags() == list(tags.platform_tags())


@pytest.mark.parametrize("glibc", ["2.17", "2.28", "2.39"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "ppc64le"])
def test_tags_of_others(machine: str, glibc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `packaging` ran there."""
    monkeypatch.setattr(tags._manylinux, "_get_glibc_version", lambda: tuple(map(int, glibc.split("."))))
    monkeypatch.setattr(tags._manylinux, "_have_compatible_abi", lambda *_: True)
    monkeypatch.setattr("sysconfig.get_platform", lambda: f"linux-{machine}")
    monkeypatch.setattr(tags._musllinux, "platform_tags", lambda _: iter(()))
    subdir = {"x86_64": "linux-64"}.get(machine, f"linux-{machine}")
    assert Target(subdir, "3.12.1", glibc).platform_tags() == list(tags._linux_platforms(is_32bit=False))


def test_tag_of_macos() -> None:
    """pip adds the older ones, which `packaging` lists."""
    (tag,) = Target("osx-arm64", "3.12.1", "11.0").platform_tags()
    assert tag == next(iter(tags.mac_platforms((11, 0), "arm64")))


def test_words_of_the_kernel_are_not_known() -> None:
    found = Target("linux-aarch64", "3.12.1", "2.28").markers()
    assert [found[name] for name in OF_THE_KERNEL] == ["", ""]
    assert found["platform_machine"] == "aarch64"
