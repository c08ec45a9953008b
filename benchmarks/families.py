"""Name the families of measures, in the order in which a reader wants them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks import (
    alternatives,
    build,
    first_start,
    growth,
    import_time,
    least_start,
    levels,
    memory,
    pack_memory,
    pytorch,
    shares,
    stages,
    warm_start,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bench import Bench
    from benchmarks.summary import Section

NAMES = (
    "warm-start", "first-start", "alternatives", "least-start", "stages", "memory", "pack-memory", "build", "levels",
    "torch", "plugin", "growth", "shares",
)  # fmt: skip


def families(*, highest: bool = False) -> dict[str, Callable[[Bench], Section]]:
    """Return the function that measures each family; ``highest`` includes level 19 of large environments."""
    functions = (
        warm_start.measure, first_start.measure, alternatives.measure_ways, least_start.measure, stages.measure,
        memory.measure, pack_memory.measure, build.measure,
        partial(levels.measure, highest=highest), pytorch.measure_torch, import_time.measure, growth.measure,
        shares.measure,
    )  # fmt: skip
    return dict(zip(NAMES, functions, strict=True))
