"""Read `--env` and `--keep-env`: variables that an archive sets, and those of the caller that it leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from coex_bootstrap.start.activation_files import LANGUAGES, REMOVED
from coex_bootstrap.start.variable_files import UNSETTABLE

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coex_bootstrap.format.manifest import Variable as Row

FORM = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\?)?=(.*)", re.DOTALL)
# No build sets these: a start cannot set them, or activation and shells give them values of their own. A start itself
# ignores the first part alone: it sets the rest as conda does, if a live prefix has it.
RESERVED = re.compile(
    f"{UNSETTABLE}|COEX_.*|_(?:coex|COEX)_.*|CONDA_(?:PREFIX|SHLVL|DEFAULT_ENV|PROMPT_MODIFIER)(?:_.*)?|"
    "IFS|LINENO|OPTIND|PWD|OLDPWD|SHLVL|_"
)


class Variable(NamedTuple):
    """A variable that an archive sets."""

    name: str
    value: str
    default: bool  # only set if the caller has none

    @property
    def row(self) -> Row:
        """The variable as a row of the manifest."""
        return {"name": self.name, "value": self.value, "default": self.default}


def parse_env(values: Iterable[str]) -> list[Variable]:
    """Return variables sorted by name: `NAME=VALUE` replaces the caller's, `NAME?=VALUE` is for callers without one.

    If one name is given twice, the last counts, as in a shell. Raises InputError for anything else.
    """
    variables: dict[str, Variable] = {}
    for value in values:
        match = FORM.fullmatch(value)
        if match is None:
            raise InputError(f"--env {value!r} is not an assignment", remedy="write NAME=VALUE, or NAME?=VALUE")
        if RESERVED.fullmatch(match[1]):
            raise InputError(f"--env cannot set {match[1]}: activation or the shell does")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"--env {match[1]} has a value that is not UTF-8") from error
        variables[match[1]] = Variable(match[1], match[3], bool(match[2]))
    return [variables[name] for name in sorted(variables)]


def parse_keep_env(names: Iterable[str]) -> list[str]:
    """Return the names of `--keep-env`, sorted; raises InputError for a variable that no start removes."""
    removed = {*REMOVED, *(name for _, of_language in LANGUAGES for name in of_language.split())}
    chosen = sorted(set(names))
    for name in chosen:
        if name not in removed:
            remedy = f"those are: {', '.join(sorted(removed))}"
            raise InputError(f"--keep-env {name!r} is not a variable that a start removes", remedy=remedy)
    return chosen
