"""Wheels of a package `demo-pkg`, and the item of pip's installation report for them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from conda_coex.pypi.chosen import Chosen

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "https://user:secret@host/Demo_Pkg-1.5-py3-none-any.whl"
HEAD = "Metadata-Version: 2.1\nName: demo-pkg\nVersion: 1.5\n"


def chosen(url: str = WHEEL, **fields: object) -> Chosen:
    """Return an item of pip's installation report, of version 1."""
    download = {"url": url, "archive_info": {"hashes": {"sha256": "a" * 64}}}
    return Chosen({"download_info": download, "metadata": {"name": "Demo_Pkg", "version": "1.5"}, **fields})


def make_wheel(path: Path, *names: str, points: str = "", requires_python: str = ">=2") -> Path:
    info = "demo_pkg-1.5.dist-info"
    with zipfile.ZipFile(path / "demo_pkg-1.5-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/METADATA", f"{HEAD}Requires-Python: {requires_python}\n")
        wheel.writestr(f"{info}/entry_points.txt", points)
        for name in names:
            wheel.writestr(name, "x")
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    return path / "demo_pkg-1.5-py3-none-any.whl"
