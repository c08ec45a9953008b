"""Run the bootstrap's own tests under a host Python: ``python -m testbed.host_tests``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from testbed import hosts
from testbed.layout import REPOSITORY, SOURCES, Layout
from testbed.stamps import digest, is_fresh

if TYPE_CHECKING:
    from pathlib import Path

BOOTSTRAP_TESTS = REPOSITORY / "tests" / "unit" / "coex_bootstrap"
LIMIT = 900  # seconds of one test: a guard against loops without an end


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
    with tempfile.TemporaryDirectory(prefix="coex-", ignore_cleanup_errors=True) as scratch:
        done = subprocess.run(
            [*command, f"--basetemp={scratch}/t"], env=environment, cwd=REPOSITORY, check=False, text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    print(f"--- Python {host.name}: {host.executable}\n{done.stdout}", end="", flush=True)
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Run the tests under every host Python there is; after `--others`, under all that are not of this version."""
    found, missing = hosts.find_pythons()
    if arguments[:1] == ["--others"]:  # this one runs them elsewhere, with their coverage
        arguments = arguments[1:]
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
