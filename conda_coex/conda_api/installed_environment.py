"""Read an existing environment: its records, specs, channels and variables."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..inputs.environment import DryRun, Environment, plan_of
from . import versions
from .installed_records import NOT_ARCHIVED, damaged, other_distributions, read_records
from .paths_json import json_value
from .public_urls import public_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..inputs.conda_record import CondaRecord
    from .installed_records import InstalledRecord


def read_installed(
    prefix: str, installed: Mapping[str, InstalledRecord] | None = None, *, pip: bool = True
) -> Environment | DryRun:
    """Return the environment at a prefix, its records in an order that respects dependencies; in a dry run the plan.

    `installed` are its records, if they were read before. With `pip`, `foreign` names the packages of other installers.
    Raises InputError, PackageDamaged, and conda's EnvironmentLocationNotFound.
    """
    from conda.base.context import context
    from conda.exceptions import EnvironmentLocationNotFound

    if installed is None:
        installed = read_records(Path(prefix))
    records = [record for record in _conda_records(Path(prefix), installed) if _is_conda(record)]
    if not records and not Path(prefix, "conda-meta", "history").is_file():  # other installers do not write it
        raise EnvironmentLocationNotFound(prefix)
    if not records:
        raise InputError("the environment has no conda packages", os.fsencode(prefix))
    if context.dry_run:
        return plan_of(records)
    specs = versions.requested_specs(prefix, {record.name for record in records})
    platform = next((record.subdir for record in records if record.subdir != "noarch"), str(context.subdir))
    return Environment(
        platform=platform,
        records=versions.link_order(records),
        specs=tuple(sorted(map(public_spec, specs))),
        channels=tuple(dict.fromkeys(filter(None, map(_channel, records)))),
        variables=_read_state(Path(prefix, "conda-meta", "state")),
        foreign=tuple(other_distributions(Path(prefix), installed.values())) if pip else (),
    )


def _conda_records(prefix: Path, installed: Mapping[str, InstalledRecord]) -> list[CondaRecord]:
    """Return conda's objects for records, of a package with several the last one; raises PackageDamaged."""
    records = {}
    for dist, record in installed.items():
        fields = {name: value for name, value in record.fields.items() if name not in NOT_ARCHIVED}
        try:
            records[record.fields["name"]] = versions.prefix_record(fields)
        except (ValueError, TypeError) as error:
            raise damaged(prefix / f"conda-meta/{dist}.json", error) from error
    return list(records.values())


def _channel(record: CondaRecord) -> str | None:
    from conda.base.constants import UNKNOWN_CHANNEL

    name = record.channel.base_url or record.channel.canonical_name
    return None if name == UNKNOWN_CHANNEL else str(name)


def _read_state(path: Path) -> dict[str, str | None]:
    """Return the variables of an environment; those that were unset are included, which `PrefixData` leaves out.

    conda writes a mark as the value of such a variable, and then ignores the value that a package sets.
    """
    try:
        document: object = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        variables = document.get("env_vars", {}) if isinstance(document, dict) else None
        if not isinstance(variables, dict):
            raise ValueError("there is no mapping env_vars")
    except ValueError as error:
        raise InputError("the environment's variables cannot be read", os.fsencode(path)) from error
    return {str(name): None if value is None else str(value) for name, value in variables.items()}


def _is_conda(record: CondaRecord) -> bool:
    kind = record.package_type
    return kind is None or str(json_value(kind)) in ("noarch_generic", "noarch_python")
