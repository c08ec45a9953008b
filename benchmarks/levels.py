"""Measure compression levels: size, build and first start, from which the default is chosen."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from coex_bootstrap.format.archive import Archive
from testbed.stamps import digest

from benchmarks import archives
from benchmarks.build import first_build
from benchmarks.environments import make_environment
from benchmarks.runner import interleave, measure_undisturbed, run_quietly
from benchmarks.summary import Chart, Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

TEXT = """\
Sizes of archives built at each level, against the same packages as `.conda` files at level 19, as channels serve them:
once the whole archive, and once the frames of the packages alone, without the .pyc files of noarch packages, which
conda makes while it installs, and the bootstrap. An archive at a lower level is larger and its build shorter; the first
start hardly changes. Builds are from nothing compressed, one run each; if none is given, existing frames were used."""
HIGHEST = 19
QUICK = ("small",)  # environments whose highest level does not take long
LEVELS = {"small": (3, 9, 19), "pandas": (3, 9), "big": (3, 9)}


def measure(bench: Bench, *, highest: bool = False) -> Section:
    """Measure the levels of every environment; level 19 of a large one only if ``highest``."""
    outcomes: list[Outcome] = []
    tables: list[Table] = []
    charts: list[Chart] = []
    for name in reversed(bench.environments):  # the largest first: its kept frames of the highest level are used
        levels = (*LEVELS[name], HIGHEST) if highest and HIGHEST not in LEVELS[name] else LEVELS[name]
        more, table, chart = _environment(bench, name, levels)
        outcomes += more
        tables.append(table)
        charts.append(chart)
    return Section("Levels", TEXT, outcomes, tables, charts)


def _environment(bench: Bench, name: str, levels: tuple[int, ...]) -> tuple[list[Outcome], Table, Chart]:
    environment = make_environment(bench, name)
    reference = conda_files_size(bench, environment.tree) if HIGHEST in levels else None
    if reference is None:
        bench.note(f"sizes of {name} at level 19 were not measured: they take long (--highest)")
    files = {level: bench.place / f"level-{level}.coex" for level in levels}
    builds = {}
    for level in reversed(levels):  # the highest first: kept frames of an earlier run are used, not measured
        make = archives.create_command(bench, name, files[level], level=level)
        if level == HIGHEST and name not in QUICK:
            run_quietly(make.words, env=dict(make.environment or {}), cwd=make.directory)
        else:
            builds[level] = measure_undisturbed(first_build(bench, make)).wall
    store, python = bench.place / "store", archives.newest_python()
    starts = interleave(
        [archives.first_start(f"level {level}", files[level], store, python) for level in levels], bench.rounds
    )
    rows, outcomes, sizes = [], [], {level: files[level].stat().st_size for level in levels}
    for level in levels:
        packages = packages_size(files[level])
        against = [""] * 2 if reference is None else [f"{size / reference:.3f}" for size in (sizes[level], packages)]
        start = Spread.of([run.wall for run in starts[f"level {level}"]])
        build = f"{builds[level]:.1f}" if level in builds else ""
        rows.append([str(level), f"{sizes[level] / 1e6:.1f}", *against, build, start.text()])
        for what, size in (("size", sizes[level]), ("size of the packages", packages)):
            if reference is not None:
                value = Spread(*[size / reference] * 3)
                target = 1.0 if level == HIGHEST else None
                outcomes.append(Outcome(f"{what} of {name} at level {level} / .conda files", target, value, 1))
    for file in files.values():
        file.unlink()
    head = ["level", "size, MB", "/ .conda files at 19", "packages / .conda", "first build, s", "first start, s"]
    chart = Chart(
        f"levels-{name}", f"{name}: size against first build, by level", "lines", "MB",
        series={f"level {level}": [(spent, sizes[level] / 1e6)] for level, spent in builds.items()},
        across="first build, s",
    )  # fmt: skip
    return outcomes, Table(f"Levels of {name}", head, rows), chart


def packages_size(file: Path) -> int:
    """Return the bytes that an archive's frames of packages take."""
    archive = Archive(os.fsencode(file))
    try:
        return sum(package["compressed"] for package in archive.manifest.packages)
    finally:
        archive.close()


def conda_files_size(bench: Bench, tree: Path) -> int:
    """Return the bytes of an environment's packages as ``.conda`` files at level 19, measured once a package."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in (tree / "conda-meta").glob("*.json")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(lambda record: _conda_file_size(bench, record), records))


def _conda_file_size(bench: Bench, record: dict[str, str]) -> int:
    kept = bench.home / "level-19" / f"{digest(record['sha256'])[:24]}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        kept.write_text(str(_recompressed(bench.channel / record["subdir"] / record["fn"])), encoding="ascii")
    return int(kept.read_text(encoding="ascii"))


def _recompressed(file: Path) -> int:
    """Return the size of a ``.conda`` file with both its parts at level 19."""
    import zipfile

    import zstandard

    total = file.stat().st_size
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".tar.zst"):
                with archive.open(info) as stream:
                    content = zstandard.ZstdDecompressor().stream_reader(stream).read()
                total += len(zstandard.ZstdCompressor(level=19).compress(content)) - info.compress_size
    return total
