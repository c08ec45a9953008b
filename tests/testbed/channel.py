"""Build the packages and index them as channels: runs in the base environment."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.layout import SOURCES, Layout, native_subdir
from testbed.stamps import digest, is_fresh
from testbed.workshop import Workshop

if TYPE_CHECKING:
    from testbed.package import Package

# The slow ones first: they are built beside the rest.
GOOD = (
    "python_package",
    "zstd_package",
    "wheel_packages",
    "c_packages",
    "noarch_packages",
    "hook_packages",
    "awkward_packages",
    "conflict_packages",
    "legacy_packages",
)
BAD = ("bad_packages",)
_SHARED = ("package.py", "workshop.py", "wheels.py", "libraries.py", "bytecode.py", "channel.py")
TRUNCATED = "truncated-1.0-0.conda"
_COMPRESSION_LEVEL = 3


def build_group(layout: Layout, group: str) -> bool:
    """Build the packages of one module, unless they are up to date."""
    directory = layout.built / group
    value = _stamp(group)
    if is_fresh(directory / "stamp", value):
        return False
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=layout.root) as scratch:
        workshop = Workshop(Path(scratch), layout.downloads)
        for package in importlib.import_module(f"testbed.{group}").build(workshop):
            package.seal()
            archive(package, directory / package.subdir)
            _forget(layout, package.root.name)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "stamp").write_text(value, encoding="utf-8")
    return True


def _stamp(group: str) -> str:
    sources = [SOURCES / name for name in (*_SHARED, f"{group}.py")]
    return digest(sys.version, sys.base_prefix, *sources, *sorted((SOURCES / "sources").iterdir()))


def archive(package: Package, directory: Path) -> None:
    """Write a package into a directory."""
    from conda_package_handling import api

    directory.mkdir(parents=True, exist_ok=True)
    options = {"compression_level": _COMPRESSION_LEVEL} if package.extension == ".conda" else {}
    files = [*package.paths(), *sorted(f"info/{path.name}" for path in (package.root / "info").iterdir())]
    api.create(str(package.root), files, package.filename, str(directory), **options)
    print(f"testbed: {package.subdir}/{package.filename}", file=sys.stderr)


def _forget(layout: Layout, dist: str) -> None:
    """Remove a package's former build from conda's cache."""
    for path in layout.pkgs.glob(f"{dist}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def assemble(channel: Path, groups: list[Path]) -> None:
    """Put the packages of the groups, and no others, into a channel."""
    wanted = {
        Path(file.parent.name, file.name): file
        for group in groups
        for file in (*group.glob("*/*.conda"), *group.glob("*/*.tar.bz2"))
    }
    for subdir in ("noarch", native_subdir()):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    for old in (*channel.glob("*/*.conda"), *channel.glob("*/*.tar.bz2")):
        old.unlink()
    for path, file in wanted.items():
        os.link(file, channel / path)
    command = [sys.executable, "-m", "conda_index", str(channel)]
    subprocess.run(command, check=True, capture_output=True)


def truncate(file: Path) -> None:
    """Cut an indexed package in half, leaving the built one whole."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])


def build_channels(layout: Layout) -> None:
    """Build changed packages, then index both channels."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = [pool.submit(build_group, layout, group) for group in (*GOOD, *BAD)]
        for result in results:
            result.result()
    assemble(layout.channel, [layout.built / group for group in GOOD])
    assemble(layout.bad_channel, [layout.built / group for group in BAD])
    truncate(layout.bad_channel / "noarch" / TRUNCATED)


if __name__ == "__main__":
    build_channels(Layout(Path(sys.argv[1])))
