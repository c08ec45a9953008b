"""Name the places of a test bed."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
REPOSITORY = SOURCES.parent.parent

_MACHINES = {"x86_64": "64", "amd64": "64", "aarch64": "aarch64", "arm64": "aarch64"}


def native_subdir() -> str:
    """Return conda's name for packages of this machine, such as ``linux-64``."""
    machine = platform.machine()
    return f"linux-{_MACHINES.get(machine.lower(), machine)}"


@dataclass(frozen=True)
class Layout:
    """Where everything of one test bed is."""

    root: Path

    @classmethod
    def default(cls) -> Layout:
        """Return the test bed of this repository."""
        return cls(REPOSITORY / ".testbed")

    @property
    def base(self) -> Path:
        """The base environment: a venv that holds conda, the tests' tools and this project."""
        return self.root / "base"

    @property
    def python(self) -> Path:
        """The base environment's Python."""
        return self.base / "bin" / "python"

    @property
    def conda(self) -> Path:
        """The base environment's conda command."""
        return self.base / "bin" / "conda"

    @property
    def channel(self) -> Path:
        """The channel of good packages."""
        return self.root / "channel"

    @property
    def bad_channel(self) -> Path:
        """The channel of packages that must be refused."""
        return self.root / "bad-channel"

    @property
    def plugin_channel(self) -> Path:
        """The channel in which the recipe of this project finds its packages."""
        return self.root / "plugin-channel"

    @property
    def builders(self) -> Path:
        """The environment of the tools that build distributions."""
        return self.root / "builders"

    @property
    def sphinx(self) -> Path:
        """The modules that build the documentation."""
        return self.root / "sphinx"

    @property
    def pkgs(self) -> Path:
        """The base conda's package cache."""
        return self.root / "pkgs"

    @property
    def envs(self) -> Path:
        """The base conda's named environments."""
        return self.root / "envs"

    @property
    def downloads(self) -> Path:
        """Wheels and source archives fetched by pip."""
        return self.root / "downloads"

    @property
    def built(self) -> Path:
        """Packages built so far, by group: the channels are assembled from these."""
        return self.root / "built"

    @property
    def hosts(self) -> Path:
        """The packages that the bootstrap's tests need, by host Python."""
        return self.root / "hosts"
