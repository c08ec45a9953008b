"""Compile the modules that a package for one Python carries."""

from __future__ import annotations

import compileall
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.package import Package


def compile_modules(package: Package) -> None:
    """Add the .pyc files, which name their sources relative to the prefix."""
    package.settle_times()
    compileall.compile_dir(
        str(package.root / "lib"), quiet=2, workers=os.cpu_count() or 1, stripdir=package.root
    )
