"""Console scripts of packages: read and written as the conda that builds does, odd ones too, and named when broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conda.common import path as conda_path
from conda.gateways.disk.create import create_python_entry_point

from conda_coex.conda_api.packages import parse_script
from conda_coex.errors import PackageRefused
from conda_coex.root.link_rules import Python, broken_commands, plan_package
from conda_coex.root.package import Package

if TYPE_CHECKING:
    from pathlib import Path

GOOD = ["good = modq:main", "a b = mod.sub:Class.method", "tight=m:f", "  wide  =  m . x : f  ".replace(" . ", ".")]
BROKEN = ['bad = "modq:main"', "x = modx:main [extra]", "x = modx:main[extra]", "x = mod x:main", "x = :main", "x = m:"]


def today(text: str) -> tuple[str, str, str]:
    """Parse as conda of 2026 does, in short."""
    command, rest = text.split("=", 1)
    module, function = rest.strip(" \t\r\n\"'").rsplit(":", 1)
    if not all(part.isidentifier() for part in [*module.strip().split("."), *function.strip().split(".")]):
        raise ValueError(text)
    return command.strip(), module.strip(), function.strip()


def planned(text: str, directory: Path) -> tuple[bytes, list[str]]:
    record: dict[str, Any] = {"name": "q", "version": "1.0", "build": "0"}
    package = Package(record, directory, "python", (parse_script(text, directory),), (), None, None)
    plan = plan_package(package, Python("3.11", "lib/python3.11/site-packages", package), 0)
    (script,) = plan.scripts
    data = script.read()
    assert data is not None
    return data, list(broken_commands([plan]))


@pytest.mark.parametrize("text", GOOD + BROKEN)
def test_written_as_conda_does(text: str, tmp_path: Path) -> None:
    command, module, function = conda_path.parse_entry_point_def(text)
    create_python_entry_point(str(tmp_path / "script"), None, module, function)
    data, notes = planned(text, tmp_path)
    assert data == (tmp_path / "script").read_bytes()
    expected = f"the command {command} of q-1.0-0 cannot run: '{module}:{function}' is not module:function"
    assert notes == ([f"{expected}, as in its package"] if text in BROKEN else [])


def test_a_conda_that_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes quotation marks away. A text that it refuses comes as an older conda writes it."""
    old = {text: planned(text, tmp_path) for text in GOOD + BROKEN}
    monkeypatch.setattr(conda_path, "parse_entry_point_def", today)
    assert planned(BROKEN[0], tmp_path) == planned("bad = modq:main", tmp_path)
    assert {text: planned(text, tmp_path) for text in old if '"' not in text} == {
        text: outcome for text, outcome in old.items() if '"' not in text
    }


PATHS = ["../x = m:f", "a/b = m:f", ".x = m:f", " = m:f", "x\\y = m:f", "x\0 = m:f", "a\nb = m:f"]


@pytest.mark.parametrize("text", PATHS)
def test_paths_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match="is not a file name"):
        parse_script(text, tmp_path)


@pytest.mark.parametrize("text", ["", "x", "x = m", "m:f", "x = m:\ud800"])
def test_text_that_no_conda_reads_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match="cannot be read"):
        parse_script(text, tmp_path)
