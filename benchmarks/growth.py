"""Measure growth: time and memory of build and first start over the number of files, and over bytes."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.channel import assemble
from testbed.stamps import digest, is_fresh
from testbed.wheel_package import finish
from testbed.workshop import Workshop

from benchmarks import archives
from benchmarks.build import first_build
from benchmarks.memory import peak_of
from benchmarks.runner import measure_undisturbed, remove
from benchmarks.summary import Chart, Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.runner import Run

TEXT = """\
Synthetic packages of 10,000 files (a third text, median 2 KiB) for the number of files; app files of which half
does not compress for bytes, at level 1. One run each, repeated where disturbed. "Bent" is the slope of the last step
over the slope of all steps before it, in processor time: 1 is a straight line. Wall time bends as soon as memory cannot
hold the files, the archive and the root at once: the system then reads files from the disk, and has to find memory."""
BENT = 1.3  # the last step may rise this many times as steeply as those before
PACKAGE = 10_000
FILES = {True: (1_000, 5_000, 20_000), False: (1_000, 5_000, 20_000, 60_000, 200_000)}
MEBIBYTES = {True: (64, 256, 1024), False: (64, 256, 1024, 4096, 8192)}


def measure(bench: Bench) -> Section:
    """Measure both kinds of growth."""
    outcomes: list[Outcome] = []
    tables: list[Table] = []
    charts: list[Chart] = []
    for kind, unit, measured in (
        ("files", "1,000 files", _files(bench)),
        ("bytes", "GiB", _bytes(bench)),
    ):
        rows = []
        for size, build, start, peak in measured:
            per_unit = [f"{build.wall / size:.3f}", f"{start.wall / size:.3f}"]
            memory = [f"{build.peak / 1024:.0f}", f"{peak / 1024:.0f}"]
            rows.append([f"{size:g}", f"{build.wall:.2f}", f"{start.wall:.2f}", *per_unit, *memory])
        memory_head = ["build, MiB", "first start, MiB"]
        head = [unit, "build, s", "first start, s", "build / unit", "first start / unit", *memory_head]
        tables.append(Table(f"Growth over {kind}", head, rows))
        series = {
            "build": [(size, build.wall) for size, build, _, _ in measured],
            "first start": [(size, start.wall) for size, _, start, _ in measured],
        }
        charts.append(Chart(f"growth-{kind}", f"Growth over {kind}", "lines", "s", series=series, across=unit))
        memory_series = {
            "build, largest process": [(size, build.peak / 1024) for size, build, _, _ in measured],
            "first start, all processes": [(size, peak / 1024) for size, _, _, peak in measured],
        }
        title = f"Memory over {kind}"
        charts.append(Chart(f"growth-{kind}-memory", title, "lines", "MiB", series=memory_series, across=unit))
        outcomes.append(_bent(f"build over {kind}: bent", [(size, build.cpu) for size, build, _, _ in measured]))
        outcomes.append(_bent(f"first start over {kind}: bent", [(size, start.cpu) for size, _, start, _ in measured]))
    return Section("Growth", TEXT, outcomes, tables, charts)


def _bent(name: str, points: list[tuple[float, float]]) -> Outcome:
    if len(points) < 3:  # the measured file system was too small for more
        return Outcome(name, None, Spread(1.0, 1.0, 1.0), 0)
    (first, first_spent), (middle, middle_spent), (last, last_spent) = points[0], points[-2], points[-1]
    before = (middle_spent - first_spent) / (middle - first)
    value = (last_spent - middle_spent) / (last - middle) / before if before > 0 else 1.0
    return Outcome(name, BENT, Spread(value, value, value), 1)


def _files(bench: Bench) -> list[tuple[float, Run, Run, int]]:
    """Measure environments of many files, in units of a thousand."""
    counts = FILES[bench.quick]
    wanted = {f"growth-{count}": count for count in counts if count < PACKAGE}
    wanted |= {f"growth-{PACKAGE}-{number}": PACKAGE for number in range(max(counts) // PACKAGE)}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_package, [bench] * len(wanted), wanted, wanted.values()))
    groups = [bench.home / "growth" / name for name in wanted]
    assemble(_channel(bench), [*groups, bench.layout.built / "python_package", bench.layout.built / "zstd_package"])
    measured = []
    for count in counts:
        whole = [f"growth-{PACKAGE}-{number}" for number in range(count // PACKAGE)]
        specs = whole or [f"growth-{count}"]
        measured.append((count / 1000, *_build_and_start(bench, specs, [], bench.place / "app", 9)))
    return measured


def _channel(bench: Bench) -> Path:
    """Return the channel of synthetic packages; in one of their own they change nothing for the others."""
    return bench.home / "growth-channel"


def _bytes(bench: Bench) -> list[tuple[float, Run, Run, int]]:
    """Measure applications of many bytes, in GiB, as far as the measured file system has room."""
    measured = []
    for size in MEBIBYTES[bench.quick]:
        if shutil.disk_usage(bench.place).free < (size << 20) * 2.2:
            bench.note(f"growth over bytes ends before {size} MiB: the measured file system is too small")
            break
        directory = bench.home / "bytes"
        remove(directory)
        directory.mkdir(parents=True)
        for number in range(max(1, size // 512)):
            _write_half_random(directory / f"data-{number}", min(size, 512))
        apps = [path.name for path in sorted(directory.glob("data-*"))]
        measured.append((size / 1024, *_build_and_start(bench, ["zstd"], apps, directory, 1)))
        remove(directory)
    return measured


def _build_and_start(
    bench: Bench, specs: list[str], app: list[str], directory: Path, level: int
) -> tuple[Run, Run, int]:
    output, store = bench.place / "growth.coex", bench.place / "store"
    print(f"bench:   growth: {len(specs)} packages, {len(app)} app files", file=sys.stderr)
    channel = _channel(bench)
    make = archives.create_command(
        bench, "small", output, level=level, more=app, specs=specs, directory=directory, channel=channel
    )
    measure_undisturbed(make)  # conda extracts new packages
    build = measure_undisturbed(first_build(bench, make))
    start_command = archives.first_start("growth", output, store, archives.newest_python())
    start = measure_undisturbed(start_command)
    peak = peak_of(start_command)["Private"]
    for path in (output, store):
        remove(path)
    return build, start, peak


def _package(bench: Bench, name: str, count: int) -> None:
    """Make a package of many files, some text and some not, and put it where channels are made of."""
    directory = bench.home / "growth" / name
    if is_fresh(directory / "stamp", digest(name, str(count), "1")):
        return
    print(f"bench: package {name}", file=sys.stderr)
    shutil.rmtree(directory, ignore_errors=True)
    source = random.Random(name)  # noqa: S311 - the same every time, which is wanted
    words = [source.randbytes(source.randint(2, 9)).hex().encode() for _ in range(400)]
    with tempfile.TemporaryDirectory(dir=bench.place) as scratch:
        package = Workshop(Path(scratch), bench.home).noarch(name)
        for number in range(count):
            size = min(200_000, int(source.lognormvariate(7.6, 1.2)))
            text = b" ".join(source.choices(words, k=size // 11 + 1))
            content = text if number % 3 else source.randbytes(size // 2) + text[: size // 2]
            package.data(f"share/{name}/{number // 500}/{number}.dat", content)
        finish(package, directory)
    (directory / "stamp").write_text(digest(name, str(count), "1"), encoding="utf-8")


def _write_half_random(file: Path, mebibytes: int) -> None:
    """Write a file in which every other half MiB does not compress."""
    with file.open("wb") as stream:
        for _ in range(mebibytes):
            stream.write(os.urandom(1 << 19))
            stream.write(b"the same words again and again, " * (1 << 14))
