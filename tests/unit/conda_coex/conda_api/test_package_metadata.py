"""The parts of a package's `info/link.json`, of which most may be missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conda.models.records import PackageCacheRecord

from conda_coex.conda_api.packages import read_package
from conda_coex.errors import PackageDamaged

if TYPE_CHECKING:
    from pathlib import Path

OWN_ENVIRONMENT = {"name": "_own_", "executable_paths": ["bin/own"]}  # of conda 4.4


def in_cache(directory: Path, link: dict[str, Any]) -> PackageCacheRecord:
    """Return an extracted package with this `link.json`."""
    index = {"name": "own", "version": "1.0", "build": "0", "build_number": 0, "depends": [], "subdir": "linux-64"}
    (directory / "own/info").mkdir(parents=True)
    (directory / "own/info/index.json").write_text(json.dumps(index))
    (directory / "own/info/files").write_text("")
    (directory / "own/info/link.json").write_text(json.dumps({**link, "package_metadata_version": 1}))
    return PackageCacheRecord(
        **index, channel="main", url="https://example.com/main/linux-64/own-1.0-0.tar.bz2", fn="own-1.0-0.tar.bz2",
        package_tarball_full_path=str(directory / "own-1.0-0.tar.bz2"), extracted_package_dir=str(directory / "own"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("link", "noarch", "scripts"),
    [
        pytest.param({"noarch": None}, None, [], id="null"),
        pytest.param({"noarch": {"type": "generic"}}, "generic", [], id="generic"),
        pytest.param({"noarch": {"type": "python"}}, "python", [], id="without entry points"),
        pytest.param({"noarch": {"type": "python", "entry_points": ["a = b:c"]}}, "python", ["a"], id="whole"),
    ],
)
def test_missing_parts(link: dict[str, Any], noarch: str | None, scripts: list[str], tmp_path: Path) -> None:
    entry = in_cache(tmp_path, link)
    package = read_package(entry, entry, None)
    assert package.noarch == noarch
    assert [script.command for script in package.scripts] == scripts


@pytest.mark.parametrize("more", [{}, {"noarch": {"type": "generic"}}])
def test_environment_of_its_own(more: dict[str, Any], tmp_path: Path) -> None:
    """conda installs no such package, and ends in a traceback."""
    entry = in_cache(tmp_path, {"preferred_env": OWN_ENVIRONMENT, **more})
    with pytest.raises(PackageDamaged, match=r"/own: the package cannot be read: .*(noarch|preferred_env)"):
        read_package(entry, entry, None)
