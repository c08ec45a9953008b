"""Fixtures of all tests: the test bed's conda and channels, host Pythons, shells and a store.

Nothing here imports conda: it runs as a command, in the base environment.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Protocol

import pytest
from testbed import hosts
from testbed.prepare import prepare
from unit.coex_bootstrap.caller import forget_caller

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.hosts import HostPython
    from testbed.layout import Layout


forget_caller()
# A Python that starts in an environment compiles modules that it imports, at times before conda does; .pyc files are
# compared.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


class Conda(Protocol):
    """Runs the base environment's conda with arguments."""

    def __call__(
        self, *arguments: str | Path, check: bool = True, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def testbed() -> Layout:
    """Where the base environment and the channels are; they are made if need be."""
    return prepare()


@pytest.fixture(scope="session")
def conda(testbed: Layout, tmp_path_factory: pytest.TempPathFactory) -> Conda:
    """Return a function that runs the base environment's conda, kept from the user's settings."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "_CE_", "XDG_"))}
    environment = {**kept, "HOME": str(home), "CONDA_OVERRIDE_CUDA": "", "CONDA_REPORT_ERRORS": "false"}

    def run(
        *arguments: str | Path, check: bool = True, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [str(testbed.conda), *map(str, arguments)]
        merged = {**environment, **(env or {})}
        done = subprocess.run(command, env=merged, cwd=cwd, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def host_pythons() -> list[HostPython]:
    """Return the Pythons of this machine that an archive may be started with, oldest first."""
    return hosts.find_pythons()[0]


@pytest.fixture(scope="session")
def shells() -> dict[str, list[str]]:
    """Return the commands of this machine's shells, by name."""
    return hosts.find_shells()[0]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty directory that archives unpack to."""
    directory = tmp_path / "store"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("COEX_ROOT", str(directory))
    return directory
