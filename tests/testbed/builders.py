"""The tools that build this project's distributions and its conda package, in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

from testbed.stamps import digest, is_fresh, locked

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

TOOLS = ("build==1.6.1", "hatchling==1.33.0", "py-rattler-build==0.73.0", "twine==7.0.0")


def prepare_builders(layout: Layout) -> Path:
    """Return the Python of the environment with the tools, which is made if need be."""
    python = layout.builders / "bin" / "python"
    stamp = layout.builders / "stamp"
    with locked(layout.root / "builders-lock"):
        if not is_fresh(stamp, digest(sys.version, *TOOLS)):
            print("testbed: tools that build distributions", file=sys.stderr)
            shutil.rmtree(layout.builders, ignore_errors=True)
            venv.create(layout.builders, symlinks=True)
            pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq"]
            subprocess.run([*pip, "--disable-pip-version-check", *TOOLS], check=True)
            stamp.write_text(digest(sys.version, *TOOLS), encoding="utf-8")
    return python


def prepare_plugin_channel(layout: Layout) -> Path:
    """Return the channel for the recipe, which is made if need be."""
    with locked(layout.root / "builders-lock"):
        subprocess.run([str(layout.python), "-m", "testbed.plugin_channel", str(layout.root)], check=True)
    return layout.plugin_channel


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without variables that lead Python and conda elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "PYTHON", "_CE_"))}
    return {**kept, **more}
