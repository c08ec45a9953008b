"""Bring a test bed up to date."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from testbed import base, interpreter
from testbed.layout import REPOSITORY, SOURCES, Layout
from testbed.stamps import digest, is_fresh, locked

if TYPE_CHECKING:
    from pathlib import Path


def prepare(
    directory: Path | None = None, python: str | None = None, *, channels: bool = True
) -> Layout:
    """Make missing and outdated parts, and return the places of all parts."""
    layout = Layout(directory.resolve()) if directory else Layout.default()
    with locked(layout.root / "lock"):
        base.prepare_base(layout, interpreter.choose(python))
        base.install_project(layout)
        if channels:
            _prepare_channels(layout)
    return layout


def _prepare_channels(layout: Layout) -> None:
    stamp = layout.root / "channels-stamp"
    sources = sorted(path for path in SOURCES.rglob("*") if path.suffix in {".py", ".c"})
    value = digest(layout.base / "testbed-stamp", *sources)
    if is_fresh(stamp, value):
        return
    command = [str(layout.python), "-m", "testbed.channel", str(layout.root)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES.parent)}
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True)
    stamp.write_text(value, encoding="utf-8")
