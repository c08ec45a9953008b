"""Name the changes that pip makes in an environment; builds without pip load no more than this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..root.content import Content, Link
    from .metadata import Distribution

OWNER = "pip packages"


@dataclass
class Installed:
    """The changes of pip in an environment; paths are those of the root."""

    items: list[Content | Link] = field(default_factory=list)
    sources: list[Content] = field(default_factory=list)  # to be compiled
    removed: frozenset[str] = frozenset()  # files of conda packages that pip took away
    lock: list[Distribution] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    program: Path | None = None  # the Python that pip ran by, in the staging environment
