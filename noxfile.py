"""The developer's commands, as nox sessions: ``./dev SESSION`` runs one.

Sessions run in the test bed's base environment, not in environments of nox: they need conda
beside this project.  Host Pythons are found by the test bed, because nox finds none before 3.6.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

REPOSITORY = Path(__file__).parent
TESTS = REPOSITORY / "tests"
sys.path.insert(0, str(TESTS))

from testbed import hosts, system  # noqa: E402  # found through the line above
from testbed.lanes import TYPED  # noqa: E402
from testbed.layout import Layout  # noqa: E402
from testbed.prepare import prepare  # noqa: E402

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]
nox.options.stop_on_first_error = True

HAS_REQUIREMENTS = """
from importlib.util import find_spec
names = ("coverage", "cyclonedx", "dockerfile_parse", "importlinter", "jsonschema", "lief", "macholib",
         "pytest_timeout", "yaml-stubs")
if all(map(find_spec, names)): print("yes")
"""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layers and types."""
    python = _prepare(session, channels=False)
    session.run(python, "-m", "ruff", "check", ".", external=True)
    session.run(Path(python).with_name("lint-imports"), external=True, env=_environment())
    session.run(python, "-m", "mypy", "--strict", "--exclude=/demo/", *TYPED, external=True)


@nox.session
def testbed(session: nox.Session) -> None:
    """Make the base environment and the channels."""
    _prepare(session)
    session.log(f"the test bed is in {Layout.default().root}")


@nox.session
def demo(session: nox.Session) -> None:
    """Make an archive of real packages and start it."""
    python = _prepare(session)
    session.run(python, "-m", "testbed.demonstrate", external=True, env=_environment())


@nox.session
def bootstrap(session: nox.Session) -> None:
    """Run the bootstrap's own tests under every host Python."""
    python = _prepare(session, channels=False)
    session.run(python, "-m", "testbed.host_tests", *session.posargs, external=True, env=_environment())


@nox.session
def recipe(session: nox.Session) -> None:
    """Build the wheel, the source archive and the conda package, and have conda install that beside itself."""
    python = _prepare(session)
    words = [str(TESTS / "packaging"), *session.posargs]
    session.run(python, "-m", "pytest", *words, external=True, env=_environment())


@nox.session
def bench(session: nox.Session) -> None:
    """Measure archives against other ways, and write benchmarks/README.md (-- --quick: some minutes, kept apart)."""
    python = _prepare(session)
    session.run(python, "-m", "benchmarks", *session.posargs, external=True, env=_environment())


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/docs, every warning an error."""
    python = _prepare(session, channels=False)
    session.run(python, "-m", "testbed.site", *session.posargs, external=True, env=_environment())


@nox.session
def stress(session: nox.Session) -> None:
    """Kill, stop, crowd and damage starts and builds: ./dev stress -- --seed 1 --seconds 600."""
    python = _prepare(session)
    session.run(python, "-m", "testbed.stress", *session.posargs, external=True, env=_environment())


@nox.session
def cluster(session: nox.Session) -> None:
    """Run the pages about cluster engines with these engines: ./dev cluster [-- dask ...]."""
    python = _prepare(session)
    session.run(python, "-m", "testbed.cluster", *session.posargs, external=True, env=_environment())


@nox.session
def tests(session: nox.Session) -> None:
    """Run everything: style, types, the documentation, all tests (-- --fast: style, types and the unit tests)."""
    fast = session.posargs == ["--fast"]
    python = _prepare(session, channels=not fast)
    for line in hosts.coverage().splitlines():
        session.log(line)
    if session.posargs and not fast:  # meant for pytest
        session.run(python, "-m", "pytest", *session.posargs, external=True, env=_environment())
        return
    session.run(python, "-m", "testbed.lanes", *session.posargs, external=True, env=_environment())


def _prepare(session: nox.Session, *, channels: bool = True) -> str:
    """Bring the test bed up to date, and return its Python."""
    missing = system.install_missing()
    if missing:
        session.warn(f"not on this machine, and tests that need them are left out: {', '.join(missing)}")
    python = str(prepare(channels=channels).python)
    said = session.run(python, "-c", HAS_REQUIREMENTS, external=True, silent=True)
    if "yes" not in str(said):
        session.run(python, "-m", "pip", "install", "-q", "-r", str(TESTS / "requirements.txt"), external=True)
    return python


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(TESTS), str(REPOSITORY / "bootstrap")])}
