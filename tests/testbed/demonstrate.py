"""Show an archive being made and started, on real packages: ``python -m testbed.demonstrate``."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from testbed.layout import SOURCES, Layout

_QUIET_CONDA = {"CONDA_OVERRIDE_CUDA": "", "CONDA_REPORT_ERRORS": "false"}


def demonstrate(layout: Layout, directory: Path) -> None:
    """Make two archives in a directory and start them as a user of another machine would."""
    template = (SOURCES / "demo" / "environment.yml").read_text(encoding="utf-8")
    environment_file = template.format(channel=layout.channel.as_uri())
    (directory / "environment.yml").write_text(environment_file, encoding="utf-8")
    shutil.copy(SOURCES / "demo" / "report.py", directory)
    print(f"# environment.yml\n{environment_file}", flush=True)

    create = [str(layout.conda), "coex", "create", "--yes", "--quiet", "-f", "environment.yml"]
    conda = {**os.environ, **_QUIET_CONDA}
    _run([*create, "--entrypoint", "./report.py", "-o", "report.coex", "report.py"], directory, conda)
    _run([*create, "--entrypoint", "python", "-o", "python.coex"], directory, conda)
    _run(["ls", "-lh", "report.coex", "python.coex"], directory, conda)

    # An environment without the build: an empty store, and only the system's own programs.
    host = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "COEX_ROOT": str(directory / "store")}
    print("# the first start unpacks, the second does not", flush=True)
    for _ in range(2):
        _run(["./report.coex", "one", "two words"], directory, host)
    print("# any Python starts it too", flush=True)
    for _ in range(2):
        _run(["python3", "python.coex", "-c", "import numpy; print(numpy.__file__)"], directory, host)


def _run(command: list[str], directory: Path, environment: dict[str, str]) -> None:
    print(f"$ {shlex.join([Path(command[0]).name if command[0].startswith('/') else command[0], *command[1:]])}")
    sys.stdout.flush()
    started = time.perf_counter()
    subprocess.run(command, cwd=directory, env=environment, check=True)
    print(f"  ({time.perf_counter() - started:.2f} s)\n", flush=True)


def main() -> int:
    """Demonstrate in a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="coex-demo-") as directory:
        demonstrate(Layout.default(), Path(directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
