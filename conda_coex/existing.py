"""Read the records of an existing environment, as they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import conda_api
from .environment import Environment
from .errors import InputError
from .report import show_records


def read_existing(prefix: str, *, pip: bool = True) -> Environment:
    """Return the records of an existing environment, as they are, in an order that respects dependencies.

    What `pip` installed is named in `foreign`, where that is wanted.
    """
    from conda.base.context import context
    from conda.exceptions import DryRunExit, EnvironmentLocationNotFound
    from conda.history import History

    if not Path(prefix, "conda-meta", "history").is_file():
        raise EnvironmentLocationNotFound(prefix)
    mine, foreign = _records(prefix) if pip else (_condas(prefix), [])
    if not mine:
        raise InputError("the environment has no conda packages", os.fsencode(prefix))
    if context.dry_run:
        show_records(mine)
        raise DryRunExit
    specs = History(prefix).get_requested_specs_map().values()
    platform = next((record.subdir for record in mine if record.subdir != "noarch"), context.subdir)
    return Environment(
        platform=platform,
        records=conda_api.link_order(mine),
        specs=tuple(sorted(str(spec) for spec in specs)),
        channels=tuple(dict.fromkeys(record.channel.base_url or record.channel.canonical_name for record in mine)),
        variables=_read_state(Path(prefix, "conda-meta", "state")),
        foreign=tuple(sorted(foreign)),
    )


def _condas(prefix: str) -> list[Any]:
    return [record for record in conda_api.prefix_data(prefix, pip=False).iter_records() if _is_conda(record)]


def _records(prefix: str) -> tuple[list[Any], list[str]]:
    """Return conda's records, and the names of what others installed; conda 25.5 and newer fail on a wrong RECORD."""
    try:
        found = list(conda_api.prefix_data(prefix, pip=True).iter_records())
    except ValueError as error:
        return _condas(prefix), [f"what pip installed (conda cannot read its records: {error})"]
    foreign = [f"{record.name} {record.version}" for record in found if not _is_conda(record)]
    return [record for record in found if _is_conda(record)], foreign


def _read_state(path: Path) -> dict[str, str | None]:
    """Return the variables of an environment, with those that were unset: `PrefixData` leaves out these.

    conda writes a mark as the value of such a variable, which also switches off what a package sets.
    """
    try:
        found = json.loads(path.read_text("utf-8")).get("env_vars", {}) if path.is_file() else {}
        return {str(name): None if value is None else str(value) for name, value in found.items()}
    except (ValueError, AttributeError) as error:
        raise InputError("the environment's variables cannot be read", os.fsencode(path)) from error


def _is_conda(record: Any) -> bool:
    return record.package_type is None or str(getattr(record.package_type, "value", record.package_type)) in (
        "noarch_generic", "noarch_python",
    )  # fmt: skip
