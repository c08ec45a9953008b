"""Archives built for another platform: compiled here if possible, readable here, and refused when they are started."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conda_package_handling import api
from end_to_end.archives import Archive, Coex, link_or_copy
from end_to_end.wheel_files import make_project, make_wheel, pack_sdist
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from conftest import Conda
    from testbed.layout import Layout

HERE = native_subdir()
OTHER = "linux-aarch64" if HERE != "linux-aarch64" else "linux-64"
PACKAGES = ("python", "hello-noarch", "post-link-demo")


def relabel(package: Path, target: Path, scratch: Path) -> None:
    """Write a package again that says of itself to be for the other platform."""
    folder = scratch / package.stem
    api.extract(str(package), str(folder))
    index = folder / "info/index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "subdir": OTHER}))
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    api.create(str(folder), files, package.name, str(target), compression_level=1)


@pytest.fixture(scope="module")
def other_channel(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Return the options that name a channel for the other platform: with the same packages under its name."""
    channel = tmp_path_factory.mktemp("other-channel")
    (channel / OTHER).mkdir()
    for name in ("python", "zstd"):
        (package,) = (testbed.channel / HERE).glob(f"{name}-*.conda")
        relabel(package, channel / OTHER, tmp_path_factory.mktemp("relabelled"))
    shutil.copytree(testbed.channel / "noarch", channel / "noarch", copy_function=link_or_copy)
    subprocess.run([sys.executable, "-m", "conda_index", str(channel)], check=True, capture_output=True)
    return ("--override-channels", "-c", str(channel))


@pytest.fixture(scope="module")
def conda_apart(conda: Conda, tmp_path_factory: pytest.TempPathFactory) -> Conda:
    """Return conda with a package cache of its own: the packages have the names of others with other contents."""
    cache = {"CONDA_PKGS_DIRS": str(tmp_path_factory.mktemp("pkgs"))}

    def run(
        *arguments: str | Path, check: bool = True, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return conda(*arguments, check=check, env={**cache, **(env or {})}, cwd=cwd)

    return run


@pytest.fixture(scope="module")
def foreign(conda_apart: Conda, other_channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return an archive for the other platform, and the notes of its build."""
    directory = tmp_path_factory.mktemp("foreign")
    (directory / "run.sh").write_text("#!/bin/sh\necho it runs\n")
    words = [word for name in PACKAGES for word in ("--package", name)]
    options = ("--compression-level", "1", "--platform", OTHER, "--entrypoint", "./run.sh", "-o", "foreign.coex")
    done = conda_apart("coex", "create", "-y", *options, *other_channel, *words, cwd=directory)
    return Archive(directory / "foreign.coex", done.stderr)


def test_compiled_as_for_this_platform(foreign: Archive, coex: Coex, conda: Conda, tmp_path: Path) -> None:
    """Bytecode does not depend on the platform: conda's own Python has compiled it."""
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    coex(tmp_path, "--entrypoint", "./run.sh", "-o", "native.coex", packages=PACKAGES)
    made = {}
    for archive in (foreign.path, tmp_path / "native.coex"):
        found = tmp_path / archive.stem
        conda("coex", "unpack", archive, "-p", found)
        code = sorted(found.glob("lib/python*/site-packages/**/*.pyc"))
        made[archive.stem] = {str(path.relative_to(found)): path.read_bytes() for path in code}
    (only_native,) = made["native"].keys() - made["foreign"].keys()
    assert "settings" in only_native  # its source names the prefix
    del made["native"][only_native]
    assert made["foreign"] == made["native"]
    assert any("hello" in path for path in made["native"])


def test_assumptions_are_reported(foreign: Archive) -> None:
    hosts = f"note: hosts of {OTHER} are assumed to have __linux 5.10, __glibc 2.28; CONDA_OVERRIDE_LINUX and "
    assert hosts in foreign.said
    assert "compiled by the first start" not in foreign.said


def test_unpacked_with_a_note(foreign: Archive, conda: Conda, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    done = conda("coex", "unpack", foreign.path, "-p", prefix)
    assert done.stdout.splitlines()[1:] == [
        f"  note: the environment is for {OTHER}, and does not run on this host, which is {HERE}",
        "  note: the post-link scripts of these packages were not run: post-link-demo",
        "  note: 1 Python file could not be compiled here",  # it names the prefix
        "  note: the files of the application are left out; --app DIR unpacks them, too",
    ]
    listed = json.loads(conda("list", "--json", "-p", prefix).stdout)
    assert {row["name"]: row["platform"] for row in listed}["python"] == OTHER


def test_verbs_read_it(foreign: Archive, conda: Conda, tmp_path: Path) -> None:
    assert json.loads(conda("coex", "info", "--json", foreign.path).stdout)["platform"] == OTHER
    assert "whole" in conda("coex", "verify", foreign.path).stdout
    assert "run.sh" in conda("coex", "files", foreign.path).stdout
    assert OTHER in conda("coex", "inspect", foreign.path).stdout
    refused = foreign.run(store=tmp_path / "store")
    assert (refused.returncode, refused.stdout) == (125, "")
    assert f"this archive is for {OTHER}, this host is {HERE}" in refused.stderr
    store = conda("coex", "unpack", foreign.path, "--store", tmp_path / "shared", check=False)
    assert store.returncode != 0
    assert f"this archive is for {OTHER}" in store.stdout + store.stderr
    assert not Path(tmp_path / "shared").exists()


MACHINE = {"linux-aarch64": "aarch64", "linux-64": "x86_64"}[OTHER]
WRONG = {"linux-aarch64": "x86_64", "linux-64": "aarch64"}[OTHER]
SECTION = """\
dependencies:
- python
- pip
- hello-noarch
- pip:
  - --no-index
  - --find-links wheels
  - tool
  - other_system; sys_platform == "darwin"
  - other_machine; platform_machine == "{wrong}"
  - hello_noarch==9.0
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with wheels for several platforms, and an environment file that asks for some of them."""
    work = tmp_path_factory.mktemp("wheels")
    module = "import lib\n\n\ndef main() -> None:\n    print(lib.WHERE)\n"
    tool = {"tool.py": module, "tool-2.0.data/data/share/tool.txt": "x"}
    make_wheel(work / "wheels", "tool", "2.0", tool, script="tool = tool:main", requires="lib")
    for machine in (MACHINE, WRONG):
        tag = f"py3-none-manylinux_2_28_{machine}"
        make_wheel(work / "wheels", "lib", "1.0", {"lib.py": f"WHERE = {machine!r}\n"}, tag=tag)
    make_wheel(work / "wheels", "lib", "2.0", {"lib.py": "WHERE = 'new'\n"}, tag=f"py3-none-manylinux_2_39_{MACHINE}")
    make_wheel(work / "wheels", "hello_noarch", "9.0", {"hello_noarch/__init__.py": "VERSION = 9\n"})
    (work / "environment.yml").write_text(SECTION.format(wrong=WRONG))
    (work / "run.sh").write_text("#!/bin/sh\n")
    return work


@pytest.fixture(scope="module")
def with_pip(conda_apart: Conda, other_channel: tuple[str, ...], wheels: Path) -> Archive:
    """Return an archive for the other platform, with packages of pip."""
    options = ("--compression-level", "1", "--platform", OTHER, "--entrypoint", "./run.sh", "-o", "pip.coex")
    done = conda_apart("coex", "create", "-y", *options, *other_channel, "-f", "environment.yml", cwd=wheels)
    return Archive(wheels / "pip.coex", done.stderr)


def test_wheels_of_the_other_platform(with_pip: Archive, conda: Conda, tmp_path: Path) -> None:
    """Tags and markers are the target's: the machine, the system, and a glibc that is not too new."""
    rows = json.loads(conda("coex", "inspect", "--json", with_pip.path).stdout)["pip"]
    assert {row["name"]: row["version"] for row in rows} == {"tool": "2.0", "lib": "1.0", "hello_noarch": "9.0"}
    prefix = tmp_path / "prefix"
    conda("coex", "unpack", with_pip.path, "-p", prefix)
    (site_packages,) = prefix.glob("lib/python*/site-packages")
    assert (site_packages / "lib.py").read_text() == f"WHERE = {MACHINE!r}\n"
    assert (prefix / "share/tool.txt").read_text() == "x"
    done = subprocess.run([prefix / "bin/tool"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{MACHINE}\n"  # the packages under the other name are this machine's


def test_package_of_conda_that_pip_replaces(with_pip: Archive, conda: Conda, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    conda("coex", "unpack", with_pip.path, "-p", prefix)
    (package,) = prefix.glob("lib/python*/site-packages/hello_noarch")
    assert (package / "__init__.py").read_text() == "VERSION = 9\n"
    assert not (package / "cli.py").exists()
    assert not list(package.glob("__pycache__/cli.*"))
    listed = {row["name"]: row for row in json.loads(conda("list", "--json", "-p", prefix).stdout)}
    assert (listed["tool"]["channel"], listed["lib"]["version"]) == ("pypi", "1.0")
    check = subprocess.run([prefix / "bin/python", "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert check.stdout == "lib 1.0 is not supported on this platform\n"  # the interpreter is this machine's


def test_records_and_bytecode_of_wheels(with_pip: Archive, conda: Conda, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    conda("coex", "unpack", with_pip.path, "-p", prefix)
    (site_packages,) = prefix.glob("lib/python*/site-packages")
    for row in (site_packages / "tool-2.0.dist-info/RECORD").read_text().splitlines():
        assert (site_packages / row.split(",")[0]).is_file(), row
    (compiled,) = site_packages.glob("__pycache__/tool.*.pyc")
    assert int.from_bytes(compiled.read_bytes()[8:12], "little") == int((site_packages / "tool.py").stat().st_mtime)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lib==2.0", "No matching distribution found for lib==2.0"),
        ("./project", "project for " + OTHER),
        ("-e ./project", "project for " + OTHER),
        ("'project @ git+https://example.com/project.git'", "pip would have to build project @ git+https://example.com"),
        ("sdist", "No matching distribution found for sdist"),
    ],
)
def test_not_a_wheel_that_fits(
    line: str, expected: str, conda_apart: Conda, other_channel: tuple[str, ...], wheels: Path, tmp_path: Path
) -> None:
    pack_sdist(make_project(wheels / "wheels/sdist-1.0", "sdist"), "sdist-1.0")
    make_project(tmp_path / "project", "project")
    lines = f"dependencies: [python, pip, setuptools, {{pip: [--no-index, --find-links {wheels}/wheels, {line}]}}]\n"
    (tmp_path / "environment.yml").write_text(lines)
    options = ("--platform", OTHER, "--entrypoint", "python", "-o", "x.coex")
    words = ("coex", "create", "-y", *options, *other_channel, "-f", "environment.yml")
    done = conda_apart(*words, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "take such packages from conda, or build on a machine of that platform" in done.stderr
    assert not (tmp_path / "x.coex").exists()
