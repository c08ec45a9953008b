"""The API of condas that the test bed does not have, 25.7 to 26.9, by fakes of their shapes."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from conda.base.context import context

from conda_coex.conda_api import specs, versions
from conda_coex.conda_api.solve import solve_transaction
from conda_coex.errors import InputError
from conda_coex.inputs.document import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUND = SimpleNamespace(
    config=SimpleNamespace(channels=("conda-forge",)),
    requested_packages=["python=3.12"],
    explicit_packages=[],
    external_packages={"pip": ["demo"]},
    variables={"A": 1, "B": None},
)


class Spec25:
    """A specifier of 25.7 to 26.3."""

    env = FOUND


class Spec26:
    """A specifier of 26.5 and newer."""

    available_platforms = ("linux-64", "osx-arm64")

    def env_for(self, platform: str) -> Any:
        assert platform in self.available_platforms
        return FOUND


class Single26(Spec26):
    """A specifier of 26.5 that overrides nothing: it has the platform that conda is set to, and no other."""

    available_platforms = ("linux-64",)

    def env_for(self, platform: str) -> Any:
        if platform not in self.available_platforms:
            raise ValueError(platform)
        return self.env

    env = FOUND


class Plugin:
    """The values that a plugin registers: a name, a class, and since 26.3 names of files, aliases, a description."""

    def __init__(self, spec: type) -> None:
        self.spec = spec

    def environment_spec(self, filename: str | None = None, **kwargs: Any) -> Any:
        assert (filename, kwargs) == ("some.lock", {})
        return self.spec()


class Manager:
    """conda's manager of plugins, from 25.7 to 26.9.

    A source and a name, and an error for files that no plugin reads.
    """

    def __init__(self, spec: type | None) -> None:
        self.spec = spec

    def get_environment_specifier(self, source: str, name: str | None = None) -> Plugin:
        from conda.exceptions import PluginError

        assert name is None
        if self.spec is None:
            raise PluginError(f"Environment at {source} is not readable by any installed plugin.")
        return Plugin(self.spec)


manager = Manager


@pytest.mark.parametrize("spec", [Spec25, Spec26])
def test_environment_files(spec: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(context), "plugin_manager", manager(spec))
    read = specs._read_by_plugin("some.lock", "osx-arm64")
    assert (read.channels, read.specs, read.pip) == (("conda-forge",), ("python=3.12",), ("demo",))
    assert read.variables == {"A": "1", "B": None}


def test_environment_file_of_other_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(context), "plugin_manager", manager(Spec26))
    with pytest.raises(InputError, match="linux-aarch64"):
        specs._read_by_plugin("some.lock", "linux-aarch64")


@pytest.mark.parametrize("spec", [Spec26, Single26])
def test_platform_that_a_file_does_not_have(spec: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(context), "plugin_manager", manager(spec))
    with pytest.raises(InputError, match=r"some\.lock: .*win-64"):
        specs._read_by_plugin("some.lock", "win-64")
    assert specs._read_by_plugin("some.lock", "linux-64").specs == ("python=3.12",)


def test_file_that_no_plugin_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(type(context), "plugin_manager", manager(None))
    (tmp_path / "some.lock").write_text("x")
    with pytest.raises(InputError, match=r"some\.lock: .*cannot be understood: .*is not readable by any installed"):
        specs.read_environment_file(read_document(str(tmp_path / "some.lock")), "linux-64")


def test_environment_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """As conda's own reader of explicit lists and lock files gives it: records, and no settings."""
    records = [SimpleNamespace(name="x"), SimpleNamespace(name="y")]
    found = SimpleNamespace(
        config=None, requested_packages=[], explicit_packages=records, external_packages={"pypi": ["demo"]},
        variables={},
    )  # fmt: skip
    monkeypatch.setattr(Spec25, "env", found)
    monkeypatch.setattr(type(context), "plugin_manager", manager(Spec25))
    read = specs._read_by_plugin("some.lock", "linux-64")
    assert (read.pinned, read.channels, read.specs, read.pip) == (tuple(records), (), (), ("demo",))


def test_record_that_a_newer_conda_has_written() -> None:
    """26.3 writes `requested_specs`, 24.9 `python_site_packages_path`; others write null for nothing."""
    fields = {
        "name": "x", "version": "1", "build": "0", "channel": "defaults", "subdir": "noarch", "fn": "x-1-0.conda",
        "requested_specs": ["x >=1"], "requested_spec": "x >=1", "python_site_packages_path": "lib/x", "license": None,
        "a_field_of_2027": {"a": [1]},
    }  # fmt: skip
    record = versions.prefix_record(fields)
    assert (record.name, record.build_number, record.requested_spec) == ("x", 0, "x >=1")
    with pytest.raises(ValueError, match="version"):
        versions.prefix_record({**fields, "version": ["1"]})


@pytest.mark.parametrize("spec", ["python=3.12", None])
def test_specs_of_a_record(spec: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    record = type("PrefixRecord", (), {})
    monkeypatch.setattr("conda.models.records.PrefixRecord", record)
    assert versions.requested(spec) == {"requested_spec": str(spec)}
    record.requested_specs = None  # type: ignore[attr-defined]
    assert versions.requested(spec) == {"requested_spec": spec, "requested_specs": (spec,) if spec else ()}


@pytest.fixture
def reporters(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Have the module of 24.11 and newer, and not the functions that 25.9 has removed."""
    seen = SimpleNamespace(asked=0, fractions=[], closed=0)

    class Bar:
        def update_to(self, fraction: float) -> None:
            seen.fractions.append(fraction)

        def close(self) -> None:
            seen.closed += 1

    @contextlib.contextmanager
    def holder() -> Iterator[None]:
        yield

    module = ModuleType("conda.reporters")
    module.confirm_yn = lambda: setattr(seen, "asked", seen.asked + 1)  # type: ignore[attr-defined]
    module.get_progress_bar_context_manager = holder  # type: ignore[attr-defined]
    module.get_progress_bar = lambda *_, **options: Bar() if options["enabled"] else None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "conda.reporters", module)
    monkeypatch.delattr("conda.common.io.ProgressBar", raising=False)
    monkeypatch.delattr("conda.cli.common.confirm_yn", raising=False)
    return seen


def test_question_of_newer_condas(reporters: SimpleNamespace) -> None:
    versions.confirm_yn()
    assert reporters.asked == 1


def test_progress_of_newer_condas(reporters: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with versions.progress_bar("Compressing") as update:
        update(0.5)
    assert (reporters.fractions[:1], reporters.closed) == ([0.5], 1)


def test_missing_package_of_newer_condas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """26.9 raises a subclass, which says that another repodata file need not be tried."""
    from conda.exceptions import PackagesNotFoundError

    class PackagesNotFoundInChannelsError(PackagesNotFoundError):  # type: ignore[misc]
        allow_retry = False

    tried = []

    def fail(*arguments: Any, last: bool) -> None:
        tried.append(last)
        raise PackagesNotFoundInChannelsError(["absent"])

    monkeypatch.setattr("conda_coex.conda_api.solve._transaction", fail)
    monkeypatch.setattr(versions, "repodata_names", lambda: ("current_repodata.json", "repodata.json"))
    with pytest.raises(PackagesNotFoundInChannelsError):
        solve_transaction(["absent"], [tmp_path.as_uri()])
    assert tried == [False]
