"""Measure a first start: from the command to the entry point's first instruction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import hosts

from benchmarks import archives, c_floor, old_scheme, peers, wheel_channel
from benchmarks.archives import first_start
from benchmarks.environments import make_environment
from benchmarks.runner import interleave, remove
from benchmarks.summary import Chart, Outcome, Section, Spread, Table, ratio, time_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.bench import Bench
    from benchmarks.environments import Environment
    from benchmarks.runner import Command, Run

TEXT = """\
The entry point is a C program that does nothing, so a run ends where the entry point begins. The store is
removed and the file system synced before each run. tar, `cp -a` and the C extractor write the same tree;
they relocate nothing. The C extractor decodes the archive's own frames with the archive's own libzstd in two
processes: the practical floor. conda-pack's file is its own tar.zst, with all threads. The host's Python is the newest
of the machine, unless a name says another. It compiles the modules of the archive, unless the name ends with
"bytecode": then the archive carries them compiled for it."""
TARGETS: dict[str, dict[str, float]] = {
    "tar --zstd -x": {"small": 0.95, "big": 0.75},
    "C, two processes": {"big": 1.12},
    "conda-pack (tar.zst, conda-unpack)": {"small": 0.60},
    "cp -a": {},
    "coex of 2019": {},
}
IMPORT = "import numpy, pandas"


def measure(bench: Bench) -> Section:
    """Measure the first start of all environments."""
    outcomes: list[Outcome] = []
    tables: list[Table] = []
    charts: list[Chart] = []
    for name in bench.environments:
        environment = make_environment(bench, name)
        runs = interleave(_commands(bench, environment), bench.rounds)
        outcomes += _outcomes(name, runs)
        tables.append(time_table(f"{name}: {environment.files} files, {environment.size / 1e6:.0f} MB", runs, "coex"))
        bars = [(each, Spread.of([run.wall for run in runs[each]]).median) for each in runs]
        charts.append(Chart(f"first-start-{name}", f"First start of {name}", "bars", "s", bars=bars))
        _tidy(bench, name)
    for part in (_hosts(bench), _numpy(bench), _zipapps(bench), _second(bench)):
        outcomes += part[0]
        tables.append(part[1])
    return Section("First start", TEXT, outcomes, tables, charts)


def _commands(bench: Bench, environment: Environment) -> list[Command]:
    output, file = bench.place / "out", archives.archive(bench, environment.name)
    commands = [
        first_start("coex", file, bench.place / "store", archives.newest_python()),
        c_floor.extractor(file, bench.place, output),
        peers.tar_command(bench, environment, output),
        peers.copy_command(bench, environment, output),
    ]
    commands += peers.available(bench, "conda-pack", lambda: peers.conda_pack_command(bench, environment, output))
    return commands + peers.available(bench, "coex of 2019", lambda: old_scheme.command(bench, environment, output))


def _outcomes(name: str, runs: Mapping[str, Sequence[Run]]) -> list[Outcome]:
    return [
        ratio(f"first start of {name} / {peer}", targets.get(name), runs["coex"], runs[peer])
        for peer, targets in TARGETS.items()
        if peer in runs
    ]


def _tidy(bench: Bench, name: str) -> None:
    """Make room: remove files that the next environment does not need."""
    for path in (*bench.place.glob(f"{name}-*"), bench.place / "store", bench.place / "out"):
        remove(path)


def _hosts(bench: Bench) -> tuple[list[Outcome], Table]:
    """Compare host Pythons: the oldest and the newest, on the largest environment."""
    file = archives.archive(bench, bench.main_environment)
    found = [host for host in hosts.find_pythons()[0] if not host.name.startswith("pypy")]
    chosen = [found[0], found[-1]] if len(found) > 1 else found
    store = bench.place / "store"
    starts = [first_start(f"Python {host.name}", file, store, host.executable) for host in chosen]
    runs = interleave(starts, bench.rounds)
    oldest, newest = (f"Python {host.name}" for host in (chosen[0], chosen[-1]))
    outcome = ratio(f"first start on {oldest} / {newest}", 1.15, runs[oldest], runs[newest])
    return [outcome], time_table(f"Host Pythons, {bench.main_environment}", runs, newest)


def _numpy(bench: Bench) -> tuple[list[Outcome], Table]:
    """Compare the first start of an environment of Python and numpy with C, also on a Python that is not named."""
    file, store = archives.archive(bench, "numpy"), bench.place / "store"
    floor = c_floor.extractor(file, bench.place, bench.place / "out")
    newest = archives.newest_python()
    named = "coex" + _way(file, newest)
    system = "coex, the system's python3" + _way(file, Path("/usr/bin/python3"))
    commands = [first_start(named, file, store, newest), first_start(system, file, store), floor]
    runs = interleave(commands, bench.rounds)
    title = "first start of python + numpy"
    outcomes = [
        ratio(f"{title}{named.removeprefix('coex')} / {floor.name}", 1.5, runs[named], runs[floor.name]),
        ratio(f"{title}{system.removeprefix('coex')} / {floor.name}", 1.5, runs[system], runs[floor.name]),
    ]
    return outcomes, time_table("python + numpy, until the entry point begins", runs, named)


def _way(file: Path, python: Path) -> str:
    """Return the words that a name ends with if an archive carries bytecode for a Python."""
    return ", bytecode" if archives.has_bytecode(file, python) else ""


def _zipapps(bench: Bench) -> tuple[list[Outcome], Table]:
    """Compare with shiv and pex, whose programs import numpy and pandas."""
    wheels = _wheels(bench)
    file = archives.archive(bench, "pandas", entry="python")
    own = first_start("coex", file, bench.place / "store", archives.newest_python(), ("-c", IMPORT))
    commands = [own]
    for peer in ("shiv", "pex"):
        commands += peers.available(bench, peer, lambda peer=peer: peers.zipapp_command(bench, peer, wheels, IMPORT))  # type: ignore[misc]
    runs = interleave(commands, bench.rounds)
    targets = {"shiv": 0.50, "pex": None}
    outcomes = [
        ratio(f"first start and `{IMPORT}` / {peer}", target, runs["coex"], runs[peer])
        for peer, target in targets.items()
        if peer in runs
    ]
    return outcomes, time_table(f"First start and `{IMPORT}`; ours unpacks Python too", runs, "coex")


def _second(bench: Bench) -> tuple[list[Outcome], Table]:
    """Start a second archive of the same packages, where the first one's root is there: with and without sharing."""
    store = bench.place / "store"
    first = archives.archive(bench, bench.main_environment)
    second = archives.archive(bench, bench.main_environment, entry="python")
    python, arguments = archives.newest_python(), ("-c", "")
    neighbour = archives.root_of(first, store, python)

    def only_neighbour() -> None:
        for root in store.iterdir():
            if root != neighbour:
                remove(root)

    def command(name: str, **more: str) -> Command:
        return replace(
            first_start(name, second, store, python, arguments, **more), outputs=(), prepare=only_neighbour
        )

    shared, copied = "packages shared", "all files written"
    runs = interleave([command(shared), command(copied, COEX_COPY="1")], bench.rounds)
    remove(store)
    outcome = ratio("first start of a second archive / without sharing", None, runs[shared], runs[copied])
    return [outcome], time_table(f"A second archive of the packages of {bench.main_environment}", runs, shared)


def _wheels(bench: Bench) -> Path:
    wheel_channel.download(bench.home, "pandas")
    return bench.home / "wheels" / "pandas"
