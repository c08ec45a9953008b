"""Name the places and the extent of one run of the benchmarks."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.layout import Layout

SOURCES = Path(__file__).resolve().parent / "sources"
# Variables that are not for measured commands; an installed conda-coex has the bytecode of its modules
OWN = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
LEVEL = 9  # the level of all archives that do not compare levels


@dataclass(frozen=True)
class Bench:
    """The input of every family of measures."""

    layout: Layout
    place: Path
    """A directory on the file system that is measured."""
    place_kind: str
    quick: bool
    rounds: int
    notes: list[str] = field(default_factory=list)
    """The measures that were left out, each with the reason."""

    @property
    def home(self) -> Path:
        """The directory of things that are made once and kept."""
        return self.layout.root / "bench"

    @property
    def channel(self) -> Path:
        """The directory of the channel that the measured environments come from."""
        return self.home / "channel"

    @property
    def results(self) -> Path:
        """The directory of the figures, one JSON file for each family."""
        return self.home / ("results-quick" if self.quick else "results")

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments to measure, the one that targets speak of last."""
        return ("small", "pandas") if self.quick else ("small", "big")

    @property
    def main_environment(self) -> str:
        """The environment that targets speak of."""
        return self.environments[-1]

    def conda_environment(self) -> dict[str, str]:
        """Return the variables under which the base conda uses caches of its own."""
        own = {name: value for name, value in os.environ.items() if name not in OWN}
        return {
            **own,
            "CONDA_PKGS_DIRS": str(self.home / "pkgs"),
            "CONDA_ENVS_DIRS": str(self.home / "envs"),
            "CONDA_OVERRIDE_CUDA": "",
            "CONDA_REPORT_ERRORS": "false",
            "XDG_CACHE_HOME": str(self.home / "cache"),
        }

    def note(self, text: str) -> None:
        """Remember facts that a reader of the results has to know."""
        if text not in self.notes:
            self.notes.append(text)
