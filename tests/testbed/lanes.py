"""Run the checks in lanes side by side: ``python -m testbed.lanes [--fast]``; each lane's output is shown whole."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.layout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import IO

LOGS = REPOSITORY / "build" / "lanes"
TYPED = ("conda_coex", "bootstrap", "tests/testbed", "benchmarks", "noxfile.py")
LIMIT = 4200  # seconds of one step: continuous integration would end without a word at 5400
NICE = ("nice", "-n", "5")  # the first lane is the longest: the others take the rest of the machine

PYTHON = (sys.executable, "-m")
PYTEST = (*PYTHON, "pytest")
# Each run of pytest keeps the directories of the last three alone: those that go on beside others have their own.
SCRATCH = "--basetemp=SCRATCH/t"
# Only of the unit tests: it makes each build of the others take half as long again.
MEASURED = (*PYTHON, "coverage", "run", "-m", "pytest", "-q", SCRATCH)
BUILDER_TESTS, BOOTSTRAP_TESTS = ("tests/unit/conda_coex", "tests/unit/benchmarks"), "tests/unit/coex_bootstrap"
BUILDER = ("unit tests of the builder", (*MEASURED, *BUILDER_TESTS))
BOOTSTRAP = ("unit tests of the bootstrap", (*MEASURED, BOOTSTRAP_TESTS))
COVERAGE = (*PYTHON, "coverage")
STYLE = ("style", (*PYTHON, "ruff", "check", "."))
LAYERS = ("layers", (sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"))
TYPES = ("types", (*PYTHON, "mypy", "--strict", "--exclude=/demo/", *TYPED))


@dataclass
class Lane:
    """Commands that run one after another, also if earlier ones fail."""

    name: str
    steps: Sequence[tuple[str, Sequence[str]]]
    failed: list[str] = field(default_factory=list)
    """The names of the steps that did not go well, after `run`."""

    @property
    def log(self) -> Path:
        """The file with the output of a lane that is not shown while it runs."""
        return LOGS / f"{self.name}.log"

    def run(self, *, shown: bool) -> None:
        """Run every step; its output goes to this process's, or to the log."""
        with nullcontext() if shown else self.log.open("wb") as log:
            for name, command in self.steps:
                if not _passes(command if shown else (*NICE, *command), log):
                    self.failed.append(name)


def whole() -> list[Lane]:
    """Return the lanes of continuous integration: all there is."""
    apart = ("--ignore", "tests/unit")
    docs, others = (*PYTHON, "testbed.site"), (*PYTHON, "testbed.host_tests", "--others")
    beside = [STYLE, LAYERS, TYPES, ("docs", docs), BOOTSTRAP, ("bootstrap", others)]
    return [Lane("tests", [BUILDER, ("tests", (*PYTEST, *apart))]), Lane("beside", beside)]


def fast() -> list[Lane]:
    """Return the lanes of a developer who changes something: style, types, the unit tests of both sides."""
    builder = [STYLE, LAYERS, TYPES, ("unit tests of the builder", (*PYTEST, "-q", SCRATCH, *BUILDER_TESTS))]
    return [
        Lane("bootstrap", [("unit tests of the bootstrap", (*PYTEST, "-q", SCRATCH, BOOTSTRAP_TESTS))]),
        Lane("builder", builder),
    ]


def run_lanes(lanes: Sequence[Lane], show: Callable[[str], object] = print) -> list[str]:
    """Run lanes at the same time, show the first at once and the others when it is done; return the failed commands."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(lanes)) as pool:
        running = [pool.submit(lane.run, shown=not number) for number, lane in enumerate(lanes)]
        for lane, future in zip(lanes, running, strict=True):
            future.result()
            if lane is not lanes[0]:
                show(f"--- {lane.name}\n{lane.log.read_text(encoding='utf-8', errors='replace')}")
    return [name for lane in lanes for name in lane.failed]


def run_measured(lanes: Sequence[Lane]) -> list[str]:
    """Run lanes, and report how much of the code their unit tests reach, which may not sink (see pyproject.toml)."""
    subprocess.run([*COVERAGE, "erase"], cwd=REPOSITORY, check=True)  # the leftovers of a run that was ended
    failed = run_lanes(lanes)
    report = Lane("coverage", [("combine", (*COVERAGE, "combine", "-q")), ("coverage", (*COVERAGE, "report"))])
    report.run(shown=True)
    return failed + report.failed


def main(arguments: list[str]) -> int:
    """Run the lanes, and say which steps failed."""
    if arguments not in ([], ["--fast"]):
        print("usage: python -m testbed.lanes [--fast]", file=sys.stderr)
        return 2
    failed = run_lanes(fast()) if arguments else run_measured(whole())
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _passes(command: Sequence[str], log: IO[bytes] | None) -> bool:
    sys.stdout.flush()
    stderr = None if log is None else subprocess.STDOUT
    with tempfile.TemporaryDirectory(prefix="coex-", ignore_cleanup_errors=True) as scratch:
        words = [word.replace("SCRATCH", scratch) for word in command]
        try:
            done = subprocess.run(
                words, cwd=REPOSITORY, check=False, timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=log, stderr=stderr
            )
        except subprocess.TimeoutExpired:
            print(f"ended after {LIMIT} s: {' '.join(words)}", file=sys.stderr)
            return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
