"""Packages that pip has chosen for another platform: only wheels, at exactly their versions and hashes."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from conda_coex.errors import InputError, PipFailed
from conda_coex.inputs.environment import PipSection
from conda_coex.pypi.pip import Program
from conda_coex.pypi.target import Target
from conda_coex.pypi.target_pip import Chosen, TargetPip, check_wheels
from conda_coex.root.link_rules import Python
from conda_coex.root.package import Package

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

TARGET = Target("linux-aarch64", "3.12.1", "2.28")
WHEEL = "https://user:secret@host/Demo_Pkg-1.5-py3-none-any.whl"


def chosen(url: str = WHEEL, **fields: object) -> Chosen:
    """Return an item of pip's installation report, of version 1."""
    download = {"url": url, "archive_info": {"hashes": {"sha256": "a" * 64}}}
    return Chosen({"download_info": download, "metadata": {"name": "Demo_Pkg", "version": "1.5"}, **fields})


def test_requirement_is_exact() -> None:
    found = Requirement(chosen().requirement(hashed=False))
    assert (found.name, str(found.specifier), found.url) == ("demo-pkg", "==1.5", None)
    direct = Requirement(chosen(is_direct=True).requirement(hashed=False))
    assert (direct.name, direct.url) == ("demo-pkg", WHEEL)
    line, _, option = chosen().requirement(hashed=True).partition(" ")
    assert (line, option) == ("demo-pkg==1.5", f"--hash=sha256:{'a' * 64}")


def test_files_of_an_installer() -> None:
    assert chosen().metadata() == {"INSTALLER": b"pip\n"}
    found = chosen(is_direct=True, requested=True).metadata()
    assert found.keys() == {"INSTALLER", "REQUESTED", "direct_url.json"}
    assert json.loads(found["direct_url.json"])["url"] == WHEEL


@pytest.mark.parametrize("fields", [{}, {"metadata": [], "download_info": 5}, {"metadata": {"name": None}}])
def test_report_of_another_shape(fields: dict[str, object]) -> None:
    """A value of another type counts as missing."""
    found = Chosen(fields)
    assert (found.name, found.url, found.hashes) == ("", "", {})


def test_sources_are_refused() -> None:
    chosen().check_wheel(TARGET)
    with pytest.raises(InputError, match=r"build demo-pkg from https://host/x\.tar\.gz for linux-aarch64"):
        chosen("https://user:secret@host/x.tar.gz").check_wheel(TARGET)


@pytest.mark.parametrize(
    "line",
    ["demo", "demo[a]>=1 ; python_version > '3'", "demo @ https://host/a-1-py3-none-any.whl", "/w/a-1-py3-none-any.whl",
     "--index-url https://host/simple", "-c https://host/constraints.txt"],
)  # fmt: skip
def test_lines_that_build_nothing(line: str) -> None:
    check_wheels([line], TARGET)


@pytest.mark.parametrize(
    "line",
    ["-e .", "--editable /src", "/src/project", "/src/project[extra] ; python_version > '3'",
     "--no-binary :all:", "--no-bin=demo", "--only-binary :none:",
     "demo @ git+https://host/demo", "https://host/demo-1.tar.gz --hash=sha256:00"],
)  # fmt: skip
def test_lines_that_name_sources(line: str) -> None:
    with pytest.raises(InputError, match="pip would have to build"):
        check_wheels(["demo", line], TARGET)


SITE = "lib/python3.12/site-packages"
HEAD = "Metadata-Version: 2.1\nName: demo-pkg\nVersion: 1.5\n"


@pytest.fixture
def pip(tmp_path: Path) -> TargetPip:
    """Return the pip of an environment that has the metadata of a package `demo`."""
    prefix = tmp_path / "up" / "prefix"
    metadata = prefix / SITE / "demo-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
    python = Python("3.12", SITE, Package.__new__(Package))
    return TargetPip(prefix, python, [], Program("24.0"), TARGET, 0, offline=True)


def test_files_of_a_package_of_conda_that_pip_replaces(pip: TargetPip) -> None:
    """They are not laid out here; those outside of the environment stay, as for pip."""
    outside = pip.prefix.parent / "precious"
    outside.write_text("x")
    listed = ["demo/a.py", "../../../bin/demo", "demo-1.dist-info/METADATA", "demo", "../../..", "../../../../precious"]
    record = pip.site_packages / "demo-1.dist-info/RECORD"
    record.write_text("".join(f"{path},,\n" for path in [*listed, str(outside)]))
    pip._uninstall("demo")
    assert outside.exists()
    metadata = f"{SITE}/demo-1.dist-info/METADATA"
    assert not (pip.prefix / metadata).exists()
    compiled = f"{SITE}/demo/__pycache__/a.cpython-312.pyc"
    assert pip.removed == {f"{SITE}/demo/a.py", compiled, "bin/demo", metadata, f"{SITE}/demo"}


def test_files_of_an_egg(pip: TargetPip) -> None:
    metadata = pip.site_packages / "demo-1.dist-info"
    (metadata / "installed-files.txt").write_text("../demo.so\nPKG-INFO\n")
    pip._uninstall("demo")
    assert pip.removed == {f"{SITE}/demo.so", f"{SITE}/demo-1.dist-info/PKG-INFO"}


@pytest.mark.parametrize("text", [None, "x" * 200_000])
def test_package_without_a_list_of_its_files(pip: TargetPip, text: str | None) -> None:
    if text is not None:
        (pip.site_packages / "demo-1.dist-info/RECORD").write_text(text)
    with pytest.raises(PipFailed, match="pip would replace demo, whose package of conda has no list of its files"):
        pip._uninstall("demo")


def make_wheel(path: Path, *names: str, points: str = "", requires_python: str = ">=2") -> Path:
    info = "demo_pkg-1.5.dist-info"
    with zipfile.ZipFile(path / "demo_pkg-1.5-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/METADATA", f"{HEAD}Requires-Python: {requires_python}\n")
        wheel.writestr(f"{info}/entry_points.txt", points)
        for name in names:
            wheel.writestr(name, "x")
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    return path / "demo_pkg-1.5-py3-none-any.whl"


def test_wheel(pip: TargetPip, tmp_path: Path) -> None:
    data = "demo_pkg-1.5.data"
    names = ("demo.py", f"{data}/data/etc/x", f"{data}/scripts/s")
    wheel = make_wheel(tmp_path, *names, points="[console_scripts]\nd=d:f\n")
    pip._install(wheel, chosen())
    for path in (f"{SITE}/demo.py", "etc/x", "bin/s", "bin/d", f"{SITE}/demo_pkg-1.5.dist-info/INSTALLER"):
        assert (pip.prefix / path).is_file()


@pytest.mark.parametrize("name", [
    "../../../../evil", "/{}/evil", "demo_pkg-1.5.data/data/../evil", "demo_pkg-1.5.data/scripts/../../evil",
    "demo_pkg-1.5.data/nothing/evil", "demo_pkg-1.5.dist-info/METADATA/evil",
])  # fmt: skip
def test_wheels_that_lead_out(pip: TargetPip, tmp_path: Path, name: str) -> None:
    wheel = make_wheel(tmp_path, name.format(tmp_path))
    with pytest.raises(PipFailed, match=r"demo_pkg-1\.5-py3-none-any\.whl cannot be installed"):
        pip._install(wheel, chosen())
    assert list(tmp_path.rglob("evil")) == []


def test_script_that_leads_out(pip: TargetPip, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, points="[console_scripts]\n../../evil=d:f\n")
    with pytest.raises(PipFailed, match="leads out of the environment"):
        pip._install(wheel, chosen())
    assert list(tmp_path.rglob("evil")) == []


def test_wheel_that_is_not_a_zip(pip: TargetPip, tmp_path: Path) -> None:
    wheel = tmp_path / "demo_pkg-1.5-py3-none-any.whl"
    wheel.write_bytes(b"PK")
    with pytest.raises(PipFailed, match="cannot be installed"):
        pip._install(wheel, chosen())


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
        assert (pip.site_packages / "demo.py").is_file()
    else:
        with pytest.raises(PipFailed, match=r"requires a different Python: 3\.12\.1 not in"):
            pip.install([section])


def test_pip_that_is_too_old(pip: TargetPip) -> None:
    with pytest.raises(InputError, match=r"pip 23\.2\.1 cannot choose packages for another platform"):
        TargetPip(pip.prefix, pip.python, [], Program("23.2.1"), TARGET, 0, offline=True)
