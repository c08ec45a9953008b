"""The outcomes of verbs as values: a verb returns one of these and prints nothing; `print_outcome` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    from coex_bootstrap.format.manifest import EntryPoint
    from coex_bootstrap.tools.output import Outcome as Answer

    from ..inputs.environment import DryRun

    Outcome: TypeAlias = "Created | Repacked | ImageMade | DryRun | Answer"


@dataclass(frozen=True)
class Created:
    """A new archive; sizes are in bytes."""

    archive: Path
    platform: str
    digest: str
    size: int  # of the file
    unpacked: int  # of the contents of all files
    packages: int  # of conda
    pip_packages: int
    entry_point: EntryPoint  # the default one
    python: str | None  # the version of the Python that it carries
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Repacked:
    """A new archive around the packages of another; in a dry run without digest and size."""

    archive: Path
    platform: str
    entry_points: tuple[str, ...]  # by name, the default one first
    app_files: int
    python: str | None  # the version of the Python that it carries
    notes: tuple[str, ...]
    digest: str | None = None
    size: int | None = None  # bytes of the file


@dataclass(frozen=True)
class ImageMade:
    """A new container image."""

    output: Path
    name: str
    platform: str  # of containers
    digest: str  # of its manifest
    size: int  # bytes of all layers
    layers: tuple[tuple[str, int, str], ...]  # of the archive: (content, bytes, digest)
    notes: tuple[str, ...]
