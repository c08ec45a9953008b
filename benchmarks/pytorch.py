"""Measure an environment of the size of PyTorch beside pex: build, first start with a first use, later start."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.channel import assemble

from benchmarks import archives, peers, wheel_channel
from benchmarks.build import clean_cache
from benchmarks.environments import walk
from benchmarks.runner import Command, interleave, measure, remove, run_quietly
from benchmarks.summary import Outcome, Section, Table, processor_ratio, ratio, time_table

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

TITLE = "PyTorch"
TEXT = """\
The build of PyTorch that runs on processors alone, with numpy and all that they need. Both ways ship the same wheels:
pex ships them as they are; ours ships conda packages that are made of them, as for the other environments, and Python.
In "`pip:`" the wheels are in the `pip:` section of an environment file: our build runs pip, and compiles all modules.
pex runs on the Python of this machine with its own defaults, by which its file has no compiled module. The program is
`{code}`.
A first start begins with one file and an empty cache; a later start finds unpacked files, and compiled modules. At a
first build, ours has nothing compressed, and pex has an empty cache; a download is part of neither. At a second build,
both have all that the first one kept."""
LEFT_OUT = "Nothing was measured. The end of this page has the reason."
CODE = "import torch; torch.ones(512, 512) @ torch.ones(512, 512)"
NAME = "torch"
ROOM = 5 << 30  # bytes of all archives and unpacked files that are there at one time
TARGET_START, TARGET_BUILD = 0.25, 1.2
OWN, VENV, PLAIN = "conda-coex", "pex --venv", "pex"


def measure_torch(bench: Bench) -> Section:
    """Measure builds and starts, if the wheels can be had."""
    if shutil.disk_usage(bench.place).free < ROOM:
        bench.note(f"{NAME} is left out: the measured file system has less than {ROOM >> 30} GiB")
        return Section(TITLE, LEFT_OUT)
    channel = peers.available(bench, NAME, lambda: _channel(bench))
    if not channel:
        bench.note(f"{NAME} needs an index of pip with builds of PyTorch for processors alone (`PIP_EXTRA_INDEX_URL`)")
        return Section(TITLE, LEFT_OUT)
    wheels = _home(bench) / "wheels" / NAME
    builds, build_table = _builds(bench, channel[0], wheels)
    starts, start_tables = _starts(bench)
    versions = Table("The wheels", ["wheel", "MB"], [_described(wheel) for wheel in sorted(wheels.glob("*.whl"))])
    return Section(TITLE, TEXT.format(code=CODE), [*starts, *builds], [*start_tables, build_table, versions])


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
    groups += sorted((bench.home / "built").glob("pip-*"))  # of the small environment
    assemble(channel, [*groups, bench.layout.built / "python_package", bench.layout.built / "zstd_package"])
    return channel


def _files(bench: Bench) -> dict[str, Path]:
    return {OWN: bench.place / "torch.coex", VENV: bench.place / "torch.venv.pex", PLAIN: bench.place / "torch.pex"}


def _builds(bench: Bench, channel: Path, wheels: Path) -> tuple[list[Outcome], Table]:
    """Build the archives to start, which fills the caches; then measure builds with and without these caches."""
    kept, empty, files = bench.place / "pex-kept", bench.place / "pex-empty", _files(bench)
    venv = _pex(bench, wheels, files[VENV], kept, "--venv")
    for make in (_own(bench, channel, files[OWN]), venv, _pex(bench, wheels, files[PLAIN], kept)):
        _run(make)
    output = bench.place / "build"
    own, pex = _own(bench, channel, output), _pex(bench, wheels, output, empty, "--venv")
    commands = [
        *_first_and_second(bench, own, OWN),
        replace(pex, name=f"{VENV}, first", outputs=(output, empty)),
        replace(_pex(bench, wheels, output, kept, "--venv"), name=f"{VENV}, second"),
        *_first_and_second(bench, _by_pip(bench, own, wheels), f"{OWN}, `pip:`"),
    ]
    first, second, pex_first, pex_second, by_pip, second_by_pip = (command.name for command in commands)
    runs = interleave(commands, 1 if bench.quick else min(bench.rounds, 3))
    for path in (kept, empty):
        remove(path)
    outcomes: list[Outcome] = []
    for what, target, ours, other in (
        ("build", TARGET_BUILD, first, pex_first),
        ("build with `pip:`", TARGET_BUILD, by_pip, pex_first),
        ("second build", None, second, pex_second),
        ("second build with `pip:`", None, second_by_pip, pex_second),
    ):
        measured = f"{what} of {NAME}"
        outcomes.append(processor_ratio(f"{measured}, processor time / {VENV}", target, runs[ours], runs[other]))
        outcomes.append(ratio(f"{measured} / {VENV}", None, runs[ours], runs[other]))
    return outcomes, time_table(f"Builds of {NAME}", runs, pex_first)


def _first_and_second(bench: Bench, build: Command, name: str) -> list[Command]:
    """Return a build without kept frames, and one that follows another: other commands may have removed frames."""
    first = replace(build, name=f"{name}, first", prepare=lambda: clean_cache(bench))
    return [first, replace(build, name=f"{name}, second", prepare=lambda: _run(build))]


def _run(command: Command) -> None:
    run_quietly(command.words, env=dict(command.environment or {}), cwd=command.directory)


def _own(bench: Bench, channel: Path, output: Path) -> Command:
    specs = [f"bench-{NAME}"]
    return archives.create_command(bench, NAME, output, entry="python", specs=specs, channel=channel)


def _by_pip(bench: Bench, own: Command, wheels: Path) -> Command:
    """Return a build whose environment file has the wheels in its `pip:` section."""
    file = bench.place / "environment.yml"
    lines = ["dependencies:", "- python", "- pip", "- pip:", *(f"  - {name}" for name in wheel_channel.TORCH)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    place = own.words.index("--package")
    words = [*own.words[:place], "--file", str(file), *own.words[place + 2 :]]
    variables = {**(own.environment or {}), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return replace(own, words=words, environment=variables)


def _pex(bench: Bench, wheels: Path, output: Path, root: Path, *options: str) -> Command:
    make = peers.zipapp_build(bench, "pex", wheels, output, *options)
    variables = {**(make.environment or {}), "PEX_ROOT": str(root), "TMPDIR": str(bench.place)}
    return replace(make, environment=variables)


def _starts(bench: Bench) -> tuple[list[Outcome], list[Table]]:
    files, python = _files(bench), archives.newest_python()
    first = [archives.first_start(OWN, files[OWN], bench.place / "store", python, ("-c", CODE))]
    first += [replace(peers.zipapp_start(bench, "pex", files[name], CODE), name=name) for name in (VENV, PLAIN)]
    cold = interleave(first, bench.rounds)
    for command in first:  # a later start finds the files of this one
        measure(command)
    later = [replace(command, outputs=(), prepare=_nothing, check=_nothing) for command in first]
    warm = interleave(later, 2 * bench.rounds)
    sizes = [[command.name, *_sizes(files[command.name], command.outputs[0])] for command in first]
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
    unpacked = Table("Sizes", ["", "file, MB", "unpacked files", "unpacked, MB"], sizes)
    return outcomes, [time_table("First start", cold, VENV), time_table("Later start", warm, VENV), unpacked]


def _sizes(file: Path, unpacked: Path) -> list[str]:
    sizes = [os.lstat(path).st_size for path in walk(unpacked)]
    return [f"{file.stat().st_size / 1e6:.1f}", f"{len(sizes)}", f"{sum(sizes) / 1e6:.0f}"]


def _nothing() -> None:
    """Prepare nothing, check nothing."""
