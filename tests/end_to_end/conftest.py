"""Fixtures of the end-to-end tests: archives, made by the base environment's conda from the test bed's channel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.archives import Archive, link_or_copy
from end_to_end.live import Live, make_live, pack
from testbed.layout import native_subdir

if TYPE_CHECKING:
    import subprocess

    from conftest import Conda
    from end_to_end.archives import Coex, MakeArchive
    from testbed.layout import Layout


@pytest.fixture(scope="session")
def channel(testbed: Layout) -> tuple[str, ...]:
    """Return the options that name the channel of good packages, and no other."""
    return ("--override-channels", "-c", str(testbed.channel))


@pytest.fixture(scope="session")
def rows(testbed: Layout) -> dict[str, dict[str, Any]]:
    """Return the rows of the channel's repodata, each with its URL and subdir."""
    found = {}
    for subdir in (native_subdir(), "noarch"):
        for fn, row in json.loads((testbed.channel / subdir / "repodata.json").read_text())["packages.conda"].items():
            found[row["name"]] = {**row, "url": f"{(testbed.channel / subdir).as_uri()}/{fn}", "subdir": subdir}
    return found


@pytest.fixture(scope="session")
def uncached_channel(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Return the options that name a copy of the channel, whose packages the test bed's cache does not have.

    conda looks in every cache that it is configured with: CONDA_PKGS_DIRS adds one, and takes none away.
    """
    copy = tmp_path_factory.mktemp("uncached") / "channel"
    shutil.copytree(testbed.channel, copy, copy_function=link_or_copy)
    return ("--override-channels", "-c", str(copy))


@pytest.fixture(scope="session")
def conda_home(conda: Conda) -> Path:
    """Return the home directory of the user who builds."""
    shown = json.loads(conda("info", "--json").stdout)
    return Path(shown["user_rc_path"]).parent


@pytest.fixture(scope="session")
def coex(conda: Conda, channel: tuple[str, ...]) -> Coex:
    """Return a function that runs `conda coex create`."""

    def run(
        directory: Path,
        *arguments: str | Path,
        packages: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        wanted = [word for name in packages for word in ("--package", name)]
        command = ("coex", "create", "-y", "--compression-level", "1", *channel, *wanted, *arguments)
        return conda(*command, cwd=directory, env=env, check=check)

    return run


@pytest.fixture(scope="session")
def make_archive(coex: Coex, tmp_path_factory: pytest.TempPathFactory) -> MakeArchive:
    """Return a function that makes an archive; `name=text` makes a file of the app, `name.sh`, first."""

    def make(entry_point: str, *arguments: str | Path, packages: tuple[str, ...], **files: str) -> Archive:
        directory = tmp_path_factory.mktemp("archive")
        for name, text in files.items():
            (directory / f"{name}.sh").write_text(text, encoding="utf-8")
        names = [f"{name}.sh" for name in files]
        options = ("-q", "--entrypoint", entry_point, "-o", "app.coex", *arguments)
        done = coex(directory, *options, *names, packages=packages)
        return Archive(directory / "app.coex", done.stderr)

    return make


@pytest.fixture(scope="session")
def live(conda: Conda, channel: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Return a live environment with a history, and the projects that it imports from; leave them as they are."""
    return make_live(conda, channel, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="session")
def packed(conda: Conda, live: Live, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return that environment packed, with the sources of the projects."""
    output = tmp_path_factory.mktemp("pack") / "live.coex"
    return Archive(output, pack(conda, live.prefix, output, "--editable", "bring").stderr)
