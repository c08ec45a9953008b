"""Commands that must be refused, and the properties that all refusals share."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from testbed.layout import Layout

OUTPUT = "out.coex"
CREATE = ("create", "-y", "-q", "-o", OUTPUT, "--override-channels")
GOOD = (*CREATE, "-c", "{channel}")
CPROG = (*GOOD, "--package", "cprog")
RUN = ("--entrypoint", "cprog")
# Root without the right to ignore modes: a user like any other.
POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
FORGOTTEN = ("CONDA", "PYTHON", "_CE_", "XDG_")  # settings of the caller
REPORTS = ("Traceback", "ERROR REPORT", "unexpected error")


@dataclass(frozen=True, eq=False)
class Case:
    """A command after `conda coex` and the text of its error; `prepare` fills the directory in which it runs."""

    id: str
    arguments: tuple[str, ...]
    says: str
    prepare: Callable[[Path], object] | None = None
    status: int = 1
    in_json: bool = False
    powerless: bool = False
    env: Mapping[str, str] = field(default_factory=dict)  # {work} stands for the directory

    def __str__(self) -> str:
        return f"{self.id}, as JSON" if self.in_json else self.id


def written(content: str | bytes, name: str = "environment.yml") -> Callable[[Path], object]:
    """Return a function that prepares a directory: it writes one file."""
    data = content if isinstance(content, bytes) else content.encode()
    return lambda work: (work / name).write_bytes(data)


@dataclass(frozen=True)
class Outcome:
    """The output of a command, and the files before and after."""

    done: subprocess.CompletedProcess[str]
    before: dict[str, object]
    after: dict[str, object]


def with_json(cases: Iterable[Case], *, but: Iterable[str] = ()) -> list[Case]:
    """Return every case, and all of them once more with --json, except some by their id."""
    left_out = set(but)
    cases = list(cases)
    again = [case for case in cases if case.id not in left_out]
    return [*cases, *(replace(case, arguments=(*case.arguments, "--json"), in_json=True) for case in again)]


@dataclass(frozen=True)
class Bench:
    """Runs commands in directories that each hold a good archive, which no refusal may touch."""

    testbed: Layout
    scratch: Path
    archive: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of conda: its own settings, and a package cache that only these tests fill."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        own = {
            "HOME": str(self.scratch),
            "CONDA_PKGS_DIRS": str(self.scratch / "pkgs"),
            "CONDA_OVERRIDE_CUDA": "",
            "CONDA_REPORT_ERRORS": "false",
            "CONDA_REMOTE_MAX_RETRIES": "0",
        }
        return {**kept, **own, **more}

    def command(self, arguments: Iterable[str], directory: Path) -> list[str]:
        """Return a command line of `conda coex`, with the places of the test bed filled in."""
        places = {"channel": self.testbed.channel, "bad": self.testbed.bad_channel, "work": directory}
        return [str(self.testbed.conda), "coex", *(argument.format(**places) for argument in arguments)]

    def inspect(self, archive: Path) -> dict[str, Any]:
        """Return the output of `inspect` on an archive, which it must find complete."""
        command = self.command(("inspect", str(archive), "--json"), archive.parent)
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def run(self, case: Case, directory: Path) -> Outcome:
        """Run a case in an empty directory."""
        shutil.copy2(self.archive, directory / OUTPUT)
        if case.prepare:
            case.prepare(directory)
        before = snapshot(directory)
        command = [*(POWERLESS if case.powerless else ()), *self.command(case.arguments, directory)]
        environment = self.environment(**{name: value.format(work=directory) for name, value in case.env.items()})
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        return Outcome(done, before, snapshot(directory))


def snapshot(directory: Path) -> dict[str, object]:
    """Return the entries below a directory: mode and time, and content or target, by name."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        state = path.lstat()
        content = b""
        if stat.S_ISREG(state.st_mode):
            content = path.read_bytes()
        elif path.is_symlink():
            content = os.fsencode(path.readlink())
        found[str(path.relative_to(directory))] = state.st_mode, state.st_mtime_ns, hashlib.sha256(content).hexdigest()
    return found


def words(text: str) -> str:
    """Return text with every run of white space as one space."""
    return " ".join(text.split())


def assert_refused(case: Case, outcome: Outcome) -> None:
    """The error has the expected text, conda does not report a defect, and no file came, went or changed."""
    done = outcome.done
    said = f"{done.args}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == case.status, said
    assert not any(report in done.stdout + done.stderr for report in REPORTS), said
    error = error_document(done) if case.in_json else words(done.stderr)
    assert case.says in error, said
    assert outcome.after == outcome.before, said


def error_document(done: subprocess.CompletedProcess[str]) -> str:
    """Return the text of the error in the one JSON document on stdout, which must be nothing else."""
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exception_name"]
    return words(str(document["message"]))
