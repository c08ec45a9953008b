"""Run the pages of cluster engines against these engines: ``python -m testbed.cluster [ENGINE ...]``."""

from __future__ import annotations

import subprocess
import sys

from testbed.engines import ENGINES, missing
from testbed.hosts import describe
from testbed.layout import REPOSITORY

TEST = "tests/documentation/test_engines.py::test_page_of_engine"


def main(names: list[str]) -> int:
    """Run the pages of these engines, or of all, and say which ones this machine cannot run."""
    unknown = set(names).difference(ENGINES)
    if unknown:
        print(f"usage: ./dev cluster [-- ENGINE ...], of {', '.join(ENGINES)}", file=sys.stderr)
        return 2
    wanted = names or list(ENGINES)
    lacking = {name: missing(ENGINES[name]) for name in wanted}
    tests = [f"{TEST}[{name}]" for name in wanted]
    command = [sys.executable, "-m", "pytest", "-v", "-m", "", "--durations=0", "--durations-min=1", *tests]
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    absent = [f"{name} needs {', '.join(programs)}" for name, programs in lacking.items() if programs]
    print(describe("engines", len(wanted) - len(absent), absent))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
