"""Read the records of an existing environment, as they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..inputs.environment import DryRun, Environment, plan_of
from . import versions
from .installed import UNKNOWN, UNSAID, damaged, read_records
from .public_urls import public_spec


def read_existing(prefix: str, *, pip: bool = True) -> Environment | DryRun:
    """Return the records of an existing environment, as they are, in an order that respects dependencies.

    In a dry run it is the plan for them.

    What `pip` installed is named in `foreign`, where that is wanted.
    """
    from conda.base.context import context
    from conda.exceptions import EnvironmentLocationNotFound

    mine = [record for record in _condas(Path(prefix)) if _is_conda(record)]
    if not mine and not Path(prefix, "conda-meta", "history").is_file():  # which other installers do not write
        raise EnvironmentLocationNotFound(prefix)
    if not mine:
        raise InputError("the environment has no conda packages", os.fsencode(prefix))
    if context.dry_run:
        return plan_of(mine)
    specs = versions.requested_specs(prefix, {record.name for record in mine})
    platform = next((record.subdir for record in mine if record.subdir != "noarch"), context.subdir)
    return Environment(
        platform=platform,
        records=versions.link_order(mine),
        specs=tuple(sorted(map(public_spec, specs))),
        channels=tuple(dict.fromkeys(filter(None, map(_channel, mine)))),
        variables=_read_state(Path(prefix, "conda-meta", "state")),
        foreign=tuple(sorted(_foreign(prefix))) if pip else (),
    )


def _condas(prefix: Path) -> list[Any]:
    """Return the records of packages; raises PackageDamaged. Other files are passed over, as by conda."""
    found = {}
    for fields in read_records(prefix).values():
        small = {key: value for key, value in fields.items() if key not in UNSAID}
        try:
            found[fields["name"]] = versions.prefix_record(small)
        except (ValueError, TypeError) as error:
            name = "-".join(fields[key] for key in ("name", "version", "build"))
            raise damaged(prefix / f"conda-meta/{name}.json", error) from error
    return list(found.values())


def _channel(record: Any) -> str | None:
    name = record.channel.base_url or record.channel.canonical_name
    return None if name == UNKNOWN else str(name)


def _foreign(prefix: str) -> list[str]:
    """Return the names of what others than conda installed; conda 25.5 and newer fail on a wrong RECORD."""
    from conda import CondaError

    try:
        found = list(versions.prefix_data(prefix, pip=True).iter_records())
    except (ValueError, CondaError) as error:
        return [f"what pip installed (conda cannot read its records: {error})"]
    return [f"{record.name} {record.version}" for record in found if not _is_conda(record)]


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
