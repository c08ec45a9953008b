"""Make the base environment: a venv with conda 24.7.1, the tests' tools and this project.

conda itself is not on package indexes for pip, but conda-lock's wheel carries a whole copy
of it.  The copy is taken out and given its own name back.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from testbed import wheels
from testbed.layout import REPOSITORY, SOURCES, Layout
from testbed.stamps import digest, is_fresh

CONDA_LOCK = "conda-lock==4.0.3"
CONDA_VERSION = "24.7.1"

_CONDA_COMMAND = """\
#!{python}
import sys

from conda.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""

_CONDARC = """\
solver: classic
add_pip_as_python_dependency: false
report_errors: false
notify_outdated_conda: false
channels: []
repodata_fns: [repodata.json]
shortcuts: false
register_envs: false
pkgs_dirs: [{pkgs}]
envs_dirs: [{envs}]
"""


def prepare_base(layout: Layout, interpreter: Path) -> None:
    """Make the base environment, unless it is up to date."""
    stamp = layout.base / "testbed-stamp"
    requirements = SOURCES / "requirements.txt"
    value = digest(requirements, Path(__file__), str(interpreter), str(layout.root))
    if is_fresh(stamp, value):
        return
    if Path(sys.prefix) == layout.base:  # making it again would take the running Python away
        raise RuntimeError("the test bed is out of date: run `python3 tests/testbed`")
    print(f"testbed: base environment with {interpreter}", file=sys.stderr)
    shutil.rmtree(layout.base, ignore_errors=True)
    _create_venv(interpreter, layout.base)
    _pip_install(layout, "-r", str(requirements))
    _install_conda(layout)
    _configure_conda(layout)
    stamp.write_text(value, encoding="utf-8")


def install_project(layout: Layout) -> None:
    """Install this repository into the base environment, so that conda finds the plugin."""
    pyproject = REPOSITORY / "pyproject.toml"
    stamp = layout.base / "project-stamp"
    if is_fresh(stamp, digest(pyproject)):
        return
    print("testbed: this project into the base environment", file=sys.stderr)
    _pip_install(layout, "--no-deps", "--editable", str(REPOSITORY))
    stamp.write_text(digest(pyproject), encoding="utf-8")


def _create_venv(interpreter: Path, directory: Path) -> None:
    command = [str(interpreter), "-m", "venv"]
    made = subprocess.run([*command, str(directory)], capture_output=True, check=False)
    if made.returncode == 0:
        return
    # Debian keeps ensurepip in a package of its own: let another pip fill the venv.
    subprocess.run([*command, "--clear", "--without-pip", str(directory)], check=True)
    python = str(directory / "bin" / "python")
    other_pip = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*other_pip, "install", "-qq", "pip"], check=True)


def _pip_install(layout: Layout, *arguments: str) -> None:
    command = [str(layout.python), "-m", "pip", "install", "-qq"]
    subprocess.run([*command, "--disable-pip-version-check", *arguments], check=True)


def _site_packages(layout: Layout) -> Path:
    (directory,) = layout.base.glob("lib/python3.*/site-packages")
    return directory


def _install_conda(layout: Layout) -> None:
    wheel = wheels.download(layout.python, CONDA_LOCK, layout.downloads)
    vendored = layout.base / "vendored"
    wheels.unpack(wheel, vendored, only="conda_lock/_vendor/conda/")
    package = _site_packages(layout) / "conda"
    shutil.move(str(vendored / "conda_lock" / "_vendor" / "conda"), str(package))
    shutil.rmtree(vendored)
    for source in package.rglob("*.py"):
        _restore_names(source)
    # pip compiles the packages; conda starts in a third of the time with this
    subprocess.run([str(layout.python), "-m", "compileall", "-q", str(package)], check=False)


def _restore_names(source: Path) -> None:
    """Give a module conda's own import name, and locking that Python 3.13 still has."""
    text = source.read_text(encoding="utf-8")
    restored = text.replace("conda_lock._vendor.conda", "conda")
    restored = restored.replace("conda_lock.vendor.conda", "conda")
    restored = restored.replace("logging._acquireLock()", "logging._lock.acquire()")
    restored = restored.replace("logging._releaseLock()", "logging._lock.release()")
    if restored != text:
        source.write_text(restored, encoding="utf-8")


def _configure_conda(layout: Layout) -> None:
    history = layout.base / "conda-meta" / "history"
    history.parent.mkdir()
    history.touch()
    condarc = _CONDARC.format(pkgs=layout.pkgs, envs=layout.envs)
    (layout.base / ".condarc").write_text(condarc, encoding="utf-8")
    layout.conda.write_text(_CONDA_COMMAND.format(python=layout.python), encoding="utf-8")
    layout.conda.chmod(0o755)
