"""Build the environment as an executable of conda-ship, which needs a lock file of pixi."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.runner import run_quietly

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.environments import Environment

MANIFEST = """\
[workspace]
name = "demo"
channels = ["{channel}"]
platforms = ["linux-64"]

[dependencies]
python = "*"

[tool.conda-ship]
runtime-name = "demo"
runtime-version = "1"
delegate-executable = "python"
artifact-layout = "embedded"
source-environment = "default"
"""


def build(bench: Bench, environment: Environment) -> Path:
    """Return an executable with the packages of an environment, whose command is `python`."""
    project = bench.place / f"{environment.name}-conda-ship"
    file = project / "dist" / "demo"
    if not file.exists():
        project.mkdir(exist_ok=True)
        channel = bench.channel.as_uri()
        records = [json.loads(path.read_bytes()) for path in sorted((environment.tree / "conda-meta").glob("*.json"))]
        (project / "pixi.toml").write_text(MANIFEST.format(channel=channel), encoding="utf-8")
        (project / "pixi.lock").write_text("\n".join(_lock(channel, records)) + "\n", encoding="utf-8")
        run_quietly([str(peers.install(bench) / "cs"), "build"], cwd=project, env=bench.conda_environment())
    return file


def _lock(channel: str, records: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield the lines of a pixi.lock, version 6."""
    yield from ("version: 6", "environments:", "  default:", "    channels:", f"    - url: {channel}/")
    yield from ("    packages:", "      linux-64:")
    yield from (f"      - conda: {record['url']}" for record in records)
    yield "packages:"
    for record in records:
        yield f"- conda: {record['url']}"
        for field in ("sha256", "md5", "size", "subdir", "noarch", "depends"):
            if record.get(field) is not None:
                yield f"  {field}: {json.dumps(record[field])}"
