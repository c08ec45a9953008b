"""Measure an archive beside other ways to ship Python, numpy and pandas: first starts, later starts, sizes, needs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import archives, conda_ship, peers, wheel_channel
from benchmarks.environments import make_environment
from benchmarks.runner import Command, interleave, measure, remove, run_quietly
from benchmarks.summary import Section, Spread, Table, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.environments import Environment
    from benchmarks.runner import Run

TEXT = """\
Each way ships the same versions of numpy and pandas, and the program is `import numpy, pandas`. A first start begins
with one file and an empty cache; conda-pack's is the user's `tar`, `conda-unpack` and activation. A later start finds
the unpacked files; the squashfs image stays mounted, and its runs count as disturbed by the process that serves it.
pex and shiv ship no Python: they run on that of this machine.
`processor` is the time of all processes of a first start."""
CODE = "import numpy, pandas"
OWN = "conda-coex"
SQUASHFS = "squashfs, mounted by squashfuse"


class Way(NamedTuple):
    """One way to ship an environment."""

    first: Command
    later: Sequence[str]
    """The words of a later start."""
    file: Path
    needs: str
    """The programs that a host needs."""
    leaves_out: str
    """Parts of a conda environment."""


def measure_ways(bench: Bench) -> Section:
    """Measure all ways that this machine has."""
    environment = make_environment(bench, "pandas")
    ways = [_own(bench)]
    for name, make in _others(bench, environment).items():
        ways += peers.available(bench, name, partial(_tried, make))
    with _mounted(ways):
        first = interleave([way.first for way in ways], bench.rounds)
        for way in ways:
            measure(way.first)
        later = interleave([_later(way) for way in ways], 4 * bench.rounds)
    for way in ways:
        for output in way.first.outputs:
            remove(output)
    outcomes = [ratio(f"first start / {name}", None, first[OWN], first[name]) for name in first if name != OWN]
    outcomes += [ratio(f"later start / {name}", None, later[OWN], later[name]) for name in later if name != OWN]
    return Section("Beside other ways", TEXT, outcomes, [_table(ways, first, later)])


def _later(way: Way) -> Command:
    return replace(way.first, words=way.later, outputs=(), prepare=_nothing, check=_nothing)


def _table(ways: Sequence[Way], first: dict[str, list[Run]], later: dict[str, list[Run]]) -> Table:
    head = ["", "first start, s", "processor, s", "later start, s", "file, MB", "the host needs", "leaves out"]
    rows = [
        [
            way.first.name,
            Spread.of([run.wall for run in first[way.first.name]]).text(),
            Spread.of([run.cpu for run in first[way.first.name]]).text(),
            Spread.of([run.wall for run in later[way.first.name]]).text(3),
            f"{way.file.stat().st_size / 1e6:.1f}",
            way.needs,
            way.leaves_out,
        ]
        for way in ways
    ]
    return Table(f"`{CODE}`", head, rows)


def _own(bench: Bench) -> Way:
    file = archives.archive(bench, "pandas", entry="python")
    first = archives.first_start(OWN, file, bench.place / "store", archives.newest_python(), ("-c", CODE))
    return Way(first, first.words, file, "any Python; none with `--carry-python`", "")


def _others(bench: Bench, environment: Environment) -> dict[str, Callable[[], Way]]:
    return {
        "conda-pack": lambda: _conda_pack(bench, environment),
        "conda-ship": lambda: _conda_ship(bench, environment),
        SQUASHFS: lambda: _squashfs(bench, environment),
        "pex": lambda: _zipapp(bench, "pex"),
        "shiv": lambda: _zipapp(bench, "shiv"),
    }


def _tried(make: Callable[[], Way]) -> Way:
    """Return a way that has started once."""
    way = make()
    measure(way.first)
    return way


def _conda_pack(bench: Bench, environment: Environment) -> Way:
    output = bench.place / "conda-pack-root"
    unpack = peers.conda_pack_command(bench, environment, output)
    start = f". {shlex.quote(str(output))}/bin/activate && exec python -c {shlex.quote(CODE)}"
    first = replace(unpack, name="conda-pack", words=["bash", "-c", f"{unpack.words[2]} && {start}"])
    file = bench.place / f"{environment.name}-conda-pack.tar.zst"
    return Way(first, ["bash", "-c", start], file, "tar, zstd, bash; three commands", "post-link on the host")


def _conda_ship(bench: Bench, environment: Environment) -> Way:
    file = conda_ship.build(bench, environment)
    prefix = bench.place / "conda-ship-prefix"
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(prefix), "LANG": "C.UTF-8", "CONDA_SHIP_PREFIX": f"{prefix}/env"}
    first = Command("conda-ship", [str(file), "-c", CODE], variables, bench.place, (prefix,), prefix.mkdir)
    return Way(first, first.words, file, "nothing", "activation, `pip:`, application files")


def _squashfs(bench: Bench, environment: Environment) -> Way:
    file, mount = bench.place / "image.squashfs", bench.place / "mounted"
    if not file.exists():
        run_quietly(["mksquashfs", str(environment.tree), str(file), "-comp", "zstd", "-quiet", "-no-progress"])
    mount.mkdir(exist_ok=True)
    start = f"{shlex.quote(str(mount))}/bin/python -c {shlex.quote(CODE)}"
    words = f"squashfuse {shlex.quote(str(file))} {shlex.quote(str(mount))} && {start}"
    first = Command(SQUASHFS, ["sh", "-c", words], directory=bench.place, prepare=lambda: unmount(mount))
    return Way(first, ["sh", "-c", start], file, "FUSE", "relocation, activation")


def unmount(directory: Path) -> None:
    """Unmount a FUSE file system, if it is mounted."""
    subprocess.run(["fusermount", "-u", "-q", str(directory)], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def _mounted(ways: Sequence[Way]) -> Iterator[None]:
    """Unmount every image at the end."""
    try:
        yield
    finally:
        for way in ways:
            if way.first.name == SQUASHFS:
                way.first.prepare()


def _zipapp(bench: Bench, peer: str) -> Way:
    wheel_channel.download(bench.home, "pandas")
    first = peers.zipapp_command(bench, peer, bench.home / "wheels" / "pandas", CODE)
    needs = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    return Way(first, first.words, bench.place / f"pandas.{peer}", needs, "Python, packages of conda")


def _nothing() -> None:
    """Prepare nothing."""
