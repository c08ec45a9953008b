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
def foreign(conda: Conda, other_channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return an archive for the other platform, and the notes of its build."""
    directory = tmp_path_factory.mktemp("foreign")
    (directory / "run.sh").write_text("#!/bin/sh\necho it runs\n")
    words = [word for name in PACKAGES for word in ("--package", name)]
    options = ("--compression-level", "1", "--platform", OTHER, "--entrypoint", "./run.sh", "-o", "foreign.coex")
    done = conda("coex", "create", "-y", *options, *other_channel, *words, cwd=directory)
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


def test_what_was_assumed_is_said(foreign: Archive) -> None:
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
