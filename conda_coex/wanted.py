"""From files, specs and channels to what is asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import conda_api
from .environment import Wanted
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


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
