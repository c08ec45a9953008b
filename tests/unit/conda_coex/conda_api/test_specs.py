"""A conda plugin that reads lock files, in a dry run: it ends there, and conda has nothing to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conda.exceptions import DryRunExit

from conda_coex.cli.print_outcome import show
from conda_coex.conda_api import specs
from conda_coex.inputs.environment import DryRun
from conda_coex.inputs.lock_file import Choice
from conda_coex.verbs import requested

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("in_json", [True, False])
def test_dry_run_of_a_plugin(
    in_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(path: str, platform: str) -> None:
        assert (path, platform) == (str(file), "linux-64")
        raise DryRunExit

    file = tmp_path / "some.lock"
    file.write_text("{{")
    monkeypatch.setattr(specs, "_has_specifier_plugins", lambda: True)
    monkeypatch.setattr(specs, "_read_by_plugin", end)
    documents: list[dict[str, object]] = []
    monkeypatch.setattr("conda.cli.common.stdout_json_success", lambda **fields: documents.append(fields))
    found = requested.read((str(file),), (), Choice("linux-64", None, ()), None, tmp_path / "x.coex")
    assert isinstance(found, DryRun)
    with pytest.raises(DryRunExit):
        show(found, as_json=in_json)
    said = f"{file} is a lock file, whose reader does not list its packages in a dry run"
    assert documents == ([{"dry_run": True, "message": said}] if in_json else [])
    assert capsys.readouterr() == ("", "" if in_json else f"coex: note: {said}\n")
