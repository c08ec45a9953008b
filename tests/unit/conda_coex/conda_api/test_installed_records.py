"""Records of installed packages: the files that are records, and the values that are refused in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from conda.core.prefix_data import PrefixData

from conda_coex.conda_api.installed_records import other_distributions, read_records, record_of
from conda_coex.errors import PackageDamaged

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"name": "demo", "version": "1.0", "build": "0"}


def write(prefix: Path, text: str, name: str = "demo-1.0-0.json") -> None:
    (prefix / "conda-meta").mkdir(exist_ok=True)
    (prefix / "conda-meta" / name).write_text(text)


def test_other_files_are_not_records(tmp_path: Path) -> None:
    write(tmp_path, json.dumps(NAMES))
    for name in (".hidden-1.0-0.json", "other-1.0-0.json", "short.json"):
        write(tmp_path, json.dumps(NAMES), name)
    assert list(read_records(tmp_path)) == ["demo-1.0-0"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "it is not a record"),
        (json.dumps({**NAMES, "version": 1}), "it is not a record"),
        (json.dumps({**NAMES, "files": "bin/demo"}), "there is no list of files, but 'bin/demo'"),
        (json.dumps({**NAMES, "files": [1]}), "its files are not a list of texts"),
        (json.dumps({**NAMES, "paths_data": {"paths": ["x"]}}), "a row that conda does not write: 'x'"),
        (json.dumps({**NAMES, "paths_data": {"paths": [{"_path": "x", "sha256": 1}]}}), "a row that conda does not"),
        (json.dumps({**NAMES, "paths_data": {"paths": [{"_path": "x", "prefix_placeholder": "\ud800"}]}}), "a text"),
    ],
)
def test_damaged(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path, text)
    with pytest.raises(PackageDamaged, match="the record of an installed package cannot be read") as error:
        read_records(tmp_path)
    assert reason in str(error.value)
    assert "demo-1.0-0.json" in str(error.value)


def test_rows_of_old_records() -> None:
    assert record_of({"files": ["bin/a"]}).rows == (("bin/a", {"_path": "bin/a"}),)
    assert record_of({"files": None, "paths_data": None}).rows == ()


def test_compiled_files_that_only_the_list_has() -> None:
    paths = [{"_path": "site-packages/a.py", "path_type": "hardlink"}, {"path_type": "directory"}]
    files = ["lib/python3.11/site-packages/a.py", "lib/python3.11/site-packages/__pycache__/a.cpython-311.pyc"]
    rows = dict(record_of({"noarch": "python", "files": files, "paths_data": {"paths": paths}}).rows)
    assert [(target, row["path_type"]) for target, row in rows.items()] == [
        (files[0], "hardlink"), (files[1], "pyc_file"),
    ]  # fmt: skip


SITE_PACKAGES = "lib/python3.11/site-packages"


def describe(file: Path, name: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")


def test_distributions_of_other_installers(tmp_path: Path) -> None:
    """They are those that conda itself lists as packages of PyPI."""
    prefix = tmp_path / "prefix"
    place = prefix / SITE_PACKAGES
    python = {"name": "python", "version": "3.11.1", "build": "0", "files": ["bin/python"]}
    owned = [f"{SITE_PACKAGES}/of_conda-1.5.dist-info/METADATA", f"{SITE_PACKAGES}/old_conda-1.5.egg-info"]
    of_conda = {"name": "of-conda", "version": "1.5", "build": "0", "files": owned}
    of_records = ("python", "of-conda", "old-conda")
    prefix.mkdir()
    for record in (python, of_conda):
        fields = {"channel": "defaults", "subdir": "noarch", "build_number": 0, "fn": "x.conda", "depends": []}
        write(prefix, json.dumps({**fields, **record}), f"{record['name']}-{record['version']}-0.json")
    (prefix / "conda-meta/history").touch()
    for file in ("of_conda-1.5.dist-info/METADATA", "Pip_Made-1.5.dist-info/METADATA", "old-1.5.egg-info/PKG-INFO"):
        describe(place / file, file.split("-")[0])
    for file in ("old_conda-1.5.egg-info", "single-1.5.egg-info"):
        describe(place / file, file.split("-")[0])
    describe(tmp_path / "sources/linked.egg-info/PKG-INFO", "linked")
    (place / "linked.egg-link").write_text(f"{tmp_path}/sources\n.")
    (place / "Pip_Made-1.5.dist-info/RECORD").write_text("Pip_Made-1.5.dist-info/METADATA,,\n")
    (place / "broken-1.0.dist-info").mkdir()
    listed = [record for record in PrefixData(str(prefix), True).iter_records() if record.name not in of_records]
    found = other_distributions(prefix, read_records(prefix).values())
    assert found == sorted(f"{record.name} {record.version}" for record in listed)
    assert len(found) == 4
