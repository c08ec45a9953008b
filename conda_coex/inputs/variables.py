"""Read `--env` and `--keep-env`: variables that an archive sets, and those of the caller that it leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coex_bootstrap.start.activate import LANGUAGES, REMOVED

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORM = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\?)?=(.*)", re.DOTALL)
# Activation has its own words about these, or a shell does not let them be set.
KEPT = re.compile(
    "PATH|COEX_.*|_(coex|COEX)_.*|CONDA_(PREFIX|SHLVL|DEFAULT_ENV|PROMPT_MODIFIER)(_.*)?|IFS|PPID|E?UID|(BASH|SHELL)OPTS|"
    "BASH_VERSINFO|LINENO|OPTIND|PWD|OLDPWD|SHLVL|_"
)


def parse(values: Sequence[str]) -> list[dict[str, object]]:
    """Return the variables for the manifest, by name: `NAME=VALUE` over everyone's, `NAME?=VALUE` for who has none.

    Of one name given twice the last counts, as in a shell. Raises InputError for what is no such assignment.
    """
    found: dict[str, dict[str, object]] = {}
    for value in values:
        match = FORM.fullmatch(value)
        if match is None:
            raise InputError(f"--env {value!r} is no assignment", remedy="write NAME=VALUE, or NAME?=VALUE")
        if KEPT.fullmatch(match[1]):
            raise InputError(f"--env cannot set {match[1]}: activation or the shell does")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"--env {match[1]} has a value that is not UTF-8") from error
        found[match[1]] = {"name": match[1], "value": match[3], "default": bool(match[2])}
    return [found[name] for name in sorted(found)]


def parse_kept(names: Sequence[str]) -> list[str]:
    """Return, for the manifest, variables that a start does not remove; raises InputError for one that none removes."""
    known = {*REMOVED, *(name for _, of_language in LANGUAGES for name in of_language.split())}
    for name in names:
        if name not in known:
            remedy = f"those are: {', '.join(sorted(known))}"
            raise InputError(f"--keep-env {name!r} is not a variable that a start removes", remedy=remedy)
    return sorted(set(names))
