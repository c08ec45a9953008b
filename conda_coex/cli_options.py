"""Options that several verbs have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

DEFAULT_LEVEL = 9
FAST_LEVEL = 3


def add_level(parser: ArgumentParser) -> None:
    """Add how hard zstd tries."""
    level = parser.add_mutually_exclusive_group()
    level.add_argument(
        "--compression-level", type=int, default=DEFAULT_LEVEL, metavar="N",
        help=f"of zstd, 1 to 19: smaller files take longer to build, not to start (default: {DEFAULT_LEVEL})",
    )  # fmt: skip
    level.add_argument(
        "--fast", action="store_const", const=FAST_LEVEL, dest="compression_level",
        help=f"build quickly, while developing: --compression-level {FAST_LEVEL}",
    )  # fmt: skip
