"""Packages that one test makes, as a channel beside the test bed's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from conda_package_handling import api
from testbed.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.layout import Layout
    from testbed.package import Package


def workshop(testbed: Layout, directory: Path) -> Workshop:
    """Return where packages are laid out, in a directory of the test."""
    return Workshop(directory / "packages", testbed.downloads)


def put(channel: Path, packages: Sequence[Package], *, index: bool = True) -> tuple[str, ...]:
    """Complete packages and put them into a channel; return the option that names it."""
    for package in packages:
        package.seal()
        target = channel / package.subdir
        target.mkdir(parents=True, exist_ok=True)
        files = [*package.paths(), *sorted(f"info/{path.name}" for path in (package.root / "info").iterdir())]
        (target / package.filename).unlink(missing_ok=True)
        api.create(str(package.root), files, package.filename, str(target), compression_level=1)
    if index:
        (channel / "noarch").mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "conda_index", str(channel)], check=True, capture_output=True)
    return ("-c", str(channel))
