"""Measure the memory of `conda coex pack`, for an environment of files that get their placeholders back."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING

from testbed.layout import native_subdir

from benchmarks.memory import peak_of
from benchmarks.runner import Command, remove
from benchmarks.summary import Outcome, Section, Spread, Table

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

TEXT = """\
An environment of one package with 0.3 GB of binaries that conda has relocated, in files of several sizes. To prove
that they are the package's own, `pack` replaces the path of the environment by the placeholder of each. Private memory
is not shared with other processes. It is sampled as for a first start."""
TARGET = 200.0
PLACEHOLDER = "/opt/conda/conda-bld/relocated_1700000000000/_h_env" + "_placehold" * 20
SIZES = [8_000_000] * 20 + [3_000_000] * 40 + [200_000] * 100  # bytes
EVERY = 50_000  # bytes of a file for each string with a path


def measure(bench: Bench) -> Section:
    """Measure the peak of packing."""
    prefix, output = bench.place / "relocated", bench.place / "relocated.coex"
    remove(prefix)
    make_prefix(prefix, bench.channel.as_uri())
    (bench.home / "app").mkdir(parents=True, exist_ok=True)
    (bench.home / "app" / "start.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    words = [str(bench.layout.conda), "coex", "pack", "--quiet", "--from-prefix", str(prefix)]
    words += ["--entrypoint", "./start.sh", "--compression-level", "1", "-o", str(output)]
    command = Command("conda coex pack", words, bench.conda_environment(), bench.home / "app", outputs=(output,))
    peaks = [peak_of(command) for _ in range(bench.rounds)]
    private = Spread.of([peak["Private"] / 1024 for peak in peaks])
    remove(prefix)
    title = "private memory of packing 0.3 GB of relocated files"
    rows = [["relocated", private.text(0), str(len(peaks))]]
    table = Table("Peak memory of a pack, two workers", ["", "private, MiB", "runs"], rows)
    return Section("Memory of pack", TEXT, [Outcome(title, TARGET, private, len(peaks), unit=" MiB")], [table])


def make_prefix(prefix: Path, channel: str) -> None:
    """Make an environment as conda leaves it, with one package of relocated binaries."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").write_text("", encoding="utf-8")
    (prefix / "lib").mkdir()
    rows = [_file(prefix, f"lib/part{number}.bin", number, size) for number, size in enumerate(SIZES)]
    subdir = native_subdir()
    record = {
        "name": "relocated", "version": "1", "build": "0", "build_number": 0, "subdir": subdir, "depends": [],
        "channel": f"{channel}/{subdir}", "url": f"{channel}/{subdir}/relocated-1-0.conda", "fn": "relocated-1-0.conda",
        "files": [row["_path"] for row in rows], "paths_data": {"paths_version": 1, "paths": rows},
    }  # fmt: skip
    (prefix / "conda-meta" / "relocated-1-0.json").write_text(json.dumps(record), encoding="utf-8")


def _file(prefix: Path, path: str, seed: int, size: int) -> dict[str, object]:
    """Write one file as conda relocates it, and return its row."""
    drawn = random.Random(seed)  # noqa: S311 - the same in every run
    old, new = PLACEHOLDER.encode(), str(prefix).encode()
    original, live = [], []
    for number in range(max(1, size // EVERY)):
        noise = drawn.randbytes(EVERY - len(old) - 20).replace(b"\0", b"1") + b"\0"
        tail = f"/lib/{number}".encode()
        original += [noise, old + tail + b"\0"]
        live += [noise, new + tail + b"\0" * (1 + len(old) - len(new))]
    (prefix / path).write_bytes(b"".join(live))
    return {
        "_path": path, "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "binary",
        "sha256": hashlib.sha256(b"".join(original)).hexdigest(),
        "sha256_in_prefix": hashlib.sha256(b"".join(live)).hexdigest(), "size_in_bytes": sum(map(len, original)),
    }  # fmt: skip
