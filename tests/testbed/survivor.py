"""An archive that tells whether it was whole when it ran, and starts of it that are killed, stopped and crowded.

Nothing is mocked: processes are really started, and really end by signals.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("post-link-count", "activate-demo", "zstd")
ENTRY = "whole.sh"
HANG = 120  # seconds after which a start counts as hanging: far more than it takes on any machine
FILES = 40
BIG = 5 << 20  # bytes of a file that several frames hold, so that workers share

# Reads every byte of the app and the last file of the post-link script, and a variable that activation sets.
WHOLE = """\
#!/bin/sh
cd "$COEX_APP/data" || exit 9
sums=$(cat big few-* | cksum)
made=$(cat "$COEX_PREFIX/share/post-link-count/done.txt")
echo "$sums $made $DEMO_ORDER $*"
"""


def write_app(directory: Path, seed: int = 0) -> tuple[str, ...]:
    """Write the app's files into a directory and return their names, the entry point's first."""
    generator = random.Random(seed)
    (directory / ENTRY).write_text(WHOLE, encoding="utf-8")
    data = directory / "data"
    data.mkdir()
    (data / "big").write_bytes(generator.randbytes(BIG))
    for number in range(FILES):
        (data / f"few-{number:02}").write_bytes(generator.randbytes(1000))
    return (ENTRY, "data")


@dataclass
class Counts:
    """The outcomes of a run of faults."""

    starts: int = 0
    builds: int = 0
    verified: int = 0
    kills: int = 0
    faults: int = 0
    hangs: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.starts} starts, {self.builds} builds, {self.verified} verified, {self.kills} kills, "
            f"{self.faults} other faults injected, "
            f"{len(self.wrong)} wrong results, {self.hangs} hangs"
        )


class Survivor:
    """One archive in one store; everything that it does is counted in `counts`."""

    def __init__(self, archive: Path, store: Path, seed: int) -> None:
        self.archive, self.store = archive, store
        self.random = random.Random(seed)
        self.counts = Counts()
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(store), "COEX_ROOT": str(store)}
        self.environment["COEX_PYTHON"] = sys.executable
        self.expected = ""
        self.duration = 0.0

    def measure(self) -> None:
        """Start it once undisturbed: its output is right, and the time that it takes is known."""
        began = time.monotonic()
        process = self.popen()
        self.expected, said = process.communicate(timeout=HANG)
        assert process.returncode == 0, said
        assert self.expected.endswith(" done ab x\n"), self.expected
        self.duration = time.monotonic() - began

    def popen(self, *wrapper: str, **env: str) -> subprocess.Popen[str]:
        """Start it in a session of its own."""
        return subprocess.Popen(
            [*(wrapper or (str(self.archive),)), "x"], env={**self.environment, **env}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=_default_signals,
        )  # fmt: skip

    def judge(self, process: subprocess.Popen[str]) -> None:
        """Wait for a start that must succeed, and count it."""
        self.counts.starts += 1
        try:
            out, said = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            self.counts.hangs += 1
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return
        if (process.returncode, out, said) != (0, self.expected, ""):
            self.counts.wrong.append(f"status {process.returncode}, printed {out!r}, said {said!r}")

    def start(self, **env: str) -> None:
        """Start it, which must succeed."""
        self.judge(self.popen(**env))

    def crowd(self, size: int, **env: str) -> None:
        """Start it many times at once; all must succeed."""
        for process in [self.popen(**env) for _ in range(size)]:
            self.judge(process)

    def cut(self, number: int) -> None:
        """Take the last byte of some files of the app in the ready root."""
        for root in self.roots():
            files = sorted(path for path in (root / "app").rglob("*") if path.is_file() and path.stat().st_size)
            for path in self.random.sample(files, number):
                self.counts.faults += 1
                path.write_bytes(path.read_bytes()[:-1])

    def tool(self, verb: str) -> subprocess.Popen[str]:
        """Ask the archive for something."""
        return subprocess.Popen(
            [str(self.archive), verb], env={**self.environment, "COEX_TOOLS": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=_default_signals,
        )  # fmt: skip

    def judge_tool(self, verb: str) -> None:
        """Ask for something that must succeed."""
        process = self.tool(verb)
        try:
            said, _ = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            self.counts.hangs += 1
            process.kill()
            process.communicate()
            return
        if process.returncode:
            self.counts.wrong.append(f"{verb}: status {process.returncode}, said {said!r}")

    def clear(self) -> None:
        """Remove the ready root, so that the next start has to make it."""
        for root in self.roots():
            subprocess.run(["rm", "-rf", str(root)], check=True)

    def roots(self) -> list[Path]:
        """Return the ready roots, without those that were set aside."""
        return [path.parent for path in self.store.glob("*/start") if "." not in path.parent.name]

    def kill(self) -> None:
        """Kill a first start at a random moment: alone, with all of its group, or one of its workers."""
        target = self.random.choice(("alone", "group", "child"))
        moment = self.random.uniform(0, 1.2 * self.duration)
        process = self.popen(POST_LINK_SLEEP=self.random.choice(("", "", "0.05")))
        time.sleep(moment)
        self.counts.kills += 1
        children = children_of(process.pid)
        if target == "child" and children and self._is_starting(process.pid):
            _kill(self.random.choice(children))
        elif target == "group":
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        else:
            process.kill()
        self._end(process, target)

    def _is_starting(self, pid: int) -> bool:
        """Return whether a process is the Python of a first start, not the entry point: its children are a start's."""
        try:
            return os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(self.environment["COEX_PYTHON"])
        except OSError:
            return False

    def interrupt(self) -> None:
        """Send a first start a signal that asks for its end; the store must be as before, or the root ready."""
        number = self.random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        moment = self.random.uniform(0.1, 1.2) * self.duration
        process = self.popen()
        time.sleep(moment)
        self.counts.faults += 1
        os.killpg(process.pid, number) if process.poll() is None else None
        self._end(process, number.name)
        if process.returncode not in (0, -number, 128 + number):
            self.counts.wrong.append(f"{number.name}: status {process.returncode}")

    def _end(self, process: subprocess.Popen[str], what: str) -> None:
        """Wait for a start that was disturbed; one that printed something must have printed the right thing."""
        try:
            out, said = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            self.counts.hangs += 1
            os.killpg(process.pid, signal.SIGKILL)
            out, said = process.communicate()
        early = "KeyboardInterrupt" in said and self.archive.name not in said  # of a Python that begins itself
        if out not in ("", self.expected) or ("Traceback" in said and not early):
            self.counts.wrong.append(f"{what}: printed {out!r}, said {said!r}")

    def left(self) -> list[str]:
        """Return the names in the store besides a root, after a first start that could clean up."""
        self.clear()
        self.start()
        return sorted(path.name for path in self.store.iterdir() if path not in self.roots())


def children_of(pid: int) -> list[int]:
    """Return the children of a process (proc(5))."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def processes_with(variable: str, value: str) -> list[int]:
    """Return the processes whose environment has this."""
    found = []
    wanted = f"{variable}={value}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def orphans(variable: str, value: str) -> list[int]:
    """Return the processes whose environment has this and that do not end: to end takes a moment."""
    deadline = time.monotonic() + HANG
    while (found := processes_with(variable, value)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _default_signals() -> None:
    """A shell's background job ignores some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
