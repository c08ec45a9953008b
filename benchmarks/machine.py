"""Describe the machine, and tell how much of it others use."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.layout import REPOSITORY

TICK = os.sysconf("SC_CLK_TCK")
QUIET = 0.15  # cores that others may use before a run is waited with
PATIENCE = 10.0  # seconds to wait for a quiet machine before a run
IMPATIENCE = 0.5  # seconds to wait where the last wait was in vain


@dataclass(frozen=True)
class Load:
    """The seconds that all processors spent, by activity, since the start of the machine."""

    busy: float
    stolen: float


def load_now() -> Load:
    """Return the sums of /proc/stat."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    user, nice, system, _, _, irq, softirq, steal = (int(number) / TICK for number in first.split()[1:9])
    return Load(user + nice + system + irq + softirq, steal)


def foreign_seconds(before: Load, after: Load, own: float) -> float:
    """Return the processor time that was neither ours nor idle."""
    return max(0.0, after.busy - before.busy - own) + after.stolen - before.stolen


class Patience:
    """How long to wait for a quiet machine: little, once that did not come."""

    seconds = PATIENCE


def wait_until_quiet() -> bool:
    """Wait until others use little of the machine; say whether that came."""
    deadline = time.monotonic() + Patience.seconds
    while True:
        before, started = load_now(), time.monotonic()
        time.sleep(0.25)
        if foreign_seconds(before, load_now(), 0.0) / (time.monotonic() - started) < QUIET:
            Patience.seconds = PATIENCE
            return True
        if time.monotonic() > deadline:
            Patience.seconds = IMPATIENCE
            return False


def commit() -> str:
    """Return the commit of the sources that are measured, and whether they differ from it; nothing without git."""
    words = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty= and changes", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def describe() -> dict[str, str]:
    """Return the facts about the machine that a reader needs."""
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python of the builder": platform.python_version(),
        "load average at the start": "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
