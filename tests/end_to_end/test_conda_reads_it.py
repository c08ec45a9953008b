"""conda takes an unpacked prefix for an environment of its own: it lists, exports and changes it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coex_bootstrap.base.urls import LOCAL_CHANNEL
from end_to_end.archives import Archive, MakeArchive, only_root
from testbed.layout import native_subdir

if TYPE_CHECKING:
    from conftest import Conda

ASKED = ("python", "hello-noarch", "cprog")
INSTALLED = {"python", "hello-noarch", "cprog", "libcgreet"}


@pytest.fixture(scope="module")
def archive(make_archive: MakeArchive) -> Archive:
    return make_archive("hello-noarch", packages=ASKED)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def prefix(archive: Archive, store: Path) -> Path:
    """Return a prefix that tests only look at."""
    archive.start(store=store)
    return only_root(store) / "prefix"


def test_list(prefix: Path, conda: Conda) -> None:
    rows = json.loads(conda("list", "-p", prefix, "--json", "--show-channel-urls").stdout)
    assert {row["name"] for row in rows} == INSTALLED
    (hello,) = [row for row in rows if row["name"] == "hello-noarch"]
    assert (hello["version"], hello["build_string"], hello["build_number"]) == ("1.0", "pyh1_0", 0)
    assert {row["base_url"] for row in rows} == {LOCAL_CHANNEL}
    assert {row["platform"] for row in rows} == {"noarch", native_subdir()}
    # the table for people has the same
    assert len(conda("list", "-p", prefix, "--no-pip").stdout.splitlines()) == 3 + len(INSTALLED)


def test_list_for_machines(prefix: Path, conda: Conda) -> None:
    exported = conda("list", "-p", prefix, "--export").stdout.splitlines()
    assert "hello-noarch=1.0=pyh1_0" in exported
    explicit = conda("list", "-p", prefix, "--explicit", "--md5").stdout.splitlines()
    urls = [line.partition("#")[0] for line in explicit[explicit.index("@EXPLICIT") + 1 :]]
    assert {url.rpartition("/")[2].rsplit("-", 2)[0] for url in urls} == INSTALLED
    assert all(url.startswith(f"{LOCAL_CHANNEL}/") for url in urls)


def test_export(prefix: Path, conda: Conda) -> None:
    exported = conda("env", "export", "-p", prefix, "--json").stdout
    assert {spec.partition("=")[0] for spec in json.loads(exported)["dependencies"]} == INSTALLED
    asked = conda("env", "export", "-p", prefix, "--json", "--from-history").stdout
    assert set(json.loads(asked)["dependencies"]) == set(ASKED)


def test_revisions(prefix: Path, conda: Conda) -> None:
    (revision,) = json.loads(conda("list", "-p", prefix, "--revisions", "--json").stdout)
    assert len(revision["install"]) == len(INSTALLED)


def test_install_and_remove(archive: Archive, conda: Conda, channel: tuple[str, ...], tmp_path: Path) -> None:
    greeting = archive.start(store=tmp_path)
    prefix = only_root(tmp_path) / "prefix"
    before = _files(prefix)

    conda("install", "-q", "-y", "--offline", *channel, "-p", prefix, "data-generic")
    conf = (prefix / "etc/data-generic/data.conf").read_text()
    assert conf == f"root = {prefix}\nagain={prefix}/x\n"
    assert archive.start(store=tmp_path) == greeting

    conda("remove", "-q", "-y", "--offline", *channel, "-p", prefix, "data-generic")
    assert _files(prefix) == before

    conda("remove", "-q", "-y", "--offline", *channel, "-p", prefix, "hello-noarch", "cprog")
    gone = before - _files(prefix)
    assert {"bin/hello-noarch", "bin/hello-script", "bin/cprog"} <= gone
    left = {path for path in _files(prefix) if "hello_noarch" in path or "cprog" in path}
    assert left == set()
    version = subprocess.run([prefix / "bin/python", "-V"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("Python 3.")


def _files(prefix: Path) -> set[str]:
    """Return the files of a prefix, without those that running Python adds."""
    paths = (Path(top, name) for top, _, names in os.walk(prefix) for name in names)
    found = {str(path.relative_to(prefix)) for path in paths}
    return {path for path in found if not path.endswith(".pyc") or "hello_noarch" in path}
