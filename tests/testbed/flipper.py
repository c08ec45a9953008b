"""Starts of an archive with a flipped bit, or cut short: each runs as ever, or says in one line why it does not.

Most are starts in a process that has the bootstrap loaded already, which is forked: they read only the file. The
others are real ones, by the shell and by Pythons, which run the altered code too.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coex_bootstrap.base.errors import CoexError
from coex_bootstrap.format.archive import Archive
from coex_bootstrap.start import run
from coex_bootstrap.tools.check_archive import Examined, check_archive

from testbed.hosts import find_pythons
from testbed.survivor import HANG, Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ERROR = 125  # of a start that ended before the entry point ran
SHELL = "its shell"  # programs that read the first lines
# The parts of a file that a Python reads before any code of ours can check it.
BY_PYTHON = (SHELL, "__main__.py", "directory", "end", "middle")
REAL = 40  # of so many starts one is not in a copy of this process


@dataclass(frozen=True)
class Damage:
    """One altered copy of an archive: the change, and the part of the file."""

    what: str
    part: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """The outcome of a start."""

    status: int
    out: str
    said: str


class Flipper:
    """Alters one archive and starts the result in a store of its own; everything is counted in `counts`."""

    def __init__(self, archive: Path, directory: Path, seed: int) -> None:
        self.data, self.parts = archive.read_bytes(), parts(archive)
        self.file, self.store = directory / "flipped.coex", directory / "store"
        self.random, self.counts = random.Random(seed), Counts()
        self.store.mkdir(mode=0o700)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "COEX_ROOT": str(self.store)}
        self.ran = self.refused = 0
        unharmed = Damage("none", "", self.data)
        self.verify(unharmed)
        whole = self.start_here(unharmed)
        assert whole.status == 0, whole
        self.expected = whole.out

    def flip(self) -> Damage:
        """Flip a bit, of a small part as often as of a large one."""
        part, (first, last) = self.random.choice(list(self.parts.items()))
        place, bit = self.random.randrange(first, last), self.random.randrange(8)
        data = bytearray(self.data)
        data[place] ^= 1 << bit
        return Damage(f"bit {bit} of byte {place} ({part}) flipped", part, bytes(data))

    def cut(self) -> Damage:
        """Take the end away, and at times only something of the middle."""
        size, part = self.random.randrange(1, len(self.data)), "middle"
        gap = self.random.choice([0, 0, 0, 1, 512, 4096])
        if not gap:
            part = SHELL if size < self.parts[SHELL][1] else "end"
        data = self.data[:size] + (self.data[size + gap :] if gap else b"")
        return Damage(f"cut at {size}, {gap or 'all the rest'} taken", part, data)

    def damage(self) -> Damage:
        return self.flip() if self.random.random() < 0.75 else self.cut()

    def start_here(self, damage: Damage) -> Outcome:
        """Start it in a copy of this process."""
        self.file.write_bytes(damage.data)
        out, said = self.file.with_suffix(".out"), self.file.with_suffix(".err")
        pid = os.fork()
        if not pid:
            self._become(out, said)
        _, status = os.waitpid(pid, 0)
        found = Outcome(os.waitstatus_to_exitcode(status), out.read_text(), said.read_text())
        self._clear()
        return found

    def _become(self, out: Path, said: Path) -> None:
        try:
            for number, path in ((1, out), (2, said)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.alarm(HANG)
            sys.stderr = os.fdopen(2, "w", closefd=False)
            os.environ.clear()
            os.environ.update(self.environment)
            status = run.main(os.fsencode(self.file), [])
            sys.stderr.flush()
            os._exit(status)
        except BaseException:  # of any class: its text is the outcome
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)

    def verify(self, damage: Damage) -> None:
        """Check it as `verify` does: every change is reported."""
        self.file.write_bytes(damage.data)
        try:
            with closing(Examined(os.fsencode(self.file))) as archive:
                found: list[object] = [*check_archive(archive, None)[0]]
        except CoexError as error:
            found = [error]
        self.counts.verified += 1
        if bool(found) is (damage.data == self.data):
            self.counts.wrong.append(f"{damage.what}: verify found {found}")

    def start(self, damage: Damage, words: Sequence[str]) -> Outcome:
        """Start it as a user does: by `words` and the file."""
        self.file.write_bytes(damage.data)
        self.file.chmod(0o755)
        command = [*words, str(self.file)]
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=HANG, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(-signal.SIGALRM, "", "")
        except OSError as error:  # its first line names no shell any more
            return Outcome(ERROR, "", f"{error}\n")
        self._clear()
        return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def _clear(self) -> None:
        for path in self.store.iterdir():
            shutil.rmtree(path)

    def judge(self, damage: Damage, outcome: Outcome, *, ours: bool = True) -> None:
        """Count a start; `ours` whether the changed bytes are not in the code that has to notice."""
        self.counts.starts += 1
        self.counts.faults += 1
        right = (outcome.status, outcome.out, outcome.said) == (0, self.expected, "")
        line = outcome.said.startswith("coex: ") and outcome.said.count("\n") == 1
        if outcome.status == -signal.SIGALRM:
            self.counts.hangs += 1
        elif right:
            self.ran += 1
        elif outcome.status and not outcome.out and outcome.said and (line or not ours):
            self.refused += 1
        else:
            self.counts.wrong.append(f"{damage.what}: {outcome}")


def parts(archive: Path) -> dict[str, tuple[int, int]]:
    """Return the beginnings and ends of the parts of an archive.

    Prelude, frames, members of the tail, and their surroundings.
    """
    with closing(Archive(os.fsencode(archive))) as opened:
        prelude, payload = opened.manifest.prelude, opened.manifest.payload
        frames = {
            f"frame {number}": (prelude + frame.offset, prelude + frame.offset + frame.size)
            for number, frame in enumerate(opened.index.frames)
        }
    size = archive.stat().st_size
    found = {SHELL: (0, prelude), **frames, "end": (size - 22, size)}
    with zipfile.ZipFile(archive) as tail:
        infos = sorted(tail.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [tail.start_dir]
        found.update({info.filename: (info.header_offset, end) for info, end in zip(infos, ends, strict=True)})
        found["directory"] = (tail.start_dir, size - 22)
        if infos[0].header_offset > prelude + payload:
            found["before the tail"] = (prelude + payload, infos[0].header_offset)
    return found


def ways() -> dict[str, list[str]]:
    """Return the commands that start an archive as users do."""
    pythons = sorted((host.version, str(host.executable)) for host in find_pythons()[0] if "pypy" not in host.name)
    return {"./x": [], "sh": ["sh"], "oldest": [pythons[0][1]], "newest": [pythons[-1][1]]}


def disturb(flipper: Flipper, enough: Callable[[], bool]) -> None:
    """Start damaged copies until it is enough, every REAL-th as a user does."""
    commands = list(ways().items())
    while not enough():
        damage = flipper.damage()
        flipper.judge(damage, flipper.start_here(damage))
        flipper.verify(damage)
        if flipper.counts.starts % REAL == 0:
            way, words = flipper.random.choice(commands)
            foreign = (SHELL,) if way in ("./x", "sh") else BY_PYTHON
            flipper.judge(damage, flipper.start(damage, words), ours=damage.part not in foreign)


def main() -> int:
    """Damage one archive as often as the arguments say; the status is 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="flipper", description=__doc__)
    parser.add_argument("archive", type=Path, help="an archive that prints something")
    parser.add_argument("--seed", type=int, default=0, help="what is random follows from it")
    parser.add_argument("--count", type=int, default=1000, help="how many copies")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coex-flipper-") as name:
        flipper = Flipper(arguments.archive, Path(name), arguments.seed)
        rounds = iter(range(arguments.count))
        disturb(flipper, lambda: next(rounds, None) is None)
    for wrong in flipper.counts.wrong:
        print(f"flipper: wrong: {wrong}")
    print(f"flipper: {flipper.ran} ran, {flipper.refused} refused; {flipper.counts}")
    return 1 if flipper.counts.wrong or flipper.counts.hangs else 0


if __name__ == "__main__":
    sys.exit(main())
