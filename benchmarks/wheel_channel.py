"""Turn the distributions that pip resolves for a list into conda packages of a local channel."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.package import PLACEHOLDER
from testbed.stamps import digest, is_fresh
from testbed.wheel_package import finish, lay_out
from testbed.workshop import Workshop

from benchmarks.runner import run_quietly

if TYPE_CHECKING:
    from testbed.package import Package

SMALL = ("pip", "setuptools")
PANDAS = ("numpy", "pandas")
BIG = (
    *("numpy", "scipy", "pandas", "matplotlib", "scikit-learn", "pyarrow", "jupyterlab", "pytest", "sympy"),
    *("numba", "boto3", "statsmodels", "bokeh", "seaborn", "networkx", "sqlalchemy", "h5py", "lxml"),
    *("cryptography", "requests", "pip", "setuptools"),
)
TORCH = ("torch==2.13.0+cpu", "numpy")
ENVIRONMENTS = {"small": SMALL, "pandas": PANDAS, "big": BIG, "torch": TORCH}

REST = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip")

# How many files of a package for one platform hold the placeholder, so that an environment of some 25 such
# packages has as many as a real one: about 255 texts and 66 binaries.
TEXTS, BINARIES = 17, 4
RECIPE = 1  # to be counted up when packages have to be made again
_TEXT_SUFFIXES = (".h", ".hpp", ".pyi", ".pxd", ".pyx", ".txt", ".cmake", ".pc", ".cfg", ".toml", ".md")


@dataclass(frozen=True)
class Made:
    """A package of the channel."""

    name: str
    version: str
    file: Path


def download(home: Path, environment: str) -> list[Path]:
    """Return the wheels of an environment, resolved once."""
    names = ENVIRONMENTS[environment]
    directory = home / "wheels" / environment
    stamp = directory / "stamp"
    if not is_fresh(stamp, digest(sys.version, *names)):
        shutil.rmtree(directory, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "download", "-qq", "--only-binary=:all:", "--dest", str(directory)]
        run_quietly([*command, "--disable-pip-version-check", *names])
        stamp.write_text(digest(sys.version, *names), encoding="utf-8")
    return sorted(directory.glob("*.whl"))


def build(home: Path, environment: str) -> list[Made]:
    """Return the packages of an environment, with one named ``bench-ENVIRONMENT`` that wants all others."""
    files = download(home, environment)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(_build_wheel, [home] * len(files), files))
    if environment == "small":
        made.append(_build_rest(home))
    return [*made, _build_whole(home, environment, made)]


def _build_wheel(home: Path, wheel: Path) -> Made:
    directory = home / "built" / wheel.stem
    stamp = directory / "stamp"
    value = digest(sys.version, wheel.name, str((TEXTS, BINARIES, RECIPE)))
    if not is_fresh(stamp, value):
        shutil.rmtree(directory, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            finish(_lay_out(Workshop(Path(scratch), home), wheel), directory)
        stamp.write_text(value, encoding="utf-8")
    (file,) = directory.glob("*/*.conda")
    name, version, _ = file.name.rsplit("-", 2)
    return Made(name, version, file)


def _build_rest(home: Path) -> Made:
    """Return a package of modules of the standard library that the test bed's Python leaves out, mainly tests."""
    directory, name = home / "built" / "bench-stdlib", f"python{sys.version_info[0]}.{sys.version_info[1]}"
    stamp = directory / "stamp"
    if not is_fresh(stamp, digest(sys.version, *REST)):
        shutil.rmtree(directory, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            package = Workshop(Path(scratch), home).python_extension("bench-stdlib", "1.0")
            for part in REST:
                source = Path(sysconfig.get_path("stdlib"), part)
                if source.is_dir():
                    left_out = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, package.root / "lib" / name / part, ignore=left_out, symlinks=True)
            finish(package, directory)
        stamp.write_text(digest(sys.version, *REST), encoding="utf-8")
    (file,) = directory.glob("*/*.conda")
    return Made("bench-stdlib", "1.0", file)


def _build_whole(home: Path, environment: str, made: list[Made]) -> Made:
    directory = home / "built" / f"bench-{environment}"
    depends = ["python", *(f"{each.name} =={each.version}" for each in made)]
    stamp = directory / "stamp"
    if not is_fresh(stamp, digest(*depends)):
        shutil.rmtree(directory, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            package = Workshop(Path(scratch), home).noarch(f"bench-{environment}", depends=depends)
            package.text(f"share/bench-{environment}/packages.txt", "".join(f"{depend}\n" for depend in depends))
            finish(package, directory)
        stamp.write_text(digest(*depends), encoding="utf-8")
    (file,) = directory.glob("*/*.conda")
    return Made(f"bench-{environment}", "1.0", file)


def _lay_out(workshop: Workshop, wheel: Path) -> Package:
    package, _ = lay_out(workshop, wheel)
    if package.noarch is None:
        _add_placeholders(package.root)
    return package


def _add_placeholders(root: Path) -> None:
    """Let some files end with the placeholder; behind the end of a shared library it does no harm."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    libraries = [path for path in files if ".so" in path.suffixes][:BINARIES]
    texts = [path for path in files if path.suffix in _TEXT_SUFFIXES and "dist-info" not in str(path)][:TEXTS]
    for path, form in (*((path, b"\0%s/share\0") for path in libraries), *((path, b"\n%s/share\n") for path in texts)):
        with path.open("ab") as stream:
            stream.write(form % PLACEHOLDER.encode())
