"""Run the bootstrap's own tests under a host Python: ``python -m testbed.host_tests``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from testbed import hosts
from testbed.layout import REPOSITORY, SOURCES, Layout
from testbed.stamps import digest, is_fresh

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

BOOTSTRAP_TESTS = REPOSITORY / "tests" / "unit" / "coex_bootstrap"
LIMIT = 900  # seconds of one test: a guard against loops without an end
RUN_LIMIT = 2400  # seconds of all tests under one Python, which take two minutes of a core


def requirements_for(host: hosts.HostPython) -> Path:
    """Return the list that makes a pytest for this Python."""
    name = "python3" if host.version >= (3, 9) else "python3_old"
    return SOURCES / "host_requirements" / f"{'python2' if host.version < (3,) else name}.txt"


def install_pytest(layout: Layout, host: hosts.HostPython) -> Path:
    """Return a directory of modules with pytest, put there by the base's pip: old hosts have none."""
    directory = layout.hosts / host.name
    requirements = requirements_for(host)
    stamp = directory / "stamp"
    value = digest(requirements, str(host.version))
    if is_fresh(stamp, value):
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    version = f"{host.version[0]}.{host.version[1]}"
    command = [str(layout.python), "-m", "pip", "install", "-qq", "--no-deps", "--no-compile"]
    # The lists are whole and exact; pip would measure some of them by the Python it runs in.
    command += ["--ignore-requires-python", "--python-version", version]
    command += ["--only-binary=:all:", "--target", str(directory)]
    subprocess.run([*command, "-r", str(requirements)], check=True)
    stamp.write_text(value, encoding="utf-8")
    return directory


def run_tests(layout: Layout, host: hosts.HostPython, arguments: list[str]) -> bool:
    """Run the bootstrap's tests under this Python, show their output, and return whether they passed."""
    modules = install_pytest(layout, host)
    # Only the bootstrap's own configuration: the repository's is not for old Pythons.
    command = [str(host.executable), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    command += [f"--timeout={LIMIT}", f"--rootdir={BOOTSTRAP_TESTS}", f"--confcutdir={BOOTSTRAP_TESTS}", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment["PYTHONPATH"] = os.pathsep.join([str(modules), str(REPOSITORY / "bootstrap")])
    command.append(str(BOOTSTRAP_TESTS))
    # Hosts run at the same time: each one's output is shown whole, when it has ended.
    with tempfile.TemporaryDirectory(prefix="coex-", ignore_cleanup_errors=True) as scratch, TemporaryFile() as output:
        passed = passes([*command, f"--basetemp={scratch}/t"], environment, output)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    print(f"--- Python {host.name}: {host.executable}\n{text}", end="", flush=True)
    return passed


def passes(command: list[str], environment: dict[str, str], output: IO[bytes]) -> bool:
    """Run a command in time, its output in a file: a process that a test leaves behind would hold a pipe open."""
    try:
        done = subprocess.run(
            command, env=environment, cwd=REPOSITORY, check=False, timeout=RUN_LIMIT,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        output.write(f"\nended after {RUN_LIMIT} s\n".encode())
        return False
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Run the tests under every host Python there is; after `--others`, under all that are not of this version.

    Those others ask `sh` alone: this version, elsewhere, asks every shell, and measures the coverage.
    """
    found, missing = hosts.find_pythons()
    if arguments[:1] == ["--others"]:
        arguments = ["--sh-alone", *arguments[1:]]
        found = [host for host in found if host.name.startswith("pypy") or host.version != sys.version_info[:2]]
    layout = Layout.default()
    # PyPy needs longest: it begins first, so that no core waits for it at the end.
    found.sort(key=lambda host: not host.name.startswith("pypy"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = list(pool.map(lambda host: run_tests(layout, host, arguments), found))
    failed = [host.name for host, good in zip(found, passed, strict=True) if not good]
    print(hosts.describe("host Pythons", len(found), missing))
    if failed:
        print(f"the bootstrap's tests failed under: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
