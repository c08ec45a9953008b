"""The API of condas that the test bed does not have, 25.7 to 26.9, by fakes of their shapes."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from conda.base.context import context

from conda_coex import conda_api, specifiers
from conda_coex.errors import InputError
from conda_coex.solve import solve_transaction

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


def manager(spec: type) -> SimpleNamespace:
    found = SimpleNamespace(environment_spec=lambda path: spec() if path == "some.lock" else None)
    return SimpleNamespace(get_environment_specifier=lambda **_: found)


@pytest.mark.parametrize("spec", [Spec25, Spec26])
def test_environment_files(spec: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(context), "plugin_manager", manager(spec))
    read = specifiers._read_by_plugin("some.lock", "osx-arm64")
    assert (read.channels, read.specs, read.pip) == (("conda-forge",), ("python=3.12",), ("demo",))
    assert read.variables == {"A": "1", "B": None}


def test_environment_file_of_other_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(context), "plugin_manager", manager(Spec26))
    with pytest.raises(InputError, match="linux-aarch64"):
        specifiers._read_by_plugin("some.lock", "linux-aarch64")


@pytest.mark.parametrize("keyword", ["pip_interop_enabled", "interoperability"])
def test_records_of_an_environment(keyword: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Any] = {}
    exec(f"def __init__(self, prefix, {keyword}=None): self.given = prefix, {keyword}", known)
    monkeypatch.setattr("conda.core.prefix_data.PrefixData", type("PrefixData", (), known))
    assert conda_api.prefix_data("/p", pip=True).given == ("/p", True)


@pytest.mark.parametrize("spec", ["python=3.12", None])
def test_specs_of_a_record(spec: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    record = type("PrefixRecord", (), {})
    monkeypatch.setattr("conda.models.records.PrefixRecord", record)
    assert conda_api.requested(spec) == {"requested_spec": str(spec)}
    record.requested_specs = None  # type: ignore[attr-defined]
    assert conda_api.requested(spec) == {"requested_spec": spec, "requested_specs": (spec,) if spec else ()}


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
    monkeypatch.delattr("conda.common.io.ProgressBar")
    monkeypatch.delattr("conda.cli.common.confirm_yn")
    return seen


def test_question_of_newer_condas(reporters: SimpleNamespace) -> None:
    conda_api.confirm_yn()
    assert reporters.asked == 1


def test_progress_of_newer_condas(reporters: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with conda_api.progress_bar("Compressing") as update:
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

    monkeypatch.setattr("conda_coex.solve._transaction", fail)
    monkeypatch.setattr(conda_api, "repodata_names", lambda: ("current_repodata.json", "repodata.json"))
    with pytest.raises(PackagesNotFoundInChannelsError):
        solve_transaction(["absent"], [tmp_path.as_uri()])
    assert tried == [False]
