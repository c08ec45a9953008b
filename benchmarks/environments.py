"""Make the environments: packages in a channel, and the tree that real conda installs from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.channel import assemble
from testbed.stamps import digest, is_fresh

from benchmarks import wheel_channel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.bench import Bench

SPECS = {"small": "bench-small", "pandas": "bench-pandas", "big": "bench-big", "numpy": "numpy"}


@dataclass(frozen=True)
class Environment:
    """An environment as conda makes it."""

    name: str
    spec: str
    tree: Path
    """The tree that conda installed, and that the others pack."""
    files: int
    size: int
    packages: int


def make_channel(bench: Bench, names: tuple[str, ...]) -> None:
    """Build the packages that environments need, and index them."""
    bench.home.mkdir(parents=True, exist_ok=True)
    groups = [bench.layout.built / "python_package", bench.layout.built / "zstd_package"]
    for name in names:
        if name in wheel_channel.ENVIRONMENTS:
            print(f"bench: packages of {name}", file=sys.stderr)
            groups += [made.file.parent.parent for made in wheel_channel.build(bench.home, name)]
    groups += sorted((bench.home / "built").glob("*")) if (bench.home / "built").is_dir() else []
    unique = list(dict.fromkeys(groups))
    value = digest(*(f"{file.name} {file.stat().st_mtime_ns}" for group in unique for file in group.glob("*/*.conda")))
    stamp = bench.channel / "stamp"
    if not is_fresh(stamp, value):
        assemble(bench.channel, unique)
        stamp.write_text(value, encoding="utf-8")


def make_environment(bench: Bench, name: str) -> Environment:
    """Install an environment with real conda, copying every file, unless it is there."""
    tree = bench.home / "envs" / name
    stamp = bench.home / "envs" / f"{name}.stamp"
    value = digest(bench.channel / "stamp", SPECS[name])
    if not is_fresh(stamp, value):
        print(f"bench: environment {name}", file=sys.stderr)
        shutil.rmtree(tree, ignore_errors=True)
        command = [str(bench.layout.conda), "create", "--yes", "--quiet", "--copy", "-p", str(tree)]
        command += ["--override-channels", "-c", str(bench.channel), SPECS[name]]
        subprocess.run(command, env=bench.conda_environment(), check=True, stdout=subprocess.DEVNULL)
        stamp.write_text(value, encoding="utf-8")
    sizes = [os.lstat(path).st_size for path in walk(tree)]
    packages = len(list((tree / "conda-meta").glob("*.json")))
    return Environment(name, SPECS[name], tree, len(sizes), sum(sizes), packages)


def walk(directory: Path) -> Iterator[str]:
    """Yield every file and link below a directory."""
    for parent, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(parent, name)  # noqa: PTH118 - some hundred thousand of them
