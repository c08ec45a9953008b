"""Fixtures for distributions: the tools that build them, a wheel and a source archive."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from testbed.builders import clean_environment, prepare_builders
from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout


@pytest.fixture(scope="session")
def builders(testbed: Layout) -> Path:
    """Return a Python that has the tools."""
    return prepare_builders(testbed)


@pytest.fixture(scope="session")
def distributions(builders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a source archive, made of the checkout, and of a wheel, made of the source archive."""
    directory = tmp_path_factory.mktemp("dist")
    command = [builders, "-m", "build", "--no-isolation", "--outdir", directory, REPOSITORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return directory
