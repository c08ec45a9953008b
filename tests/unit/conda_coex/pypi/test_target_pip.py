"""The pip of an environment for another platform: it chooses by the Python of that platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conda_coex.errors import InputError, PipFailed
from conda_coex.inputs.environment import PipSection
from conda_coex.pypi.pip import Program
from conda_coex.pypi.target import Target
from conda_coex.pypi.target_pip import TargetPip
from conda_coex.pypi.target_prefix import TargetPrefix
from conda_coex.root.link_rules import Python
from conda_coex.root.package import Package
from unit.conda_coex.pypi.chosen_wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

TARGET = Target("linux-aarch64", "3.12.1", "2.28")
SITE = "lib/python3.12/site-packages"


@pytest.fixture
def pip(tmp_path: Path) -> TargetPip:
    """Return the pip of an environment without packages."""
    path = tmp_path / "up" / "prefix"
    (path / SITE).mkdir(parents=True)
    prefix = TargetPrefix(path, Python("3.12", SITE, Package.__new__(Package)))
    return TargetPip(prefix, [], Program("24.0"), TARGET, 0, offline=True)


@pytest.mark.parametrize(("version", "fits"), [("==3.12.1", True), (">=3.13", False), ("<3.12", False)])
def test_python_that_a_wheel_requires(
    pip: TargetPip, testbed: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool
) -> None:
    """It is compared with the Python of the target, not with the one that runs pip."""
    (program,) = testbed.downloads.glob("pip-*/pip-*.whl")
    monkeypatch.setattr(TargetPip, "_pip_directory", lambda _: str(program))
    make_wheel(tmp_path, "demo.py", requires_python=version)
    section = PipSection(str(tmp_path), ("--no-index", f"--find-links {tmp_path}", "demo-pkg"))
    if fits:
        assert [item["requested"] for item in pip.install([section])] == [True]
        assert (pip.prefix.site_packages / "demo.py").is_file()
    else:
        with pytest.raises(PipFailed, match=r"requires a different Python: 3\.12\.1 not in"):
            pip.install([section])


def test_pip_that_is_too_old(pip: TargetPip) -> None:
    with pytest.raises(InputError, match=r"pip 23\.2\.1 cannot choose packages for another platform"):
        TargetPip(pip.prefix, [], Program("23.2.1"), TARGET, 0, offline=True)
