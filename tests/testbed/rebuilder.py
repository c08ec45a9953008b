"""Builds of one archive that are killed, crowded, and made of a cache that was altered; each that ends must be right.

The cache of frames is the builder's own, packages are those of the test bed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from testbed.survivor import HANG, Counts

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.layout import Layout

PACKAGES = ("cprog", "zstd", "data-generic")
FRAMES = ".coex-frames"
FORGOTTEN = ("CONDA", "PYTHON", "_CE_", "XDG_")  # settings of the caller


class Rebuilder:
    """Builds `out.coex` in a directory, again and again; the outcomes are counted in `counts`."""

    def __init__(self, layout: Layout, directory: Path, seed: int) -> None:
        self.layout, self.directory, self.channel = layout, directory, layout.channel
        self.pkgs, self.output = directory / "pkgs", directory / "work/out.coex"
        self.random, self.counts = random.Random(seed), Counts()
        self.expected, self.duration = "", 0.0
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        own = {"HOME": str(directory), "CONDA_PKGS_DIRS": str(self.pkgs), "TMPDIR": str(directory / "tmp")}
        self.environment = {**kept, **own, "CONDA_OVERRIDE_CUDA": "", "CONDA_REPORT_ERRORS": "false"}
        for path in (self.pkgs, self.output.parent, directory / "tmp"):
            path.mkdir(exist_ok=True)

    def popen(self, *wrapper: str, output: str = "out.coex", **env: str) -> subprocess.Popen[str]:
        """Start a build in a session of its own."""
        wanted = [word for name in PACKAGES for word in ("--package", name)]
        command = [*wrapper, str(self.layout.conda), "coex", "create", "-y", "-q", "--override-channels"]
        command += ["-c", str(self.channel), *wanted, "--entrypoint", "cprog", "-o", output]
        return subprocess.Popen(
            command, cwd=self.output.parent, env={**self.environment, **env}, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def fill_cache(self) -> None:
        """Have conda extract the packages into the test bed's cache, so that another needs no room for them."""
        command = [str(self.layout.conda), "create", "-y", "-q", "--download-only", "-p", str(self.directory / "never")]
        command += ["--override-channels", "-c", str(self.layout.channel), *PACKAGES]
        usual = {name: value for name, value in self.environment.items() if name != "CONDA_PKGS_DIRS"}
        subprocess.run(command, env=usual, check=True, capture_output=True)

    def measure(self) -> None:
        """Build once undisturbed, with no frames kept: the archive is right, and the time that it takes is known."""
        began = time.monotonic()
        process = self.popen()
        said, _ = process.communicate(timeout=HANG)
        assert process.returncode == 0, said
        self.duration = time.monotonic() - began
        self.expected = self.digest()
        self.clear()

    def digest(self, output: str = "out.coex") -> str:
        return hashlib.sha256(self.output.with_name(output).read_bytes()).hexdigest()

    def entries(self) -> list[Path]:
        """Return the frames that are kept."""
        return sorted((self.pkgs / FRAMES).glob("*.frames"))

    def clear(self) -> None:
        """Remove the output and the frames that are kept."""
        self.output.unlink(missing_ok=True)
        for path in self.entries():
            path.unlink()

    def judge(self, process: subprocess.Popen[str], output: str = "out.coex") -> None:
        """Wait for a build that must succeed, and count it."""
        self.counts.builds += 1
        try:
            said, _ = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            self.counts.hangs += 1
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return
        if process.returncode or self.digest(output) != self.expected:
            self.counts.wrong.append(f"build: status {process.returncode}, said {said!r}")

    def build(self) -> None:
        """Build, which must give the same bytes as ever."""
        self.judge(self.popen())

    def kill(self) -> None:
        """Kill a build at a random moment; it leaves no output, and the next build is right."""
        whole = self.output.exists()
        process = self.popen()
        time.sleep(self.random.uniform(0.2, 1.1) * self.duration)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self.counts.kills += 1
        beside = [path.name for path in self.output.parent.iterdir()]
        if set(beside) - {"out.coex"} or (whole and not beside):
            self.counts.wrong.append(f"a build that was killed left {beside}")
        if beside and self.digest() != self.expected:
            self.counts.wrong.append("a build that was killed left another output")

    def poison(self) -> None:
        """Flip a bit of frames that are kept: the next build sees that, and makes them again."""
        self.build()
        entry = self.random.choice(self.entries())
        data = bytearray(entry.read_bytes())
        data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        entry.write_bytes(data)
        self.output.unlink()
        self.counts.faults += 1
        self.build()
