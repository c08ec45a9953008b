"""From files, specs and channels to what is asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..inputs.environment import MergedInputs, PipSection
from ..inputs.lock_file import not_alone
from ..inputs.variables import RESERVED
from ..inputs.yaml_text import Text
from .specs import read_environment_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..inputs.document import Document
    from ..inputs.environment_file import EnvironmentFile

# Options, extras, hashes, repositories: what pip reads and conda does not.
OF_PIP = re.compile(r"-|[\w.-]+\[[\w\s,.-]*\]|.*\s--?\w|.*\w+\+\w+://")


def merge_inputs(files: Sequence[Document], specs: Sequence[str]) -> MergedInputs:
    """Read the environment files and join them with the specs; channels: command line, files, configuration."""
    from conda.base.context import context

    read = [read_environment_file(document, context.subdir) for document in files]
    paths = [document.path for document in files]
    for path, found in zip(paths, read, strict=True):
        if found.pinned and len(files) + len(specs) > 1:
            raise not_alone(path)
        if not (found.specs or found.pip or found.pinned):
            raise InputError(
                "the environment file asks for no package", os.fsencode(path), "list some under `dependencies:`"
            )
        for spec in found.specs:
            _check_spec(spec, path)
    for spec in specs:
        _check_spec(spec)
    wanted = list(specs)
    variables: dict[str, str | None] = {}
    for found in read:
        wanted.extend(found.specs)
        for name, value in found.variables.items():  # which conda sets in capitals
            variables = {other: variables[other] for other in variables if other.upper() != name.upper()}
            variables[name] = value
    reserved = [name for name in variables if RESERVED.fullmatch(name.upper())]
    variables = {name: value for name, value in variables.items() if name not in reserved}
    pinned = tuple(record for found in read for record in found.pinned)
    if not (wanted or pinned or any(found.pip for found in read)):
        raise InputError("no package was asked for", remedy="use -f FILE, --package SPEC, -n NAME or -p PATH")
    of_files = [channel for found in read for channel in found.channels]
    pip = tuple(_section(path, found) for path, found in zip(paths, read, strict=True) if found.pip)
    channels = tuple(of_files) if pinned else _channels(of_files)
    notes = [note for found in read for note in found.notes]
    notes += [f"the variable {name} is left out: activation or the shell sets it" for name in reserved]
    implied = ("pip",) if all(found.lacks_pip for found in read if found.pip) and pip and "pip" not in specs else ()
    return MergedInputs(tuple(dict.fromkeys(wanted)), channels, variables, pip, pinned, tuple(notes), implied)


def _section(path: str, found: EnvironmentFile) -> PipSection:
    return PipSection(str(Path(path).absolute().parent), found.pip, pinned=bool(found.pinned), file=path)


def _check_spec(spec: str, path: str | None = None) -> None:
    """Raise InputError for a text that is not a spec, naming the file and its line."""
    where = None if path is None else os.fsencode(path)
    line = f", in line {spec.line}" if isinstance(spec, Text) and spec.line else ""
    if spec.endswith("=pypi_0"):  # as `conda list --export` has it
        what = f"{str(spec)!r} was installed by pip{line}"
        raise InputError(what, where, "list it below `- pip:` in an environment file")
    if OF_PIP.match(spec):  # of which older condas make some package
        what = f"{str(spec)!r} is a line for pip, not the specification of a package{line}"
        raise InputError(what, where, "list it below `- pip:` in an environment file, as it is or by `-r FILE`")

    from conda.exceptions import InvalidMatchSpec
    from conda.models.match_spec import MatchSpec

    try:
        name = MatchSpec(spec).get_exact_value("name")
    except InvalidMatchSpec as error:  # which conda cannot print as JSON
        raise InputError(f"{error}{line}", where) from error
    except (ValueError, IndexError) as error:  # from conda 26's parser, of what begins like a spec
        raise InputError(f"Invalid spec {str(spec)!r}: {error}{line}", where) from error
    if name in (None, "*"):
        what = f"the specification {str(spec)!r} names no package{line}"
        raise InputError(what, where, remedy="name one, as in --package python")


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
