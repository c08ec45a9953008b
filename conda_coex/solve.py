"""From what was asked for to records in link order."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import conda_api
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a host is assumed to offer where the target is another platform than the builder's: the oldest
# that the packages of conda-forge are made for. CONDA_OVERRIDE_* of the caller wins.
ASSUMED = {
    "linux": {"CONDA_OVERRIDE_LINUX": "5.10", "CONDA_OVERRIDE_GLIBC": "2.28"},
    "osx": {"CONDA_OVERRIDE_OSX": "11.0"},
}
NOWHERE = "/env/does/not/exist"  # conda's own name for the prefix of a solve without one


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


def merge_inputs(files: Sequence[str], specs: Sequence[str]) -> Wanted:
    """Read the environment files and join them with the specs; channels: command line, files, configuration."""
    from conda.base.context import context

    read = [conda_api.read_environment_file(path, context.subdir) for path in files]
    for path, found in zip(files, read, strict=True):
        if found.pip:
            listed = ", ".join(found.pip)
            raise InputError(
                f"the pip section is not supported yet ({listed})", os.fsencode(path), "list conda packages instead"
            )
        if not found.specs:
            raise InputError(
                "the environment file asks for no package", os.fsencode(path), "list some under `dependencies:`"
            )
    wanted = list(specs)
    variables: dict[str, str] = {}
    for found in read:
        wanted.extend(found.specs)
        variables.update(found.variables)
    if not wanted:
        raise InputError("no package was asked for", remedy="use -f FILE, --package SPEC, -n NAME or -p PATH")
    for spec in wanted:
        _check_spec(spec)
    of_files = [channel for found in read for channel in found.channels]
    return Wanted(tuple(dict.fromkeys(wanted)), _channels(of_files), variables)


def _check_spec(spec: str) -> None:
    from conda.exceptions import InvalidMatchSpec
    from conda.models.match_spec import MatchSpec

    try:
        name = MatchSpec(spec).get_exact_value("name")
    except InvalidMatchSpec as error:  # which conda cannot print as JSON
        raise InputError(str(error)) from error
    if name in (None, "*"):
        raise InputError(f"the specification {spec!r} names no package", remedy="name one, as in --package python")


def _channels(of_files: Sequence[str]) -> tuple[str, ...]:
    from conda import CondaError
    from conda.base.context import context

    cli = tuple(context._argparse_args.get("channel") or ())
    override = bool(context._argparse_args.get("override_channels"))
    configured: tuple[str, ...] = ()
    if "nodefaults" not in of_files and not (override and (cli or of_files)):
        try:
            configured = tuple(context.channels)
        except CondaError:
            if not (cli or of_files):
                raise
    joined = dict.fromkeys([*cli, *(channel for channel in of_files if channel != "nodefaults"), *configured])
    return tuple(joined)


def solve(wanted: Wanted, location: str) -> Environment:
    """Solve, show the result and ask, as conda does; raises conda's own errors for what cannot be satisfied.

    `location` is what conda shows as the environment's place: the archive to be.
    """
    from conda.base.context import context
    from conda.models.match_spec import MatchSpec

    transaction = solve_transaction(wanted.specs, wanted.channels, location)
    _show(transaction)
    specs = tuple(str(MatchSpec(spec)) for spec in wanted.specs)
    return Environment(context.subdir, _link_records(transaction), specs, wanted.channels, wanted.variables)


def solve_records(specs: Sequence[str], channels: Sequence[str]) -> tuple[Any, ...]:
    """Return the records of a solve, without asking."""
    return _link_records(solve_transaction(specs, channels))


def _link_records(transaction: Any) -> tuple[Any, ...]:
    return tuple(next(iter(transaction.prefix_setups.values())).link_precs)


def solve_transaction(specs: Sequence[str], channels: Sequence[str], prefix: str = NOWHERE) -> Any:
    """Return conda's transaction for a new environment, trying each repodata file that conda would."""
    from conda.base.context import context
    from conda.exceptions import PackagesNotFoundError, ResolvePackageNotFound
    from conda.models.match_spec import MatchSpec

    assume_platform()
    parsed = tuple(MatchSpec(spec) for spec in specs)
    names = () if context.use_only_tar_bz2 else context.repodata_fns
    names = tuple(dict.fromkeys([*names, "repodata.json"]))
    for name in names:
        last = name == names[-1]
        try:
            return _transaction(prefix, channels, parsed, name, last=last)
        except ResolvePackageNotFound as error:
            if last:
                raise PackagesNotFoundError(error._formatted_chains, channels) from error
        except _retryable() as error:
            if last or not getattr(error, "allow_retry", True):
                raise
    raise AssertionError("no repodata file was tried")


def _transaction(prefix: str, channels: Sequence[str], specs: Sequence[Any], repodata: str, *, last: bool) -> Any:
    from conda.base.context import context

    backend = context.plugin_manager.get_cached_solver_backend()
    subdirs = (context.subdir, "noarch")
    solver = backend(prefix, channels, subdirs, specs_to_add=specs, repodata_fn=repodata, command="create")
    return solver.solve_for_transaction(
        deps_modifier=context.deps_modifier, update_modifier=context.update_modifier, should_retry_solve=not last
    )


def _retryable() -> tuple[type[BaseException], ...]:
    from conda.exceptions import PackagesNotFoundError, SpecsConfigurationConflictError, UnsatisfiableError

    return UnsatisfiableError, SpecsConfigurationConflictError, PackagesNotFoundError, SystemExit


def _show(transaction: Any) -> None:
    """Show what conda would install and ask, as conda does; raises DryRunExit in a dry run."""
    from conda.base.context import context
    from conda.cli.common import stdout_json_success
    from conda.exceptions import DryRunExit

    if context.json:
        if context.dry_run:
            stdout_json_success(dry_run=True, actions=transaction._make_legacy_action_groups()[0])
            raise DryRunExit
        return
    transaction.print_transaction_summary()
    conda_api.confirm_yn()


def assume_platform() -> None:
    """Give the solver the virtual packages of another platform, where conda would offer the builder's or none."""
    from conda.base.context import context

    if context.subdir == context._native_subdir():
        return
    for name, value in ASSUMED.get(context.subdir.partition("-")[0], {}).items():
        os.environ.setdefault(name, value)


def read_existing(prefix: str) -> Environment:
    """Return the records of an existing environment, as they are, in an order that respects dependencies."""
    from conda.base.context import context
    from conda.exceptions import DryRunExit, EnvironmentLocationNotFound
    from conda.history import History
    from conda.models.prefix_graph import PrefixGraph

    if not Path(prefix, "conda-meta", "history").is_file():
        raise EnvironmentLocationNotFound(prefix)
    data = conda_api.prefix_data(prefix)
    mine: list[Any] = []
    foreign: list[Any] = []
    for record in data.iter_records():
        (mine if _is_conda(record) else foreign).append(record)
    if not mine:
        raise InputError("the environment has no conda packages", os.fsencode(prefix))
    if context.dry_run:
        _show_records(mine)
        raise DryRunExit
    specs = History(prefix).get_requested_specs_map().values()
    platform = next((record.subdir for record in mine if record.subdir != "noarch"), context.subdir)
    return Environment(
        platform=platform,
        records=tuple(PrefixGraph(mine).graph),
        specs=tuple(str(spec) for spec in specs),
        channels=tuple(dict.fromkeys(record.channel.base_url or record.channel.canonical_name for record in mine)),
        variables=_read_state(Path(prefix, "conda-meta", "state")),
        foreign=tuple(sorted(f"{record.name} {record.version}" for record in foreign)),
    )


def _read_state(path: Path) -> dict[str, str]:
    """Return the variables of an environment, with those that were unset: `PrefixData` leaves out these.

    conda writes a mark as the value of such a variable, which also switches off what a package sets.
    """
    try:
        found = json.loads(path.read_text("utf-8")).get("env_vars", {}) if path.is_file() else {}
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError) as error:
        raise InputError("the environment's variables cannot be read", os.fsencode(path)) from error


def _show_records(records: Sequence[Any]) -> None:
    from conda.base.context import context
    from conda.cli.common import stdout_json_success

    if context.json:
        stdout_json_success(dry_run=True, actions={"LINK": list(records)})
        return
    for record in records:
        print(record.dist_str())


def _is_conda(record: Any) -> bool:
    return record.package_type is None or str(getattr(record.package_type, "value", record.package_type)) in (
        "noarch_generic", "noarch_python",
    )  # fmt: skip
