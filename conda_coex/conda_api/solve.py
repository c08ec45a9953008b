"""Solve: turn specs and channels into records in link order."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

from ..errors import RepodataMissing
from ..inputs.environment import DryRun, Environment
from . import versions
from .public_urls import public_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conda.core.link import UnlinkLinkTransaction
    from conda.models.match_spec import MatchSpec

    from ..inputs.conda_record import CondaRecord
    from ..inputs.environment import MergedInputs

# The virtual packages of a host if the archive is for another platform than the builder's: the oldest versions that
# conda-forge supports. CONDA_OVERRIDE_* of the caller take precedence.
ASSUMED = {
    "linux": {"CONDA_OVERRIDE_LINUX": "5.10", "CONDA_OVERRIDE_GLIBC": "2.28"},
    "osx": {"CONDA_OVERRIDE_OSX": "11.0"},
}
NOWHERE = "/env/does/not/exist"  # conda's own name for the prefix of a solve without one


def solve(inputs: MergedInputs, location: str) -> Environment | DryRun:
    """Solve, show the result and ask for confirmation, as conda does; in a dry run return the plan.

    conda shows `location`, the path of the future archive, as that of the environment. Raises RepodataMissing, and
    conda's own errors for specs that cannot be satisfied.
    """
    from conda.base.context import context
    from conda.models.match_spec import MatchSpec

    assumed = _note_on_assumed(assume_platform())
    transaction, solved_specs, notes = _solve_implied(inputs, location)
    pip = [line for section in inputs.pip for line in section.shown]
    if context.dry_run:
        return _plan(transaction, pip)
    versions.show_and_confirm(lambda: _summary(transaction, pip))
    specs = tuple(sorted({public_spec(str(MatchSpec(spec))) for spec in solved_specs}))  # their order has no effect
    return Environment(
        context.subdir, _link_records(transaction), specs, inputs.channels, inputs.variables, pip=inputs.pip,
        notes=(*inputs.notes, *notes, *assumed), solved=True,
    )  # fmt: skip


def _solve_implied(
    inputs: MergedInputs, location: str
) -> tuple[UnlinkLinkTransaction, tuple[str, ...], tuple[str, ...]]:
    """Return the transaction, its specs, and notes: implied specs are left out if the channels cannot satisfy them."""
    specs = (*inputs.implied, *inputs.specs)
    if not (inputs.implied and inputs.specs):
        return solve_transaction(specs, inputs.channels, location), specs, ()
    try:
        return solve_transaction(specs, inputs.channels, location), specs, ()
    except _retryable() as error:
        with contextlib.suppress(*_retryable()):
            transaction = solve_transaction(inputs.specs, inputs.channels, location)
            names = ", ".join(inputs.implied)
            return transaction, inputs.specs, (f"no channel has a fitting package {names}: the one in Python serves",)
        raise error from None


def solve_records(specs: Sequence[str], channels: Sequence[str]) -> tuple[CondaRecord, ...]:
    """Return the records of a solve, without showing them or asking for confirmation."""
    return _link_records(solve_transaction(specs, channels))


def _link_records(transaction: UnlinkLinkTransaction) -> tuple[CondaRecord, ...]:
    return tuple(next(iter(transaction.prefix_setups.values())).link_precs)


def solve_transaction(specs: Sequence[str], channels: Sequence[str], prefix: str = NOWHERE) -> UnlinkLinkTransaction:
    """Return conda's transaction for a new environment; raises RepodataMissing if it fails because of --offline."""
    try:
        return _try_each_repodata(specs, channels, prefix)
    except _failures() as error:
        unread = versions.unread_channels(channels)
        if unread:
            raise RepodataMissing(unread) from error
        raise


def _try_each_repodata(specs: Sequence[str], channels: Sequence[str], prefix: str) -> UnlinkLinkTransaction:
    from conda.exceptions import PackagesNotFoundError, ResolvePackageNotFound
    from conda.models.match_spec import MatchSpec

    assume_platform()
    parsed = tuple(MatchSpec(spec) for spec in specs)
    names = versions.repodata_names()
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


def _transaction(
    prefix: str, channels: Sequence[str], specs: Sequence[MatchSpec], repodata: str, *, last: bool
) -> UnlinkLinkTransaction:
    from conda.base.context import context

    backend = context.plugin_manager.get_cached_solver_backend()
    subdirs = (context.subdir, "noarch")
    solver = backend(prefix, channels, subdirs, specs_to_add=specs, repodata_fn=repodata, command="create")
    return solver.solve_for_transaction(
        deps_modifier=context.deps_modifier, update_modifier=context.update_modifier, should_retry_solve=not last
    )


def _failures() -> tuple[type[BaseException], ...]:
    """Return the errors of a failed solve; the rattler solver raises OSError if there is no repodata."""
    return (OSError, *_retryable())


def _retryable() -> tuple[type[BaseException], ...]:
    from conda.exceptions import PackagesNotFoundError, SpecsConfigurationConflictError, UnsatisfiableError

    return UnsatisfiableError, SpecsConfigurationConflictError, PackagesNotFoundError, SystemExit


def _plan(transaction: UnlinkLinkTransaction, pip: Sequence[str]) -> DryRun:
    """Return the packages that conda and pip would install."""
    from conda.base.context import context

    lines = () if context.json else tuple(_summary(transaction, pip))
    return DryRun({**transaction._make_legacy_action_groups()[0], **({"PIP": list(pip)} if pip else {})}, lines)


def _summary(transaction: UnlinkLinkTransaction, pip: Sequence[str]) -> Iterator[str]:
    """Yield the lines of conda's summary of a transaction, and lines for pip."""
    with contextlib.redirect_stdout(io.StringIO()) as summary:
        transaction.print_transaction_summary()
    yield from summary.getvalue().split("\n")[:-1]
    if pip:
        yield from ("The following will be installed by pip:", "", *(f"  {line}" for line in pip), "")


def assume_platform() -> dict[str, str]:
    """Set the virtual packages for another platform, and return them: conda itself would use the builder's, or none.

    Keys are conda's variables, `CONDA_OVERRIDE_<NAME>`. A value that the caller or the configuration gives is kept,
    and is not returned.
    """
    from conda.base.context import context

    if context.subdir == context._native_subdir():
        return {}
    configured = getattr(context, "override_virtual_packages", {})  # conda 25.11: CONDA_OVERRIDE_* precede it
    assumed = {
        name: value for name, value in ASSUMED.get(context.subdir.partition("-")[0], {}).items()
        if name.removeprefix("CONDA_OVERRIDE_").lower() not in configured and name not in os.environ
    }  # fmt: skip
    os.environ.update(assumed)
    return assumed


def virtual_version(platform: str, name: str) -> str:
    """Return the version of a virtual package, such as `glibc`, on hosts of another platform."""
    from conda.base.context import context

    variable = f"CONDA_OVERRIDE_{name.upper()}"
    configured = getattr(context, "override_virtual_packages", {})
    assumed = ASSUMED[platform.partition("-")[0]][variable]
    return os.environ.get(variable) or str(configured.get(name) or assumed)


def _note_on_assumed(assumed: Mapping[str, str]) -> Iterator[str]:
    """Yield a note that names virtual packages which were assumed of the hosts."""
    if assumed:
        from conda.base.context import context

        names = [f"__{name.removeprefix('CONDA_OVERRIDE_').lower()} {value}" for name, value in assumed.items()]
        hosts = f"hosts of {context.subdir} are assumed to have {', '.join(names)}"
        yield f"{hosts}; {' and '.join(assumed)} set other versions"
