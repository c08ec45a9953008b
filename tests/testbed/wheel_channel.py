"""Turn distributions of PyPI, with all that they need, into conda packages: runs in the base environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.wheel_package import conda_name, finish, lay_out
from testbed.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence


def fetch_wheels(directory: Path, requirements: Sequence[str]) -> list[Path]:
    """Return the wheels of these distributions and of those that they need, as pip resolves them."""
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--disable-pip-version-check", "-w", str(directory)]
    subprocess.run([*command, *requirements], check=True)
    return sorted(directory.glob("*.whl"))


def build_wheels(wheels: Sequence[Path], built: Path) -> None:
    """Write a conda package for each wheel into the folders of `built`."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(partial(_build, built=built), wheels))


def spec(name: str, specifier: str) -> str:
    """Return the requirement of a distribution as conda writes it."""
    return f"{conda_name(name)} {specifier}".strip()


def _build(wheel: Path, built: Path) -> None:
    from packaging.requirements import Requirement

    with tempfile.TemporaryDirectory(dir=built.parent) as scratch:
        package, metadata = lay_out(Workshop(Path(scratch), built.parent), wheel)
        for text in metadata.get_all("Requires-Dist") or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                package.depends.append(spec(needed.name, str(needed.specifier)))
        finish(package, built)
