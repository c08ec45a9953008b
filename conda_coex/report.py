"""Say what was created, to a person or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coex_bootstrap.format import Manifest

    from .environment import Environment
    from .plan import Link


def report(output: Path, manifest: Manifest, environment: Environment, links: Sequence[tuple[str, Link]]) -> None:
    """Print the outcome on stdout and what deserves attention on stderr."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    warnings = [
        f"{dist}: {link.path.removeprefix('prefix/')} is a link to {link.target} and stays one; "
        "what it leads to on the host is not in the archive"
        for dist, link in links
    ]
    warnings += [f"{name} was not installed by conda and is left out" for name in environment.foreign]
    size = output.stat().st_size
    if context.json:
        stdout_json_success(
            archive=str(output), digest=manifest.digest, size=size, platform=manifest.platform,
            packages=len(manifest.packages), entry_point=manifest.entry_points[0], warnings=warnings,
        )  # fmt: skip
        return
    for warning in warnings:
        print(f"coex: note: {warning}", file=sys.stderr)
    if not context.quiet:
        count = len(manifest.packages)
        unpacked = sum(package["unpacked"] for package in manifest.packages)
        print(
            f"{output}: {human(size)} for {manifest.platform}, {count} package{'s' * (count != 1)}, "
            f"{human(unpacked)} unpacked"
        )


def human(size: int) -> str:
    """Return a size as a person reads it, in decimal units."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield aligned lines; the last columns are numbers and stand to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    numeric = [name in ("compressed", "unpacked", "size") for name in head]
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [c.rjust(w) if right else c.ljust(w) for c, w, right in zip(row, widths, numeric, strict=True)]
        yield "  ".join(cells).rstrip()
