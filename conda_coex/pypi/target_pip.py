"""Have an environment's pip choose and download wheels for another platform.

The pip is run by the Python of this process: it is plain Python, and the environment's Python does not run here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import without_credentials
from packaging.utils import parse_wheel_filename

from ..errors import InputError, PipFailed
from ..inputs.json_values import as_table
from .chosen import EDITABLE, REMEDY, Chosen, check_wheels
from .pip import pip_environ
from .requirements import gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..inputs.environment import PipSection
    from ..root.package import Package
    from .pip import Program
    from .target import Target
    from .target_prefix import TargetPrefix

# pip evaluates markers for the Python that runs it, and ignores its options for that. It also thinks that the packages
# of that Python are installed, unless their directories are removed from sys.path. Before 25.1 it also compares
# `Requires-Python` with that Python.
DRIVER = """
import json, sys
pip_is_in, installed, markers = json.loads(sys.argv[1])
sys.path.insert(0, pip_is_in)
from pip._internal.cli.main import main
from pip._vendor.packaging import markers as module
from pip._internal.resolution.resolvelib import factory
module.default_environment = lambda: dict(markers)
candidate, version = factory.RequiresPythonCandidate, tuple(map(int, markers["python_full_version"].split(".")[:3]))
factory.RequiresPythonCandidate = lambda given: candidate(given or version)
sys.path[0] = installed
sys.exit(main(sys.argv[2:]))
"""
SINCE = (23, 3)  # a dry run takes the options of a target
QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar=off")


@dataclass
class TargetPip:
    """The pip of an environment for `target`, whose packages of conda are not laid out here."""

    prefix: TargetPrefix
    packages: Sequence[Package]
    program: Program
    target: Target
    date: int
    offline: bool

    def __post_init__(self) -> None:
        version = tuple(map(int, re.findall(r"\d+", self.program.version)[:2]))
        if version < SINCE:
            what = f"pip {self.program.version} cannot choose packages for another platform"
            raise InputError(what, remedy="add `pip >=23.3` to the packages of the environment")
        self.environ = pip_environ(self.date, self.offline)
        self.scratch = self.prefix.path.parent

    def install(self, sections: Sequence[PipSection]) -> list[dict[str, object]]:
        """Install sections in one run of pip; return the items of its report. Raises InputError and PipFailed.

        A package that would have to be built is refused.
        """
        lines = gather(sections)
        check_wheels(lines, self.target)
        directory, report = sections[0].directory, self.scratch / "report.json"
        resolve = ["--no-deps"] if any(section.pinned for section in sections) else ["--upgrade"]
        listed = self._write("requirements.txt", lines)
        self._run(["install", *QUIET, "--dry-run", "--report", str(report), *resolve, "-r", str(listed)], directory)
        entries = as_table(json.loads(report.read_text("utf-8"))).get("install")
        items = [Chosen(as_table(item)) for item in entries] if isinstance(entries, list) else []
        for item in items:
            item.check_wheel(self.target)
        wheels = self._download(lines, items, directory) if items else {}
        for item in items:
            self.prefix.uninstall(item.name)
            self.prefix.install(wheels[item.name], item)
        return [item.fields for item in items]

    def _download(self, lines: Sequence[str], items: Sequence[Chosen], directory: str) -> dict[str, Path]:
        """Return the wheels by normalized name, in the scratch directory, from where the lines say."""
        settings = [line for line in lines if line.startswith("-") and not EDITABLE.match(line)]
        hashed = all(item.hashes for item in items)
        listed = self._write("wheels.txt", [*settings, *(item.requirement(hashed) for item in items)])
        place = self.scratch / "wheels"
        self._run(["download", *QUIET, "--no-deps", "--dest", str(place), "-r", str(listed)], directory)
        return {parse_wheel_filename(path.name)[0]: path for path in place.glob("*.whl")}

    def _write(self, name: str, lines: Sequence[str]) -> Path:
        path = self.scratch / name
        path.touch(0o600)  # it may have credentials
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def _run(self, words: Sequence[str], directory: str) -> None:
        """Run pip for the target; raises PipFailed with its output."""
        place = json.dumps([self._pip_directory(), str(self.prefix.site_packages), self.target.markers()])
        command = [sys.executable, "-I", "-S", "-c", DRIVER, place, *words, *self.target.options()]
        done = subprocess.run(
            command, cwd=directory, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            shown = without_credentials(done.stdout.decode("utf-8", "replace").replace(f"{self.scratch}/", "")).rstrip()
            what = f"pip ended with status {done.returncode} for {self.target.platform}, and said:\n{shown}"
            raise PipFailed(f"{what}\nOnly wheels can be installed for another platform: {REMEDY}")

    def _pip_directory(self) -> str:
        """Return the directory, or the wheel, that has the modules of the environment's pip."""
        carrier = "python" if self.program.wheel else "pip"
        package = next(package for package in self.packages if package.name == carrier)
        if self.program.wheel:
            return str(package.directory / self.program.wheel)
        (module,) = (path.path for path in package.paths if path.path.endswith("site-packages/pip/__init__.py"))
        return str((package.directory / module).parents[1])
