"""Wheels installed into the prefix of another platform, and distributions removed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import PipFailed
from conda_coex.pypi.target_prefix import TargetPrefix
from conda_coex.root.link_rules import Python
from conda_coex.root.package import Package
from unit.conda_coex.pypi.chosen_wheels import chosen, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.12/site-packages"


@pytest.fixture
def prefix(tmp_path: Path) -> TargetPrefix:
    """Return a prefix that has the metadata of a package `demo`."""
    prefix = tmp_path / "up" / "prefix"
    metadata = prefix / SITE / "demo-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
    return TargetPrefix(prefix, Python("3.12", SITE, Package.__new__(Package)))


def test_files_of_a_package_of_conda_that_pip_replaces(prefix: TargetPrefix) -> None:
    """They are not laid out here; those outside of the environment stay, as for prefix."""
    outside = prefix.path.parent / "precious"
    outside.write_text("x")
    listed = ["demo/a.py", "../../../bin/demo", "demo-1.dist-info/METADATA", "demo", "../../..", "../../../../precious"]
    record = prefix.site_packages / "demo-1.dist-info/RECORD"
    record.write_text("".join(f"{path},,\n" for path in [*listed, str(outside)]))
    prefix.uninstall("demo")
    assert outside.exists()
    metadata = f"{SITE}/demo-1.dist-info/METADATA"
    assert not (prefix.path / metadata).exists()
    compiled = f"{SITE}/demo/__pycache__/a.cpython-312.pyc"
    assert prefix.removed == {f"{SITE}/demo/a.py", compiled, "bin/demo", metadata, f"{SITE}/demo"}


def test_files_of_an_egg(prefix: TargetPrefix) -> None:
    metadata = prefix.site_packages / "demo-1.dist-info"
    (metadata / "installed-files.txt").write_text("../demo.so\nPKG-INFO\n")
    prefix.uninstall("demo")
    assert prefix.removed == {f"{SITE}/demo.so", f"{SITE}/demo-1.dist-info/PKG-INFO"}


@pytest.mark.parametrize("text", [None, "x" * 200_000])
def test_package_without_a_list_of_its_files(prefix: TargetPrefix, text: str | None) -> None:
    if text is not None:
        (prefix.site_packages / "demo-1.dist-info/RECORD").write_text(text)
    with pytest.raises(PipFailed, match="pip would replace demo, whose package of conda has no list of its files"):
        prefix.uninstall("demo")


def test_wheel(prefix: TargetPrefix, tmp_path: Path) -> None:
    data = "demo_pkg-1.5.data"
    names = ("demo.py", f"{data}/data/etc/x", f"{data}/scripts/s")
    wheel = make_wheel(tmp_path, *names, points="[console_scripts]\nd=d:f\n")
    prefix.install(wheel, chosen())
    for path in (f"{SITE}/demo.py", "etc/x", "bin/s", "bin/d", f"{SITE}/demo_pkg-1.5.dist-info/INSTALLER"):
        assert (prefix.path / path).is_file()


@pytest.mark.parametrize("name", [
    "../../../../evil", "/{}/evil", "demo_pkg-1.5.data/data/../evil", "demo_pkg-1.5.data/scripts/../../evil",
    "demo_pkg-1.5.data/nothing/evil", "demo_pkg-1.5.dist-info/METADATA/evil",
])  # fmt: skip
def test_wheels_that_lead_out(prefix: TargetPrefix, tmp_path: Path, name: str) -> None:
    wheel = make_wheel(tmp_path, name.format(tmp_path))
    with pytest.raises(PipFailed, match=r"demo_pkg-1\.5-py3-none-any\.whl cannot be installed"):
        prefix.install(wheel, chosen())
    assert list(tmp_path.rglob("evil")) == []


def test_script_that_leads_out(prefix: TargetPrefix, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, points="[console_scripts]\n../../evil=d:f\n")
    with pytest.raises(PipFailed, match="leads out of the environment"):
        prefix.install(wheel, chosen())
    assert list(tmp_path.rglob("evil")) == []


def test_wheel_that_is_not_a_zip(prefix: TargetPrefix, tmp_path: Path) -> None:
    wheel = tmp_path / "demo_pkg-1.5-py3-none-any.whl"
    wheel.write_bytes(b"PK")
    with pytest.raises(PipFailed, match="cannot be installed"):
        prefix.install(wheel, chosen())
