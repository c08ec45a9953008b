"""An environment before it is fetched: its records, and what it has beside packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Wanted:
    """What to solve for: merged from files and specs, most important channel first."""

    specs: tuple[str, ...]
    channels: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Environment:
    """Records in link order, with what an environment has beside packages."""

    platform: str
    records: tuple[Any, ...]  # conda's PackageRecord
    specs: tuple[str, ...]
    channels: tuple[str, ...]
    variables: dict[str, str]
    foreign: tuple[str, ...] = ()  # packages of other installers, which have no conda package
