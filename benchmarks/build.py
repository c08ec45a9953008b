"""Measure builds: the first, and one after only the application changed."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import archives, peers
from benchmarks.bench import LEVEL
from benchmarks.environments import SPECS, make_environment
from benchmarks.runner import Command, interleave, run_quietly
from benchmarks.summary import Outcome, Section, Table, excess, ratio, time_table
from conda_coex.archive.cache_entry import open_entry
from conda_coex.archive.frame_cache import DIRECTORY

if TYPE_CHECKING:
    from benchmarks.bench import Bench

TEXT = """\
The packages are in conda's cache, extracted. A first build has nothing compressed yet (`conda coex cache clean`
before it); it solves, verifies every file against its package's record, compiles noarch modules and compresses.
`tar | zstd -T0` compresses the same tree at the same level and does none of that. A rebuild has one file of the
application changed. In ".pyc known" only the frames of packages are missing, not the .pyc files of noarch packages,
which conda makes while it installs. Copying the archive twice is the least cost: to read and to write its bytes.
"conda alone" starts conda and solves the same environment, as the build does first (`conda create --dry-run`). repack
replaces one file of the application."""
TARGET_FIRST, TARGET_AGAIN, TARGET_OVER, TARGET_REPACK = 1.35, 0.08, 1.5, 2.0


def measure(bench: Bench) -> Section:
    """Measure builds of every environment."""
    outcomes: list[Outcome] = []
    tables: list[Table] = []
    for name in bench.environments:
        more, table = _environment(bench, name)
        outcomes += more
        tables.append(table)
    return Section("Build", TEXT, outcomes, tables)


def _environment(bench: Bench, name: str) -> tuple[list[Outcome], Table]:
    environment = make_environment(bench, name)
    output, packed, directory = bench.place / "build.coex", bench.place / "build.tar.zst", bench.place / "app"
    app = directory / "changed.txt"

    def change() -> None:
        app.write_text(f"{time.time_ns()}\n", encoding="utf-8")

    make = archives.create_command(bench, name, output, directory=directory, more=[app.name])
    change()
    again = replace(make, name="rebuild, app changed", prepare=change)
    first = replace(first_build(bench, make), name="first build")
    pipe = f"{peers.pack_pipe(environment.tree, LEVEL)} >{shlex.quote(str(packed))}"
    tar = Command(f"tar | zstd -T0 -{LEVEL}", ["sh", "-c", pipe], outputs=(packed,))
    source = archives.archive(bench, name)
    copies = [bench.place / "copy-1", bench.place / "copy-2"]
    script = " && ".join(f"cp {shlex.quote(str(source))} {shlex.quote(str(copy))}" for copy in copies)
    copy = Command("copying the archive twice", ["sh", "-c", script], outputs=copies)
    alone = _conda_alone(bench, name)
    repacked = bench.place / "repacked.coex"
    words = [str(bench.layout.conda), "coex", "repack", "--quiet", str(source), app.name, "--keep-app"]
    words += ["-o", str(repacked)]
    repack = replace(make, name="repack, app changed", words=words, outputs=(repacked,), prepare=change)
    run_quietly(make.words, env=dict(make.environment or {}), cwd=directory)
    known = replace(make, name="first build, .pyc known", prepare=lambda: forget_packages(bench))
    runs = interleave([first, known, tar, again, copy, alone, repack], min(bench.rounds, 3))
    main = name == bench.main_environment
    outcomes = [
        ratio(f"first build of {name}, .pyc known / {tar.name}", None, runs[known.name], runs[tar.name]),
        ratio(f"first build of {name} / {tar.name}", TARGET_FIRST if main else None, runs[first.name], runs[tar.name]),
        ratio(f"rebuild of {name} / first build", TARGET_AGAIN if main else None, runs[again.name], runs[first.name]),
        ratio(f"rebuild of {name} / copying the archive twice", None, runs[again.name], runs[copy.name]),
        excess(
            f"rebuild of {name}, over conda's start and solve", TARGET_OVER if main else None,
            runs[again.name], runs[alone.name],
        ),
        ratio(
            f"repack of {name} / copying the archive twice", TARGET_REPACK if main else None,
            runs[repack.name], runs[copy.name],
        ),
    ]  # fmt: skip
    return outcomes, time_table(f"Builds of {name}", runs, tar.name)


def _conda_alone(bench: Bench, name: str) -> Command:
    words = [str(bench.layout.conda), "create", "--dry-run", "--yes", "--quiet", "--override-channels"]
    words += ["-c", str(bench.channel), "-p", str(bench.place / "never-made"), SPECS[name]]
    return Command("conda alone", words, bench.conda_environment())


def first_build(bench: Bench, command: Command) -> Command:
    """Return a build as one that finds nothing compressed."""
    return replace(command, prepare=lambda: clean_cache(bench))


def forget_packages(bench: Bench) -> None:
    """Remove the compressed frames of all packages. Their .pyc files, compiled by the environment's Python, stay."""
    for path in (bench.home / "pkgs" / DIRECTORY).glob("*.frames"):
        entry = open_entry(path)
        if entry is not None:
            entry.close()
            if not entry.owner.endswith(" compiled"):
                path.unlink()


def clean_cache(bench: Bench) -> None:
    """Remove all compressed frames, as a user would."""
    run_quietly([str(bench.layout.conda), "coex", "cache", "clean", "--yes"], env=bench.conda_environment())

