"""The hooks of newer condas, by fakes of their shapes: no conda of the test bed has them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from coex_bootstrap.base.urls import LOCAL_CHANNEL
from conda.base.context import context, reset_context
from conda.exceptions import CondaValueError
from conda.plugins import types

from conda_coex import plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Conda
    from testbed.layout import Layout


class EnvironmentSpecBase:
    """As conda 25.9 has it, in this."""

    detection_supported = True

    @property
    def env(self) -> Any:
        raise NotImplementedError


@dataclass
class OldSpecifier:
    """The class of conda 25.9."""

    name: str
    environment_spec: type


@dataclass
class Specifier(OldSpecifier):
    """The class of conda 26."""

    default_filenames: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str | None = None


@dataclass
class OldEnvironment:
    """The class of conda 25.9."""

    prefix: str
    platform: str
    name: str | None = None
    explicit_packages: list[Any] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Environment:
    """The class of conda 26."""

    platform: str
    prefix: str | None = None
    name: str | None = None
    explicit_packages: list[Any] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)


@pytest.fixture(params=[(OldSpecifier, OldEnvironment), (Specifier, Environment)], ids=["25.9", "26"])
def newer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """Let conda's modules be as in newer condas; records are the lines that they would be made of."""
    specifier, environment = request.param
    monkeypatch.setattr(types, "EnvironmentSpecBase", EnvironmentSpecBase, raising=False)
    monkeypatch.setattr(types, "CondaEnvironmentSpecifier", specifier, raising=False)
    monkeypatch.setattr("conda.misc.get_package_records_from_explicit", lambda lines: lines[1:], raising=False)
    model = ModuleType("conda.models.environment")
    model.Environment = environment  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "conda.models.environment", model)
    monkeypatch.delitem(sys.modules, "conda_coex.cli.archive_spec", raising=False)
    found: type = environment
    return found


@pytest.fixture(scope="module")
def archive(conda: Conda, testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("archive")
    text = "channels: [nodefaults]\ndependencies: [cprog, zstd]\nvariables: {MODE: fast}\n"
    (work / "environment.yml").write_text(text, encoding="utf-8")
    options = ("-y", "-q", "--override-channels", "-c", testbed.channel, "--compression-level", "1")
    conda("coex", "create", *options, "-f", "environment.yml", "--entrypoint", "cprog", "-o", "cprog.coex", cwd=work)
    return work / "cprog.coex"


@pytest.fixture
def channel(testbed: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the channel that conda is configured for."""
    monkeypatch.setenv("CONDA_CHANNELS", testbed.channel.as_uri())
    reset_context()
    yield testbed.channel.as_uri()
    monkeypatch.undo()
    reset_context()


def test_archive_is_an_environment(
    newer: type, archive: Path, conda: Conda, channel: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (specifier,) = plugin.conda_environment_specifiers()
    assert specifier.name == "coex"
    assert getattr(specifier, "default_filenames", ("*.coex",)) == ("*.coex",)
    spec = specifier.environment_spec(str(archive))
    assert spec.can_handle()
    assert spec.available_platforms == (context.subdir,)
    assert spec.env == spec.env_for(context.subdir)
    made = spec.env
    assert isinstance(made, newer)
    lines = conda("coex", "lock", archive, "--sha256").stdout.splitlines()
    here = [line.replace(LOCAL_CHANNEL, channel) for line in lines]
    assert made.explicit_packages == here[here.index("@EXPLICIT") + 1 :]
    assert (made.name, made.platform, made.variables) == ("cprog", context.subdir, {"MODE": "fast"})
    assert "only the packages of conda are made again, not the variable MODE, " in capsys.readouterr().err


@pytest.mark.usefixtures("newer")
def test_archives_of_other_platforms_and_other_files(archive: Path, tmp_path: Path) -> None:
    (specifier,) = plugin.conda_environment_specifiers()
    for content in (b"", b"#!/bin/sh\necho\n", b"@EXPLICIT\n"):
        (tmp_path / "other").write_bytes(content)
        assert not specifier.environment_spec(str(tmp_path / "other")).can_handle()
    assert not specifier.environment_spec(str(tmp_path / "absent")).can_handle()
    assert not specifier.environment_spec(None).can_handle()
    spec = specifier.environment_spec(str(archive))
    with context._override("_subdir", "osx-arm64"), pytest.raises(CondaValueError, match=r"is for linux-.*--platform"):
        _ = spec.env
    cut = tmp_path / "100%.coex"
    cut.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(CondaValueError) as caught:
        _ = specifier.environment_spec(str(cut)).env
    assert "100%.coex: not a complete coex archive" in str(caught.value)


def test_condas_without_the_hook_are_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """25.5 has a base class of another shape, and 24.7 has none."""
    monkeypatch.delattr(types, "EnvironmentSpecBase", raising=False)
    assert list(plugin.conda_environment_specifiers()) == []
    older = type("EnvironmentSpecBase", (), {"environment": None})
    monkeypatch.setattr(types, "EnvironmentSpecBase", older, raising=False)
    assert list(plugin.conda_environment_specifiers()) == []


def test_hint_names_the_variables_for_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "CondaErrorHint", lambda **fields: fields, raising=False)
    error = ValueError("nothing provides __cuda >=12 needed by pytorch")
    monkeypatch.setattr(context, "_argparse_args", {"coex_verb": "create"})
    (hint,) = plugin.conda_error_hints(error)
    assert "CONDA_OVERRIDE_CUDA" in hint["text"]
    assert list(plugin.conda_error_hints(ValueError("no package zstd"))) == []
    monkeypatch.setattr(context, "_argparse_args", {})
    assert list(plugin.conda_error_hints(error)) == []


def test_conda_is_fit_for_the_hooks(testbed: Layout) -> None:
    """A conda without these hooks loads the plugin without a word."""
    env = {**os.environ, "CONDA_REPORT_ERRORS": "false"}
    done = subprocess.run([testbed.conda, "coex", "--version"], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
