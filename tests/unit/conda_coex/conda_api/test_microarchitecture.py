"""Which processor meets which name of `__archspec`: archspec itself, which conda asks, is the oracle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from archspec.cpu import TARGETS
from coex_bootstrap.start import microarchitecture

if TYPE_CHECKING:
    from pathlib import Path

FAMILIES = {"x86_64": "flags", "aarch64": "Features"}


def members(family: str) -> list[str]:
    known = microarchitecture.read_table()
    return [name for name, target in TARGETS.items() if target.family.name == family and name in known]


def test_every_name_is_known() -> None:
    missing = {
        name
        for name, target in TARGETS.items()
        if target.family.name in {*FAMILIES, "ppc64le"} and name not in microarchitecture.read_table()
    }
    assert [name for name in missing if not name.startswith("armv")] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_flags(family: str) -> None:
    known = microarchitecture.read_table()
    for name in members(family):
        assert known[name] - {family} == set(TARGETS[name].features), name


@pytest.mark.parametrize("family", FAMILIES)
def test_processors(family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A processor with the flags of each name meets the names whose flags these include, and no others."""
    system = list(os.uname())
    monkeypatch.setattr(os, "uname", lambda: [*system[:4], family])
    monkeypatch.setattr(microarchitecture, "CPUINFO", str(tmp_path / "cpuinfo"))
    for processor in members(family):
        flags = set(TARGETS[processor].features)
        (tmp_path / "cpuinfo").write_text(f"{FAMILIES[family]}\t: {' '.join(sorted(flags))}\n")
        for wanted in members(family):
            met = microarchitecture.unmet_by(f"1 {wanted}") is None
            assert met == (not flags or flags >= set(TARGETS[wanted].features)), (processor, wanted)


@pytest.mark.parametrize("family", FAMILIES)
def test_override(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    system = list(os.uname())
    monkeypatch.setattr(os, "uname", lambda: [*system[:4], family])
    for given in members(family):
        for wanted in members(family):
            met = microarchitecture.unmet_by(f"1 {wanted}", given) is None
            assert met == (set(TARGETS[given].features) >= set(TARGETS[wanted].features)), (given, wanted)
