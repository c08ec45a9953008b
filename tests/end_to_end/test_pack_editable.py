"""Sources that a live prefix imports from outside are refused by name, or brought along."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.archives import only_root
from end_to_end.live import PRINTED, PROGRAM, pack

if TYPE_CHECKING:
    from conftest import Conda
    from end_to_end.archives import Archive
    from end_to_end.live import Live

LED_TO = (
    "__editable__.flat-1.pth -> {}/flat/flat", "__editable__.flat-1.pth -> {}/flat/alone",
    "__editable__.laid-1.pth -> {}/laid/src", "__editable__.native_demo-0.3.pth -> {}/native/native_demo",
    "_editable_impl_exact.pth -> {}/exact/exact/__init__.py", "poem.pth -> {}/poem", "easy-install.pth -> {}/egg",
    "egg.egg-link -> {}/egg", "hatch -> {}/egg/scripts/hatch", "more.pth -> {}/laid-out/src",
    "inline.pth -> {}/inline", "linked -> {}/linked/linked",
)  # fmt: skip


SCIKIT = "def install(known, path, rebuild=False, dir=''): pass\ninstall({'m': '/m.py'}, None, True, 'x')\n"


@pytest.fixture(scope="module")
def root(packed: Archive, live: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where it was unpacked, on a machine that has neither the environment nor the projects."""
    store = tmp_path_factory.mktemp("store")
    with live.away():
        assert packed.start("-c", PROGRAM, store=store, env={"COEX_ENTRYPOINT": "python"}) == PRINTED
        assert packed.start(store=store, env={"COEX_ENTRYPOINT": "flat-tool"}) == "tool of data\n"
        assert packed.start(store=store, env={"COEX_ENTRYPOINT": "hatch"}) == "7\n"
    return only_root(store)


def test_refused_by_name(conda: Conda, live: Live, tmp_path: Path) -> None:
    done = pack(conda, live.prefix, tmp_path / "x.coex", check=False)
    assert done.returncode == 1
    listed = done.stderr.partition("(")[2].rpartition("); bring the sources along with --editable bring")[0]
    assert set(listed.split(", ")) == {line.format(live.projects) for line in LED_TO}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("_mine_editable_loader.py", "", "meson-python is built again when it is imported (mine.pth)"),
        ("_mine_editable.py", SCIKIT, "scikit-build-core is built again when it is imported (mine.pth)"),
        ("mine.txt", "", "mine.pth leads to {home}, which is more than the sources of a project"),
    ],
)
def test_sources_that_cannot_be_brought(
    conda: Conda, conda_home: Path, live: Live, tmp_path: Path, name: str, text: str, said: str
) -> None:
    line = f"import {name[:-3]}\n" if name.endswith(".py") else f"{conda_home}\n"
    with live.file(live.site_packages / name, text), live.file(live.site_packages / "mine.pth", line):
        done = pack(conda, live.prefix, tmp_path / "x.coex", "--editable", "bring", check=False)
    assert done.returncode == 1
    assert said.format(home=conda_home) in done.stderr
    assert not list(tmp_path.iterdir())


def test_reports_brought_sources(packed: Archive, live: Live) -> None:
    assert f"brought along: {live.projects}/exact/exact, 2 files, " in packed.said
    tree = f"share/coex/editable/laid/src/laid/tree -> {live.projects}/shared/tree"
    assert f"to files that are not in the archive: mine/hosts -> /etc/hosts, {tree}\n" in packed.said


def test_brings_sources_alone(root: Path) -> None:
    home = root / "prefix/share/coex/editable"
    assert sorted(path.name for path in home.iterdir()) == [
        "egg", "exact", "flat", "inline", "laid", "linked", "native", "poem", "src",
    ]  # fmt: skip
    assert sorted(path.name for path in (home / "flat").iterdir()) == ["__pycache__", "alone.py", "flat"]
    assert {path.name for path in (home / "poem").iterdir()} == {"docs", "poem", "pyproject.toml"}
    assert not list(home.rglob(".git"))
    assert not list(home.rglob("old.*"))
    assert list((home / "flat/flat/__pycache__").glob("__init__.cpython-311.pyc"))


def test_keeps_modes_directories_and_links(root: Path) -> None:
    laid = root / "prefix/share/coex/editable/laid/src/laid"
    assert stat.S_IMODE((laid / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((laid / "empty").stat().st_mode) == 0o750
    assert (laid / "relative").readlink() == Path("data/x")
    assert (laid / "absolute").readlink() == Path("data")
    assert not (laid / "shared.txt").is_symlink()
    assert (laid / "shared.txt").read_text() == "shared"
    site_packages = root / "prefix/lib/python3.11/site-packages"
    assert (site_packages / "linked").readlink() == Path("../../../share/coex/editable/linked")


def test_names_the_new_place_alone(root: Path, live: Live) -> None:
    builder = str(live.projects).encode()
    files = [path for path in (root / "prefix").rglob("*") if path.is_file()]
    binaries = (".so", ".pyc")  # debugging information, and files that setuptools compiled in the project
    assert [path for path in files if path.suffix not in binaries and builder in path.read_bytes()] == []
    site_packages = root / "prefix/lib/python3.11/site-packages"
    home = root / "prefix/share/coex/editable"
    url = json.loads((site_packages / "flat-1.dist-info/direct_url.json").read_text())
    assert url == {"dir_info": {"editable": True}, "url": f"file://{home}/flat"}
    assert "direct_url.json,," in (site_packages / "flat-1.dist-info/RECORD").read_text()
    assert not (site_packages / "fixed-1.dist-info/direct_url.json").exists()
    assert "direct_url" not in (site_packages / "fixed-1.dist-info/RECORD").read_text()
    assert (site_packages / "egg.egg-link").read_text() == f"{home}/egg\n."


def test_pip_knows_it(root: Path, packed: Archive) -> None:
    env = {"COEX_ENTRYPOINT": "python"}
    listed = packed.start("-m", "pip", "list", "--format", "json", store=root.parent, env=env)
    places = {row["name"]: row.get("editable_project_location") for row in json.loads(listed)}
    home = root / "prefix/share/coex/editable"
    assert places["laid"] == f"{home}/laid"
    assert places["poem"] == f"{home}/poem"
    assert places["egg"] == f"{home}/egg"
    assert places["fixed"] is None
    told = packed.start("info", "--json", store=root.parent, env={"COEX_TOOLS": "1"})
    manifest = json.loads(told)
    rows = {row["name"]: row["version"] for row in manifest["pip"]}
    condas = {package["name"] for package in manifest["packages"]}
    assert rows == {row["name"]: row["version"] for row in json.loads(listed) if row["name"] not in condas}
    assert not {"/" in row.get("file", "") for row in manifest["pip"]} & {True}
