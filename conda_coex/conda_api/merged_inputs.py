"""Merge environment files, specs and channels of the command line into the inputs of a solve."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..inputs.environment import MergedInputs, PipSection
from ..inputs.lock_file import not_alone
from ..inputs.suffixes import PACKAGE_SUFFIXES
from ..inputs.variables import RESERVED
from ..inputs.yaml_text import Text
from .specs import read_environment_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..inputs.document import Document
    from ..inputs.environment_file import EnvironmentFile

# Lines that pip can read and conda cannot: options, paths, `NAME @ URL`, extras, hashes, repositories, URLs, markers.
EXTRAS = re.compile(r"\[[\w.,\s-]+\]")  # of a requirement of pip; conda's own brackets have a `=`
PIP_LINE = re.compile(
    r"""-|(?:\.{0,2}/|\w+://)(?!.*::)|\.\.?$|[\w.-]+\s*@|[\w.-]+\[[\w\s,.-]*\]|.*\s--?\w|.*\w+\+\w+://|.*\.whl$
    |.*;\s*\(*(?:python|platform|os_name|sys_|implementation|extra)""",
    re.VERBOSE,
)
CHANNEL = re.compile(r"\S+.*\s(?:-c|--channel)[\s=]+(\S+)")  # of `conda install`
NAME = re.compile(r"[\w.+-]+")


def merge_inputs(documents: Sequence[Document], specs: Sequence[str]) -> MergedInputs:
    """Return the content of environment files and further specs as one; raises InputError.

    Channels of the command line precede those of files, and these precede the configured ones.
    """
    from conda.base.context import context

    sources = [(document.path, read_environment_file(document, context.subdir)) for document in documents]
    for path, file in sources:
        _check_file(path, file, is_only=len(documents) + len(specs) == 1)
    for spec in specs:
        _check_spec(spec)
    files = [file for _, file in sources]
    all_specs = [*specs, *(spec for file in files for spec in file.specs)]
    pinned = tuple(record for file in files for record in file.pinned)
    pip = tuple(_section(path, file) for path, file in sources if file.pip)
    if not (all_specs or pinned or pip):
        raise InputError("no package is requested", remedy="use -f FILE, --package SPEC, -n NAME or -p PATH")
    variables, notes = _merge_variables(files)
    channels = [channel for file in files for channel in file.channels]
    sections = [file for file in files if file.has_pip_section]
    lacks_pip = sections and all(file.lacks_pip for file in sections) and "pip" not in specs
    return MergedInputs(
        specs=tuple(dict.fromkeys(all_specs)),
        channels=tuple(channels) if pinned else _channels(channels),
        variables=variables,
        pip=pip,
        pinned=pinned,
        notes=(*(note for file in files for note in file.notes), *notes),
        implied=("pip",) if lacks_pip else (),
    )


def _check_file(path: str, file: EnvironmentFile, *, is_only: bool) -> None:
    """Raise InputError for a lock file beside other inputs, a file without packages, and a wrong spec."""
    if file.pinned and not is_only:
        raise not_alone(path)
    if not (file.specs or file.pip or file.pinned):
        what = "the environment file asks for no package"
        listed = "list some, one in each line" if path.endswith(".txt") else "list some under `dependencies:`"
        raise InputError(what, os.fsencode(path), listed)
    for spec in file.specs:
        _check_spec(spec, path)


def _merge_variables(files: Iterable[EnvironmentFile]) -> tuple[dict[str, str | None], list[str]]:
    """Return the variables of all files, of equal names the last one; and notes on variables that are left out.

    conda sets variables in capitals: names that differ only in case are equal.
    """
    variables: dict[str, str | None] = {}
    for file in files:
        for name, value in file.variables.items():
            variables = {other: variables[other] for other in variables if other.upper() != name.upper()}
            variables[name] = value
    reserved = [name for name in variables if RESERVED.fullmatch(name.upper())]
    notes = [f"the variable {name} is left out: activation or the shell sets it" for name in reserved]
    return {name: value for name, value in variables.items() if name not in reserved}, notes


def _section(path: str, file: EnvironmentFile) -> PipSection:
    return PipSection(str(Path(path).absolute().parent), file.pip, pinned=bool(file.pinned), file=path)


def _check_spec(spec: str, path: str | None = None) -> None:
    """Raise InputError for a text that is not a spec, naming the file and its line."""
    where = None if path is None else os.fsencode(path)
    line = f", in line {spec.line}" if isinstance(spec, Text) and spec.line else ""
    no_package = f"the specification {str(spec)!r} names no package{line}"
    if not spec.strip():
        raise InputError(no_package, where, remedy="name one, as in --package python")
    if spec.endswith("=pypi_0"):  # as `conda list --export` writes it
        what = f"{str(spec)!r} was installed by pip{line}"
        raise InputError(what, where, "list it below `- pip:` in an environment file")
    if spec.endswith(PACKAGE_SUFFIXES):
        what = f"{str(spec)!r} is one package, not the specification of packages{line}"
        raise InputError(what, where, "pin packages in an `@EXPLICIT` list, or name this one and its channel")
    channel = CHANNEL.match(spec)
    if channel:
        what = f"{str(spec)!r} has an option of conda, not only the specification of a package{line}"
        raise InputError(what, where, f"write `{channel[1]}::NAME`, or list the channel under `channels:`")
    if PIP_LINE.match(spec):  # older versions of conda read it as another package
        what = f"{str(spec)!r} is a line for pip, not the specification of a package{line}"
        extras = EXTRAS.search(spec)
        or_without = f", or leave out {extras[0]}" if extras else ""
        remedy = f"list it below `- pip:` in an environment file, as it is or by `-r FILE`{or_without}"
        raise InputError(what, where, remedy)

    from conda.exceptions import InvalidMatchSpec
    from conda.models.match_spec import MatchSpec

    try:
        name = MatchSpec(spec).get_exact_value("name")
    except InvalidMatchSpec as error:  # conda cannot print it as JSON
        raise InputError(f"{error}{line}", where) from error
    except (ValueError, IndexError) as error:  # conda 26's parser, for a text that begins like a spec
        raise InputError(f"Invalid spec {str(spec)!r}: {error}{line}", where) from error
    if name is None or not NAME.fullmatch(name):
        raise InputError(no_package, where, remedy="name one, as in --package python")


def _channels(of_files: Sequence[str]) -> tuple[str, ...]:
    """Return the channels of the command line, of files and of the configuration, each once.

    `nodefaults` in a file, or --override-channels, leaves out the configured ones.
    """
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
