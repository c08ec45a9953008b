"""Choose the Python that the base environment is made with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 10)
_NAMES = ("python3.12", "python3.11", "python3.10", "python3")
_PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys._base_executable)"


class NoInterpreterError(RuntimeError):
    """No Python on this machine can hold conda."""

    def __init__(self, tried: list[str]) -> None:
        super().__init__(
            f"conda needs Python {OLDEST[0]}.{OLDEST[1]} or newer and none was found; "
            f"tried: {', '.join(tried)}. Name one with --python."
        )


def probe(python: str) -> tuple[tuple[int, ...], Path] | None:
    """Return the version and the real executable of a Python, or None if it does not run."""
    result = subprocess.run([python, "-c", _PROBE], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return None
    version, executable = result.stdout.splitlines()
    return tuple(int(part) for part in version.split(".")), Path(executable)


def _candidates() -> list[str]:
    on_path = [shutil.which(name) for name in _NAMES]
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"), reverse=True)
    return [sys.executable, *filter(None, on_path), *map(str, pyenv)]


def choose(wanted: str | None = None) -> Path:
    """Return the wanted Python, or the running one, or the first suitable one that is found."""
    candidates = [wanted] if wanted else _candidates()
    for candidate in candidates:
        found = probe(candidate)
        if found and found[0] >= OLDEST:
            return found[1].resolve()
    raise NoInterpreterError(candidates)
