"""Disturb starts and builds for as long as a person wants: ``python -m testbed.stress --seed 1 --seconds 600``.

Disturbances are followed by a start that must succeed, kills at times by another kill. The last line counts the
outcomes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import flipper
from testbed.flipper import Flipper
from testbed.hosts import find_pythons
from testbed.layout import REPOSITORY, Layout
from testbed.rebuilder import Rebuilder
from testbed.survivor import ENTRY, PACKAGES, Survivor, orphans, write_app

if TYPE_CHECKING:
    from collections.abc import Callable

DAMAGES = ("start", "activate.sh", "app/whole.sh")
OWNER = "COEX_STRESS_OWNER"
BESIEGED = 20  # hostile archives at once


def make_archive(directory: Path) -> Path:
    """Make the archive with the test bed's conda; return its path."""
    layout = Layout.default()
    names = write_app(directory)
    wanted = [word for name in PACKAGES for word in ("--package", name)]
    command = [str(layout.conda), "coex", "create", "-y", "-q", "--override-channels", "-c", str(layout.channel)]
    command += [*wanted, "--entrypoint", f"./{ENTRY}", "-o", "stressed.coex", *names]
    environment = {**os.environ, "CONDA_OVERRIDE_CUDA": "", "CONDA_REPORT_ERRORS": "false"}
    subprocess.run(command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
    return directory / "stressed.coex"


def kill(survivor: Survivor) -> None:
    """Kill a first start, or part of it."""
    survivor.clear()  # of ready roots, not of leftovers of killed starts
    survivor.kill()


def interrupt(survivor: Survivor) -> None:
    """Ask a first start to end."""
    survivor.clear()
    survivor.interrupt()


def crowd(survivor: Survivor) -> None:
    """Start many at once."""
    survivor.clear()
    survivor.crowd(survivor.random.randrange(2, 17))


def killed_in_a_crowd(survivor: Survivor) -> None:
    """Kill one of many at a random moment: the others must succeed."""
    survivor.clear()
    victim = survivor.popen()
    others = [survivor.popen() for _ in range(4)]
    time.sleep(survivor.random.uniform(0, 2 * survivor.duration))
    victim.kill()
    survivor.counts.kills += 1
    victim.communicate()
    for process in others:
        survivor.judge(process)


def damage(survivor: Survivor) -> None:
    """Remove or empty a file without which a root does not start, as a cleaner of temporary files does."""
    survivor.start()
    for root in survivor.roots():
        survivor.counts.faults += 1
        path = root / survivor.random.choice(DAMAGES)
        if survivor.random.random() < 0.5:
            path.unlink()
        else:
            path.write_bytes(b"")


def stop(survivor: Survivor) -> None:
    """Stop a first start at a random moment, let its claim grow old, and wake it up when another has taken over."""
    survivor.clear()
    survivor.counts.faults += 1
    process = survivor.popen()
    time.sleep(survivor.random.uniform(0, 1.2 * survivor.duration))
    process.send_signal(signal.SIGSTOP)
    for claim in survivor.store.glob("*.claim/*"):
        os.utime(claim, (1, 1))
    other = survivor.popen()
    time.sleep(survivor.random.uniform(0, 1.2 * survivor.duration))
    process.send_signal(signal.SIGCONT)
    survivor.judge(process)
    survivor.judge(other)


def repair(survivor: Survivor) -> None:
    """Take parts of some files of a ready root, and repair it, to the end or killed; then it must be whole."""
    survivor.start()
    for _ in range(2):
        survivor.cut(3)
        process = survivor.tool("repair")
        if survivor.random.random() < 0.5:
            time.sleep(survivor.random.uniform(0, 1.2 * survivor.duration))
            process.kill()
            survivor.counts.kills += 1
            process.communicate()
        else:
            process.communicate()
            survivor.crowd(2)
        if not survivor.roots():
            survivor.start()  # it was killed while the start was set aside
    survivor.judge_tool("repair")
    survivor.judge_tool("verify")
    survivor.counts.verified += 1


FAULTS: tuple[Callable[[Survivor], None], ...] = (
    kill, kill, kill, interrupt, crowd, killed_in_a_crowd, damage, stop, repair,
)  # fmt: skip


def disturb(survivor: Survivor, enough: Callable[[], bool], faults: tuple[Callable[[Survivor], None], ...]) -> None:
    """Inject faults until it is enough; stops at the first wrong result, whose store is then as it was."""
    while not enough() and not survivor.counts.wrong and not survivor.counts.hangs:
        fault = survivor.random.choice(faults)
        fault(survivor)
        if fault is not kill or survivor.random.random() < 0.5:  # some are killed at the leftovers of killed ones
            survivor.start()


def others(survivor: Survivor, directory: Path, seed: int) -> tuple[Callable[[Survivor], None], ...]:
    """Return the faults of other things than starts: damaged copies, hostile archives, builds."""
    for name in ("flips", "builds"):
        (directory / name).mkdir()
    copies = Flipper(survivor.archive, directory / "flips", seed)
    builder = Rebuilder(Layout.default(), directory / "builds", seed)
    builder.measure()
    copies.counts = builder.counts = survivor.counts

    def flip(_: Survivor) -> None:
        rounds = iter(range(flipper.REAL))
        flipper.disturb(copies, lambda: next(rounds, None) is None)

    def kill_builds(_: Survivor) -> None:
        for _number in range(2):
            builder.kill()
        builder.build()
        builder.clear()

    def poison_frames(_: Survivor) -> None:
        builder.poison()
        builder.build()

    def build_at_once(_: Survivor) -> None:
        for process in [builder.popen() for _number in range(3)]:
            builder.judge(process)

    def besiege(_: Survivor) -> None:
        """Make hostile archives, ask all verbs of them and start them, under the oldest Python or the newest."""
        seed = survivor.random.randrange(1 << 30)
        python = survivor.random.choice([hosts[0], hosts[-1]])
        siege = [str(python.executable), "-m", "unit.coex_bootstrap.siege"]
        command = [*siege, "--seed", str(seed), "--count", str(BESIEGED)]
        path = f"{REPOSITORY}/tests:{REPOSITORY}/bootstrap"
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        survivor.counts.faults += BESIEGED
        if done.returncode:
            survivor.counts.wrong.append(f"{python.name}: {done.stdout}{done.stderr}")

    hosts = [host for host in find_pythons()[0] if not host.name.startswith("pypy")]
    return (flip, flip, kill_builds, poison_frames, build_at_once, *([besiege] if hosts else []))


def finish(survivor: Survivor, owner: str) -> None:
    """Check the leftovers after all faults: only a root in the store, and no process."""
    for path in survivor.store.glob("*.gone-*"):
        os.utime(path, (1, 1))  # a root that was ready stays a day
    left = survivor.left()
    if left:
        survivor.counts.wrong.append(f"left behind: {', '.join(left)}")
    if running := orphans(OWNER, owner):
        survivor.counts.wrong.append(f"processes still run: {running}")


def main() -> int:
    """Disturb as the arguments say; the status is 1 where anything went wrong."""
    parser = argparse.ArgumentParser(prog="stress", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what is random follows from it")
    parser.add_argument("--seconds", type=float, default=60, help="how long")
    parser.add_argument("--kills", type=int, help="instead: that many kills, and no other fault")
    parser.add_argument("--archive", type=Path, help="an archive of `testbed.survivor`; otherwise one is made")
    arguments = parser.parse_args()
    print(f"stress: seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="coex-stress-") as name:
        directory = Path(name)
        archive = arguments.archive or make_archive(directory)
        (directory / "store").mkdir(mode=0o700)
        survivor = Survivor(archive, directory / "store", arguments.seed)
        survivor.environment[OWNER] = name
        survivor.measure()
        end = time.monotonic() + arguments.seconds
        if arguments.kills is not None:
            disturb(survivor, lambda: survivor.counts.kills >= arguments.kills, (kill,))
        else:
            faults = (*FAULTS, *others(survivor, directory, arguments.seed))
            disturb(survivor, lambda: time.monotonic() >= end, faults)
        finish(survivor, name)
    for wrong in survivor.counts.wrong:
        print(f"stress: wrong: {wrong}")
    print(f"stress: seed {arguments.seed}: {survivor.counts}")
    return 1 if survivor.counts.wrong or survivor.counts.hangs else 0


if __name__ == "__main__":
    sys.exit(main())
