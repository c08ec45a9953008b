"""Measure the memory of `conda coex pack`, for environments of files that name their prefix."""

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
Environments of one package with 0.3 GB of files that conda has relocated: one text, one binary, or many binaries of
several sizes. To prove that they are the package's own, `pack` replaces the path of the environment by the placeholder
of each. The last text is not of a package, and has two names of the environment in it. Anonymous memory is sampled as
for a first start. Pages of files that a process has mapped are not in it: the system takes them back when it needs
memory."""
TARGET = 200.0
LARGE = 300_000_000  # bytes
PLACEHOLDER = "/opt/conda/conda-bld/relocated_1700000000000/_h_env" + "_placehold" * 20
MANY = [8_000_000] * 20 + [3_000_000] * 40 + [200_000] * 100  # bytes
KINDS = {"many binaries": MANY, "a binary": [LARGE], "a text": [LARGE], "a text with two names": [LARGE]}
EVERY = 50_000  # bytes of a file for each string with a path


def measure(bench: Bench) -> Section:
    """Measure the peak of packing each kind of environment."""
    (bench.home / "app").mkdir(parents=True, exist_ok=True)
    (bench.home / "app" / "start.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    outcomes, rows = [], []
    for kind in KINDS:
        prefix, output = bench.place / "relocated", bench.place / "relocated.coex"
        remove(prefix)
        make_prefix(prefix, bench.channel.as_uri(), kind)
        words = [str(bench.layout.conda), "coex", "pack", "--quiet", "--from-prefix", str(prefix)]
        words += ["--entrypoint", "./start.sh", "--compression-level", "1", "-o", str(output)]
        command = Command("conda coex pack", words, bench.conda_environment(), bench.home / "app", outputs=(output,))
        peaks = [peak_of(command) for _ in range(bench.rounds)]
        anonymous = Spread.of([peak["Anonymous"] / 1024 for peak in peaks])
        remove(prefix)
        title = f"anonymous memory of packing 0.3 GB of relocated files, {kind}"
        outcomes.append(Outcome(title, TARGET, anonymous, len(peaks), unit=" MiB"))
        rows.append([kind, anonymous.text(0), str(len(peaks))])
    table = Table("Peak memory of a pack, two workers", ["", "anonymous, MiB", "runs"], rows)
    return Section("Memory of pack", TEXT, outcomes, [table])


def make_prefix(prefix: Path, channel: str, kind: str) -> None:
    """Make an environment as conda leaves it, with one package of relocated files."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").write_text("", encoding="utf-8")
    (prefix / "lib").mkdir()
    names = _names(prefix) if kind == "a text with two names" else [str(prefix)]
    mode = "text" if "text" in kind else "binary"
    sizes = KINDS[kind]
    rows = [_file(prefix, f"lib/part{number}", number, size, mode, names) for number, size in enumerate(sizes)]
    if len(names) > 1:  # it is not of a package
        rows = [_file(prefix, "lib/small", 0, EVERY, mode, names[:1])]
    subdir = native_subdir()
    record = {
        "name": "relocated", "version": "1", "build": "0", "build_number": 0, "subdir": subdir, "depends": [],
        "channel": f"{channel}/{subdir}", "url": f"{channel}/{subdir}/relocated-1-0.conda", "fn": "relocated-1-0.conda",
        "files": [row["_path"] for row in rows], "paths_data": {"paths_version": 1, "paths": rows},
    }  # fmt: skip
    (prefix / "conda-meta" / "relocated-1-0.json").write_text(json.dumps(record), encoding="utf-8")


def _names(prefix: Path) -> list[str]:
    """Return two names of the prefix; conda's history has the second."""
    link = prefix.with_name("relocated-link")
    link.unlink(missing_ok=True)
    link.symlink_to(prefix)
    (prefix / "conda-meta" / "history").write_text(f"# cmd: conda create -p {link}\n", encoding="utf-8")
    return [str(prefix), str(link)]


def _file(prefix: Path, path: str, seed: int, size: int, mode: str, names: list[str]) -> dict[str, object]:
    """Write one file as conda relocates it, with the names of the prefix in turn, and return its row."""
    drawn = random.Random(seed)  # noqa: S311 - the same in every run
    old, original, live, length = PLACEHOLDER.encode(), hashlib.sha256(), hashlib.sha256(), 0
    with (prefix / path).open("wb") as stream:
        for number in range(max(1, size // EVERY)):
            noise = drawn.randbytes((EVERY - len(old)) // 2).hex().encode() + b"\n"
            tail = f"/lib/{number}\n".encode() + (b"\0" if mode == "binary" else b"")
            new = names[number % len(names)].encode()
            padding = b"\0" * (len(old) - len(new)) if mode == "binary" else b""
            original.update(noise + old + tail)
            length += len(noise + old + tail)
            live.update(noise + new + tail + padding)
            stream.write(noise + new + tail + padding)
    return {
        "_path": path, "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": mode,
        "sha256": original.hexdigest(), "sha256_in_prefix": live.hexdigest(), "size_in_bytes": length,
    }  # fmt: skip
