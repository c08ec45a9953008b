"""Measure an environment of the size of PyTorch beside pex: build, first start with a first use, later start."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.channel import assemble

from benchmarks import archives, peers, wheel_channel
from benchmarks.build import clean_cache
from benchmarks.runner import Command, interleave, measure, remove, run_quietly
from benchmarks.summary import Outcome, Section, Table, processor_ratio, ratio, time_table

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

TITLE = "PyTorch"
TEXT = """\
The build of PyTorch that runs on processors alone, with numpy and all that they need. Both ways ship the same wheels:
pex ships them as they are; ours ships conda packages that are made of them, as for the other environments, and Python.
pex runs on the Python of this machine. The program is `{code}`.
A first start begins with one file and an empty cache; a later start finds unpacked files, and compiled modules. At a
first build, ours has nothing compressed, and pex has an empty cache; a download is part of neither. At a second build,
both have all that the first one kept."""
CODE = "import torch; torch.ones(512, 512) @ torch.ones(512, 512)"
NAME = "torch"
ROOM = 5 << 30  # bytes of all archives and unpacked files that are there at one time
TARGET_START, TARGET_BUILD = 0.25, 1.2
OWN, VENV, PLAIN = "conda-coex", "pex --venv", "pex"


def measure_torch(bench: Bench) -> Section:
    """Measure builds and starts, if the wheels can be had."""
    if shutil.disk_usage(bench.place).free < ROOM:
        bench.note(f"{NAME} is left out: the measured file system has less than {ROOM >> 30} GiB")
        return Section(TITLE, TEXT.format(code=CODE))
    channel = peers.available(bench, NAME, lambda: _channel(bench))
    if not channel:
        bench.note(
            f"{NAME} needs an index that has builds of PyTorch for processors alone (`PIP_EXTRA_INDEX_URL`)"
        )
        return Section(TITLE, TEXT.format(code=CODE))
    wheels = _home(bench) / "wheels" / NAME
    builds, build_table = _builds(bench, channel[0], wheels)
    starts, start_tables = _starts(bench)
    versions = Table("The wheels", ["wheel", "MB"], [_described(wheel) for wheel in sorted(wheels.glob("*.whl"))])
    files = [[name, f"{file.stat().st_size / 1e6:.1f}"] for name, file in _files(bench).items()]
    sizes = Table("The files", ["", "MB"], files)
    return Section(TITLE, TEXT.format(code=CODE), [*starts, *builds], [*start_tables, build_table, sizes, versions])


def _described(wheel: Path) -> list[str]:
    name, version = wheel.name.split("-")[:2]
    return [f"{name} {version}", f"{wheel.stat().st_size / 1e6:.1f}"]


def _home(bench: Bench) -> Path:
    """Return a directory apart: in the channel of the other families, all their archives would be built again."""
    return bench.home / NAME


def _channel(bench: Bench) -> Path:
    """Make packages of the wheels, and return their channel."""
    made = wheel_channel.build(_home(bench), NAME)
    channel = _home(bench) / "channel"
    groups = [package.file.parent.parent for package in made]
    assemble(channel, [*groups, bench.layout.built / "python_package", bench.layout.built / "zstd_package"])
    return channel


def _files(bench: Bench) -> dict[str, Path]:
    return {OWN: bench.place / "torch.coex", VENV: bench.place / "torch.venv.pex", PLAIN: bench.place / "torch.pex"}


def _builds(bench: Bench, channel: Path, wheels: Path) -> tuple[list[Outcome], Table]:
    """Build the archives to start, which fills the caches; then measure builds with and without these caches."""
    kept, empty = bench.place / "pex-kept", bench.place / "pex-empty"
    files = _files(bench)

    def own(output: Path) -> Command:
        specs = [f"bench-{NAME}"]
        return archives.create_command(bench, NAME, output, entry="python", specs=specs, channel=channel)

    def pex(output: Path, root: Path, *options: str) -> Command:
        make = peers.zipapp_build(bench, "pex", wheels, output, *options)
        variables = {**(make.environment or {}), "PEX_ROOT": str(root), "TMPDIR": str(bench.place)}
        return replace(make, environment=variables)

    for make in (own(files[OWN]), pex(files[VENV], kept, "--venv"), pex(files[PLAIN], kept)):
        run_quietly(make.words, env=dict(make.environment or {}), cwd=make.directory)
    output = bench.place / "build"
    first = replace(own(output), name=f"{OWN}, first", prepare=lambda: clean_cache(bench))
    second = replace(own(output), name=f"{OWN}, second")
    pex_first = replace(pex(output, empty, "--venv"), name=f"{VENV}, first", outputs=(output, empty))
    pex_second = replace(pex(output, kept, "--venv"), name=f"{VENV}, second")
    runs = interleave([first, second, pex_first, pex_second], 1 if bench.quick else min(bench.rounds, 3))
    for path in (kept, empty, output):
        remove(path)
    outcomes = [
        processor_ratio(
            f"build of {NAME}, processor time / {VENV}", TARGET_BUILD, runs[first.name], runs[pex_first.name]
        ),
        ratio(f"build of {NAME} / {VENV}", None, runs[first.name], runs[pex_first.name]),
        processor_ratio(
            f"second build of {NAME}, processor time / {VENV}", None, runs[second.name], runs[pex_second.name]
        ),
        ratio(f"second build of {NAME} / {VENV}", None, runs[second.name], runs[pex_second.name]),
    ]
    return outcomes, time_table(f"Builds of {NAME}", runs, pex_first.name)


def _starts(bench: Bench) -> tuple[list[Outcome], list[Table]]:
    files, python = _files(bench), archives.newest_python()
    first = [archives.first_start(OWN, files[OWN], bench.place / "store", python, ("-c", CODE))]
    first += [replace(peers.zipapp_start(bench, "pex", files[name], CODE), name=name) for name in (VENV, PLAIN)]
    cold = interleave(first, bench.rounds)
    for command in first:  # a later start finds the files of this one
        measure(command)
    later = [replace(command, outputs=(), prepare=_nothing, check=_nothing) for command in first]
    warm = interleave(later, 2 * bench.rounds)
    for command in first:
        for output in command.outputs:
            remove(output)
    what = f"import and first use of {NAME}"
    outcomes = [
        ratio(f"{what}, first start / {VENV}", TARGET_START, cold[OWN], cold[VENV]),
        ratio(f"{what}, first start / {PLAIN}", None, cold[OWN], cold[PLAIN]),
        ratio(f"{what}, later start / {VENV}", None, warm[OWN], warm[VENV]),
        ratio(f"{what}, later start / {PLAIN}", None, warm[OWN], warm[PLAIN]),
    ]
    return outcomes, [time_table("First start", cold, VENV), time_table("Later start", warm, VENV)]


def _nothing() -> None:
    """Prepare nothing, check nothing."""
