"""An environment before it is fetched: its records, pip packages and variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coex_bootstrap.base.urls import without_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .conda_record import CondaRecord


@dataclass(frozen=True)
class PipSection:
    """Lines of a requirements file for pip, with the directory that paths in them are relative to."""

    directory: str
    lines: tuple[str, ...]
    pinned: bool = False  # from a lock, which has their dependencies too
    file: str | None = None  # that they are in

    @property
    def shown(self) -> list[str]:
        """The lines without credentials."""
        return [without_credentials(line) for line in self.lines]


@dataclass(frozen=True)
class MergedInputs:
    """The inputs of a solve, merged from files and specs. The most important channel comes first."""

    specs: tuple[str, ...]
    channels: tuple[str, ...]
    variables: dict[str, str | None] = field(default_factory=dict)  # None: to be unset
    pip: tuple[PipSection, ...] = ()
    pinned: tuple[CondaRecord, ...] = ()  # records that need no solve
    notes: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()  # specs that the user did not write, taken if the channels have them


@dataclass(frozen=True)
class DryRun:
    """The plan of a dry run: conda's actions {LINK: records, PIP: lines, ...}, and the lines for a person.

    If the plan is not known, `message` has the reason.
    """

    actions: dict[str, object] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    message: str | None = None


def plan_of(records: Sequence[CondaRecord], pip: Sequence[str] = ()) -> DryRun:
    """Return the plan for records that need no solve, and lines for pip."""
    actions: dict[str, object] = {"LINK": list(records), **({"PIP": list(pip)} if pip else {})}
    return DryRun(actions, (*(record.dist_str() for record in records), *(f"pip: {line}" for line in pip)))


@dataclass(frozen=True)
class Environment:
    """Records in link order, with the other parts of an environment."""

    platform: str
    records: tuple[CondaRecord, ...]
    specs: tuple[str, ...]
    channels: tuple[str, ...]
    variables: dict[str, str | None]
    foreign: tuple[str, ...] = ()  # packages of other installers, which have no conda package
    pip: tuple[PipSection, ...] = ()
    notes: tuple[str, ...] = ()  # for the user
    solved: bool = False  # from channels, which the user can add to
