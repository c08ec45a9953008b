"""Find the Pythons and the shells that archives are started with."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ("2.7", *(f"3.{minor}" for minor in range(6, 16)), "pypy3")
SHELLS = {"bash": ["bash"], "busybox": ["busybox", "sh"], "dash": ["dash"], "sh": ["sh"]}

_PROBE = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"


@dataclass(frozen=True)
class HostPython:
    """One Python of this machine that runs."""

    name: str
    """What was looked for: ``2.7``, ``3.13``, ``pypy3``."""
    version: tuple[int, int]
    executable: Path


def find_python(name: str) -> HostPython | None:
    """Return the Python of this name, or None if there is none that runs."""
    for candidate in _candidates(name):
        found = _probe(name, candidate)
        if found:
            return found
    return None


def find_pythons() -> tuple[list[HostPython], list[str]]:
    """Return the Pythons found, oldest first, and the names of those that are missing."""
    found = {name: find_python(name) for name in PYTHONS}
    present = [host for host in found.values() if host]
    return present, [name for name, host in found.items() if host is None]


def find_shells() -> tuple[dict[str, list[str]], list[str]]:
    """Return the commands of the shells found, and the names of those that are missing."""
    found = {name: command for name, command in SHELLS.items() if _runs(command)}
    return found, [name for name in SHELLS if name not in found]


def describe(kind: str, found: int, missing: list[str]) -> str:
    """Say how many of a kind are covered, and which are missing."""
    absent = ", ".join(missing) or "none"
    return f"{kind}: covered {found} of {found + len(missing)}; missing: {absent}"


def coverage() -> str:
    """Say which host Pythons and shells are covered here, one line each."""
    pythons, no_pythons = find_pythons()
    shells, no_shells = find_shells()
    lines = [describe("host Pythons", len(pythons), no_pythons)]
    lines.append(describe("shells", len(shells), no_shells))
    return "\n".join(lines)


def _candidates(name: str) -> list[str]:
    command = name if name.startswith("pypy") else f"python{name}"
    pyenv = Path.home() / ".pyenv" / "versions"
    kept = sorted(pyenv.glob(f"{name}*/bin/{command}"), reverse=True)
    on_path = shutil.which(command)
    return [*map(str, kept), *([on_path] if on_path else [])]


def _probe(name: str, executable: str) -> HostPython | None:
    result = subprocess.run([executable, "-c", _PROBE], capture_output=True, text=True, check=False)
    if result.returncode != 0:  # a launcher of something that is not there
        return None
    version, path = result.stdout.splitlines()
    major, minor = version.split(".")
    if not name.startswith("pypy") and version != name:
        return None
    return HostPython(name, (int(major), int(minor)), Path(path))


def _runs(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "-c", ":"], capture_output=True, check=False).returncode == 0
